"""What bridge and powerd say to each other: one JSON object per line over a UNIX socket.

The bridge says `limit` (a GPU's watts), `renew` (it is well), `bye` (it ends: fall at once), the
doctor `may` (am I heard?). Only root says `release` (every card's factory default again). Each is
answered by `Answer`. There is no verb for anything but limits.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MAX_LINE_BYTES: Final = 4096


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SetLimit(_Line):
    """Set the limit of GPU `uid` to so many watts of the card."""

    verb: Literal["limit"] = "limit"
    uid: Annotated[str, Field(min_length=1, max_length=80)]
    power_w: Annotated[float, Field(gt=0, le=5000)]


class Renew(_Line):
    """The bridge measures and is in charge."""

    verb: Literal["renew"] = "renew"


class Bye(_Line):
    """The bridge ends."""

    verb: Literal["bye"] = "bye"


class May(_Line):
    """Whether this user may ask; nothing is set, and nobody becomes the one who holds limits."""

    verb: Literal["may"] = "may"


class Release(_Line):
    """Set every card to its factory default and leave it (uninstall)."""

    verb: Literal["release"] = "release"


AnyAsk: TypeAlias = SetLimit | Renew | Bye | May | Release
_ASK: Final[TypeAdapter[AnyAsk]] = TypeAdapter(Annotated[AnyAsk, Field(discriminator="verb")])


class Answer(_Line):
    """Whether it was done; `limit_w` is what was set, `text` a sentence for a person."""

    ok: bool
    code: str = "ok"
    text: str = ""
    limit_w: float | None = None


def read_ask(line: bytes) -> AnyAsk:
    """Return what a line asks; raises ValueError with the first mistake."""
    try:
        return _ASK.validate_json(line)
    except ValidationError as err:
        raise ValueError(err.errors(include_url=False)[0]["msg"]) from None
