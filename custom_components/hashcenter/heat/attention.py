"""Which news cannot wait for the next minute's decision.

A rig or a sensor says something every few seconds; deciding on each word would cost much and change
nothing. What matters at once: something began or ended (a window, a rig, a lease), a temperature
crossed one of its room's limits, a circuit's load jumped, a heater can do clearly more or less.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ..control.bounds import with_tolerance_w
from ..control.people import People
from ..control.requests import HeaterKey
from ..control.seen import CircuitSeen, HeaterSeen, HouseSeen, Thermometer
from ..control.state import HeaterMemory
from .plan import HousePlan
from .reading import Readings

#: A change of a circuit's load, or of what a heater can do, that matters.
_JUMP_W: Final = 100.0
_JUMP_SHARE: Final = 0.05


def entities(plan: HousePlan, people: People) -> frozenset[str]:
    """Return the entities whose news may matter at once."""
    named: list[str | None] = [plan.money.peak_entity, plan.money.generator_entity]
    for room in plan.rooms.values():
        named += [room.thermometer, room.damper, *room.windows]
    for circuit in plan.circuits.values():
        named += [circuit.meter, circuit.tripped]
    named += [request.thermometer for request in people.requests.values()]
    return frozenset(one for one in named if one)


def heaters_matter(
    before: Mapping[HeaterKey, HeaterSeen],
    after: Iterable[HeaterSeen],
    memories: Mapping[HeaterKey, HeaterMemory],
) -> bool:
    """Return whether what a rig's heaters say matters, after what was decided on `before`."""
    return any(_heater_matters(before.get(one.key), one, memories.get(one.key)) for one in after)


def _heater_matters(
    before: HeaterSeen | None, after: HeaterSeen, memory: HeaterMemory | None
) -> bool:
    if before is None or _kind(before) != _kind(after):
        return True
    jump_w = max(_JUMP_W, _JUMP_SHARE * after.max_w)
    if abs(after.available_w - before.available_w) >= jump_w:
        return True
    if (after.available_w >= after.min_w) != (before.available_w >= after.min_w):
        return True
    if after.circuit is None or after.power_w is None or memory is None:
        return False
    # More than its circuit counts with: whatever it does, others have to make room.
    most_w = with_tolerance_w(memory.ceiling_w if memory.ceiling_w is not None else after.max_w)
    return after.power_w > max(most_w, with_tolerance_w(before.power_w or 0.0))


def _kind(heater: HeaterSeen) -> tuple[object, ...]:
    return (
        heater.online,
        heater.controllable,
        heater.starting,
        heater.effect,
        heater.lease is None,
        heater.idle_w,
        heater.min_w,
        heater.max_w,
        heater.unattended_w,
    )


def entity_matters(
    entity_id: str, plan: HousePlan, people: People, before: HouseSeen, readings: Readings
) -> bool:
    """Return whether a figure that an entity says anew matters, after what was decided before.

    True also for entities that are no figures: switches of some kind.
    """
    is_figure = False
    for room in before.rooms:
        if entity_id == plan.rooms[room.id].thermometer:
            is_figure = True
            limits_c = (room.frost_c, room.target_c + room.over_k, room.high_c)
            if _crossed(room.thermometer, readings.thermometer(entity_id), limits_c):
                return True
    for circuit in before.circuits:
        if entity_id == plan.circuits[circuit.id].meter:
            is_figure = True
            if _load_matters(circuit, readings.watts(entity_id)[0]):
                return True
    for heater in before.heaters:
        request, demand = people.requests.get(heater.key), heater.outside
        if request is not None and request.thermometer == entity_id and demand is not None:
            is_figure = True
            was = demand.thermometer or Thermometer(None)
            high_c = [] if demand.high_limit_c is None else [demand.high_limit_c]
            if _crossed(was, readings.thermometer(entity_id), high_c):
                return True
    return not is_figure


def _crossed(before: Thermometer, now: Thermometer, limits_c: Iterable[float]) -> bool:
    was_c, is_c = before.temp_c, now.temp_c
    if was_c is None or is_c is None:
        return was_c is not is_c
    return any((was_c > limit_c) != (is_c > limit_c) for limit_c in limits_c)


def _load_matters(circuit: CircuitSeen, power_w: float | None) -> bool:
    before_w = circuit.meter.power_w if circuit.meter else None
    if before_w is None or power_w is None:
        return before_w is not power_w
    jump_w = max(_JUMP_W, _JUMP_SHARE * circuit.volts * circuit.amps)
    return abs(power_w - before_w) >= jump_w
