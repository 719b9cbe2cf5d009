"""JSON in, frozen values out: how every message of the wire is written and read.

Canonical source: bridge/src/hashcenter_bridge/wire. Receivers ignore fields they do not know and
keep enum values they do not know as plain strings, so that both sides can be updated apart.
"""

from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

#: The inventory of a hundred ASICs has half of it; anything larger is refused before it is parsed.
MAX_PAYLOAD_BYTES: Final = 256 * 1024

#: Requests are small; a rig reads no more than this of one.
MAX_REQUEST_BYTES: Final = 4 * 1024


class WireModel(BaseModel):
    """A value that travels: frozen, strict about types, finite numbers only."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class WireError(ValueError):
    """A payload that cannot be read. The text is one short sentence that says where and why."""


ModelT = TypeVar("ModelT", bound=WireModel)


def encode(message: WireModel) -> str:
    """Return `message` as compact JSON. What is None is left out: a missing reading is absent."""
    return message.model_dump_json(exclude_none=True)


def decode(model: type[ModelT], payload: str | bytes, limit: int = MAX_PAYLOAD_BYTES) -> ModelT:
    """Return `payload` read as `model`.

    Raises WireError when it is larger than `limit` bytes, is not JSON, or does not fit the model.
    """
    return cast("ModelT", read(model.__pydantic_validator__, payload, limit))


def read(reader: Any, payload: str | bytes, limit: int) -> Any:
    """Return `payload` as `reader` (a pydantic validator) reads it, or raise WireError."""
    size = len(payload) if isinstance(payload, bytes) else len(payload.encode(errors="replace"))
    if size > limit:
        raise WireError(f"the message has {size} bytes; at most {limit} are read")
    try:
        return reader.validate_json(payload)
    except ValidationError as err:
        first = err.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the message"
        raise WireError(f"{where[:80]}: {first['msg'][:160]}") from None
    except (ValueError, RecursionError) as err:
        raise WireError(f"the message cannot be read: {type(err).__name__}") from None
