"""Every topic of the wire in one table: its name, its message, whether the broker keeps it.

Canonical source: bridge/src/hashcenter_bridge/wire. A topic is `hashcenter/v1/<rig>/<name>`; only
`device` has one more level, the device's uid.
"""

import re
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from .codec import WireModel
from .messages import (
    Announce,
    DeviceState,
    Event,
    Inventory,
    Request,
    Response,
    RigState,
    Status,
)

BASE: Final = "hashcenter/v1"

#: Ids become topic levels, entity ids and file names, so they stay plain.
RIG_PATTERN: Final = r"^[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?$"
UID_PATTERN: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,62}[A-Za-z0-9])?$"

MessageT_co = TypeVar("MessageT_co", bound=WireModel, covariant=True)


@dataclass(frozen=True)
class Topic(Generic[MessageT_co]):
    """One topic of a rig: `retained` says whether the broker keeps it, `expiry_s` for how long."""

    name: str
    message: type[MessageT_co]
    retained: bool
    expiry_s: int | None = None
    per_device: bool = False

    def of(self, rig: str, uid: str | None = None) -> str:
        """Return the full topic of `rig` (and of the device `uid`, where the topic has one)."""
        if self.per_device != (uid is not None):
            raise ValueError(f"topic {self.name!r} takes {'a' if self.per_device else 'no'} uid")
        return "/".join(part for part in (BASE, rig, self.name, uid) if part)


ANNOUNCE: Final = Topic("announce", Announce, retained=True)
STATUS: Final = Topic("status", Status, retained=True)
INVENTORY: Final = Topic("inventory", Inventory, retained=True)
STATE: Final = Topic("state", RigState, retained=True, expiry_s=60)
DEVICE: Final = Topic("device", DeviceState, retained=True, expiry_s=120, per_device=True)
EVENT: Final = Topic("event", Event, retained=False)
REQUEST: Final = Topic("request", Request, retained=False, expiry_s=10)
RESPONSE: Final = Topic("response", Response, retained=False)

#: What a rig says; a house subscribes to all of it and says only `REQUEST`.
SAID_BY_RIG: Final = (ANNOUNCE, STATUS, INVENTORY, STATE, DEVICE, EVENT, RESPONSE)

#: What a house subscribes to: everything that rigs say, one level per part.
HOUSE_FILTERS: Final = tuple(
    topic.of("+", "+" if topic.per_device else None) for topic in SAID_BY_RIG
)

_BY_NAME: Final[dict[str, Topic[WireModel]]] = {
    topic.name: topic for topic in (*SAID_BY_RIG, REQUEST)
}
_RIG: Final = re.compile(RIG_PATTERN)
_UID: Final = re.compile(UID_PATTERN)


@dataclass(frozen=True)
class Address:
    """A received topic, taken apart."""

    rig: str
    topic: Topic[WireModel]
    uid: str | None = None


def parse(topic: str) -> Address | None:
    """Return what `topic` addresses, or None for anything that is not ours."""
    if not topic.startswith(BASE + "/"):
        return None
    parts = topic[len(BASE) + 1 :].split("/")
    entry = _BY_NAME.get(parts[1]) if len(parts) > 1 else None
    if entry is None or len(parts) != (3 if entry.per_device else 2):
        return None
    if not _RIG.fullmatch(parts[0]):
        return None
    if not entry.per_device:
        return Address(parts[0], entry)
    return Address(parts[0], entry, parts[2]) if _UID.fullmatch(parts[2]) else None
