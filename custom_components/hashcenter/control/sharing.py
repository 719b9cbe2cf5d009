"""Where a heater's heat goes when several rooms want it: to the one that is coldest for its target.

A heater that may warm more than one room serves one at a time in the books; it changes over only
for a room that is clearly colder, so that two rooms do not pull it to and fro.
"""

from collections.abc import Mapping
from typing import Final

from .requests import HeaterKey
from .seen import HeaterSeen, HouseSeen, HvacMode
from .state import HeaterMemory

_CLEARLY_K: Final = 0.5


def rooms_of(seen: HouseSeen, memories: Mapping[HeaterKey, HeaterMemory]) -> dict[HeaterKey, str]:
    """Return the room that has each heater now; heaters whose heat goes nowhere are left out."""
    cold: dict[str, float] = {}
    for room in seen.rooms:
        temp_c = room.thermometer.temp_c
        wants = room.mode is HvacMode.HEAT and not room.windows_open and temp_c is not None
        cold[room.id] = room.target_c - temp_c if wants and temp_c is not None else -100.0
    found: dict[HeaterKey, str] = {}
    for heater in seen.heaters:
        if heater.room is None or heater.room not in cold:
            continue
        found[heater.key] = _coldest(heater, cold, memories.get(heater.key))
    return found


def _coldest(heater: HeaterSeen, cold: Mapping[str, float], memory: HeaterMemory | None) -> str:
    assert heater.room is not None
    choices = [heater.room, *(room for room in heater.also_rooms if room in cold)]
    has_it = memory.room if memory and memory.room in choices else heater.room
    coldest = max(choices, key=lambda room: cold[room])
    return coldest if cold[coldest] > cold[has_it] + _CLEARLY_K else has_it
