"""What stands above comfort: when a temperature may be believed, and when a room may not heat.

A thermometer is stale after three of its own longest silences (a sensor that speaks only on change
is quiet in a steady room), unavailable at once. The order of `verdict` is the policy of a room.
"""

from dataclasses import dataclass, replace
from typing import Final

from .seen import HouseSeen, HvacMode, RoomSeen, Thermometer
from .state import Rhythm, RoomState
from .wanted import Limit, LimitCode

_SILENCES: Final = 3.0
_SOONEST_STALE_S: Final = 900.0
_LATEST_STALE_S: Final = 7_200.0
#: A silence that was normal is forgotten over about a week of speaking faster.
_FORGET_PER_WORD: Final = 0.002
#: An outdoor temperature changes slowly; after this long it is no longer followed.
OUTDOOR_STALE_S: Final = 10_800.0
_CALM_K: Final = 0.5
#: With these, slow heaters go on at their lowest step for a while, or heat.
_SPARES_MINERS: Final = (LimitCode.FROST, LimitCode.WINDOW, LimitCode.THERMOMETER_STALE)


def hear(rhythm: Rhythm, thermometer: Thermometer, now: float) -> Rhythm:
    """Return the sensor's rhythm after this look; a silence counts once it has ended."""
    if thermometer.temp_c is None:
        return replace(rhythm, spoke_at=0.0)
    spoke_at = now - thermometer.age_s
    if rhythm.spoke_at <= 0 or spoke_at < rhythm.spoke_at - 1.0:
        return replace(rhythm, spoke_at=spoke_at)
    silence_s = spoke_at - rhythm.spoke_at
    if silence_s < 1.0:
        return rhythm
    longest_s = max(silence_s, rhythm.longest_s * (1.0 - _FORGET_PER_WORD))
    # A long outage is not a rhythm: it may double what was normal, no more.
    usual_s = max(rhythm.longest_s, _SOONEST_STALE_S / _SILENCES)
    return Rhythm(spoke_at, min(longest_s, 2.0 * usual_s))


def stale_after_s(rhythm: Rhythm) -> float:
    """Return after how many seconds of silence this sensor is not believed any more."""
    return min(max(_SILENCES * rhythm.longest_s, _SOONEST_STALE_S), _LATEST_STALE_S)


def is_stale(rhythm: Rhythm, thermometer: Thermometer) -> bool:
    """Return whether the temperature is too old, or not there at all."""
    return thermometer.temp_c is None or thermometer.age_s > stale_after_s(rhythm)


def outdoor_c(seen: HouseSeen, room: RoomSeen | None = None) -> float | None:
    """Return the temperature outside the house or a room, None when it is too old to follow.

    The room's own outdoor thermometer goes first; while it says nothing, the house's does.
    """
    for thermometer in (room.outdoor if room else None, seen.outdoor):
        if thermometer is None or thermometer.age_s > OUTDOOR_STALE_S:
            continue
        if thermometer.temp_c is not None:
            return thermometer.temp_c
    return None


@dataclass(frozen=True)
class Verdict:
    """Whether the room may heat for comfort, and the limit that says so.

    `frost`: it is heated against freezing whatever else stands against it. `blind`: its temperature
    is not known. `off`: nothing in it heats, not even for money.
    """

    limit: Limit | None = None
    frost: bool = False
    blind: bool = False
    off: bool = False

    @property
    def stops(self) -> bool:
        """Whether everything stops at once, also what does not like to be started again."""
        return self.limit is not None and self.limit.code not in _SPARES_MINERS


def freezes(room: RoomSeen, memory: RoomState, temp_c: float | None) -> bool:
    """Return whether the room is heated against freezing, calmly; a `temp_c` of None is stale."""
    return temp_c is not None and temp_c < room.frost_c + (_CALM_K if memory.frost else 0.0)


def verdict(
    room: RoomSeen, memory: RoomState, temp_c: float | None, *, on_generator: bool
) -> Verdict:
    """Return the first rule that applies to the room; `temp_c` is None while it is stale."""
    blind, airy = temp_c is None, room.windows_open
    if freezes(room, memory, temp_c):
        values: dict[str, float | str] = {"temp_c": temp_c or 0.0, "frost_c": room.frost_c}
        return Verdict(Limit(LimitCode.FROST, values), frost=True)
    if temp_c is not None and temp_c > room.high_c - (_CALM_K if memory.over else 0.0):
        values = {"temp_c": temp_c, "limit_c": room.high_c}
        return Verdict(Limit(LimitCode.HIGH_LIMIT, values), off=True)
    if room.mode is HvacMode.OFF:
        return Verdict(Limit(LimitCode.ROOM_OFF), blind=blind, off=airy)
    if on_generator:
        return Verdict(Limit(LimitCode.GENERATOR), blind=blind, off=airy)
    if airy:
        return Verdict(Limit(LimitCode.WINDOW), blind=blind, off=True)
    if temp_c is None:
        age_s = room.thermometer.age_s if room.thermometer.temp_c is not None else -1.0
        return Verdict(Limit(LimitCode.THERMOMETER_STALE, {"age_s": age_s}), blind=True)
    over_c = room.target_c + room.over_k
    if temp_c > over_c - (_CALM_K if memory.over else 0.0):
        return Verdict(Limit(LimitCode.OVER_TARGET, {"temp_c": temp_c, "limit_c": over_c}))
    return Verdict()
