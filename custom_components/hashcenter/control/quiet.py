"""Quiet hours: at most so many watts, and fans that turn no faster than somebody wished.

A fan follows the heat of its device. Holding it down against that heat would cook the device, or
have its firmware stop it and lower its own settings; so the heat is held down instead, until the
fan is as slow as wished. That works with every device that tells its fan, and ends by itself.

Watts come down a tenth at a time and go up again a little at a time, so that nobody hears them
hunt. Where even the lowest step is too loud, a heater that starts without wear rests for the night,
and one that wears stays at its lowest step. What was quiet last night is where the next one begins.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from .requests import HeaterKey
from .seen import HeaterSeen, HouseSeen, Pace, Quiet
from .state import HeaterMemory

#: A fan answers to less heat within a minute or two.
_STEP_S: Final = 120.0
#: So long it was quiet before it may have a little more.
_RAISE_S: Final = 1800.0
_LESS: Final = 0.9
_MORE: Final = 1.05
_USED: Final = 1.1
#: A fan controller wanders by itself.
_CALM_PERCENT: Final = 2.0
_ROOM_PERCENT: Final = 6.0


def listened(
    seen: HouseSeen, memories: Mapping[HeaterKey, HeaterMemory], now: float
) -> Mapping[HeaterKey, HeaterMemory]:
    """Return the memories with the watts at which each heater was quiet enough."""
    found = dict(memories)
    for heater in seen.heaters:
        before = memories.get(heater.key, HeaterMemory())
        room = seen.rooms_by_id.get(heater.room)
        after = _listened(heater, before, room.quiet if room else None, now)
        if after is not before:
            found[heater.key] = after
    return MappingProxyType(found)


def _listened(
    heater: HeaterSeen, memory: HeaterMemory, quiet: Quiet | None, now: float
) -> HeaterMemory:
    if quiet is None or quiet.max_fan_percent is None:
        # A heater that rested is heard again the next time.
        rested = memory.quiet_w is not None and memory.quiet_w < heater.min_w
        return replace(memory, quiet_w=heater.min_w) if rested else memory
    fan = heater.fan_percent
    if fan is None or not heater.online or not heater.hashing:
        # A fan that turns for an answer, or cools what rests, is not the hashing's.
        return memory
    since_s = now - memory.quiet_at
    if fan > quiet.max_fan_percent + _CALM_PERCENT:
        # What it was allowed last has to be reached, and heard, before it is judged.
        comes_down = memory.quiet_w is not None and (heater.power_w or 0.0) > _USED * memory.quiet_w
        if comes_down or since_s < max(_STEP_S, heater.settle_s):
            return memory
        return replace(memory, quiet_w=_less_w(heater, memory), quiet_at=now)
    if memory.quiet_w is None or memory.quiet_w < heater.min_w or since_s < _RAISE_S:
        return memory
    # More is only worth trying where what there is was used.
    used = heater.power_w is not None and heater.power_w >= _LESS * memory.quiet_w
    if not used or fan > quiet.max_fan_percent - _ROOM_PERCENT:
        return memory
    return replace(memory, quiet_w=min(heater.max_w, memory.quiet_w * _MORE), quiet_at=now)


def _less_w(heater: HeaterSeen, memory: HeaterMemory) -> float:
    """Return the next lower watts, below what it draws and below what was allowed."""
    known_w = [watts for watts in (heater.power_w, memory.quiet_w) if watts is not None]
    now_w = min(known_w, default=heater.max_w)
    if now_w > heater.min_w:
        return max(heater.min_w, _LESS * now_w)
    return heater.min_w if heater.pace is Pace.SLOW else 0.0
