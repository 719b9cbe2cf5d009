"""Whether a room needs back-up heat: what the heaters cannot deliver, said calmly.

Raised when more than max(300 W, 30 %) of the demand is missing for 20 minutes in a room that is
half a kelvin too cold, at once near frost, and after an hour without a temperature (the back-up has
a thermometer of its own). Withdrawn when the heaters could carry the room by themselves for 30
minutes, so that a furnace does not start and stop with them.
"""

from dataclasses import replace
from typing import Final

from .rooms import BLIND_LONG_S
from .seen import HvacMode, RoomSeen
from .state import RoomState
from .wanted import Limit, LimitCode

_LEAST_SHORT_W: Final = 300.0
_SHORT_SHARE: Final = 0.3
_AFTER_S: Final = 1_200.0
_COLD_K: Final = 0.5
_NEAR_FROST_K: Final = 1.0
_CALM_S: Final = 1_800.0


def follow(
    memory: RoomState,
    room: RoomSeen,
    temp_c: float | None,
    *,
    needed_w: float,
    delivered_w: float,
    deliverable_w: float,
    carries_w: float,
    now: float,
) -> RoomState:
    """Return the memory with `backup`.

    `needed_w` is what the room needs now, `carries_w` what holds its target, `deliverable_w` what
    its heaters could do now.
    """
    short_w = needed_w - max(delivered_w, 0.0)
    missing = short_w > max(_LEAST_SHORT_W, _SHORT_SHARE * needed_w)
    heats = room.mode is HvacMode.HEAT and not room.windows_open
    frosty = temp_c is not None and temp_c < room.frost_c + _NEAR_FROST_K
    cold = temp_c is not None and temp_c < room.target_c - _COLD_K
    freezes = memory.outdoor_c is None or memory.outdoor_c < room.frost_c
    blind = memory.blind_since > 0 and now - memory.blind_since >= BLIND_LONG_S
    if (frosty and short_w > 0) or (blind and (heats or freezes)):
        return replace(memory, backup=True, enough_since=0.0)
    short = heats and missing and cold
    short_since = (memory.short_since or now) if short else 0.0
    if not memory.backup:
        raised = short and now - short_since >= _AFTER_S
        return replace(memory, short_since=short_since, enough_since=0.0, backup=raised)
    enough = not frosty and (not heats or deliverable_w >= carries_w) and temp_c is not None
    enough_since = (memory.enough_since or now) if enough else 0.0
    cleared = enough and now - enough_since >= _CALM_S
    return replace(
        memory,
        short_since=short_since,
        enough_since=0.0 if cleared else enough_since,
        backup=not cleared,
    )


def why(limits: list[Limit]) -> Limit:
    """Return what the shortfall is due to: the first limit that is not the demand itself."""
    usual = (LimitCode.DEMAND, LimitCode.NO_DEMAND, LimitCode.PATIENCE, LimitCode.STAGED)
    return next((one for one in limits if one.code not in usual), Limit(LimitCode.CAPACITY))
