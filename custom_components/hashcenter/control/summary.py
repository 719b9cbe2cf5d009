"""What rooms and circuits show: what really happens, the limit that binds, what is short."""

from collections.abc import Mapping, Sequence

from . import backup, circuits
from .allocate import Bound
from .requests import HeaterKey
from .safety import Verdict
from .seen import CircuitSeen, HeaterSeen, HouseSeen, HvacMode, RoomSeen
from .state import CircuitMemory, RoomState
from .wanted import (
    CircuitWanted,
    HeaterWanted,
    HvacAction,
    Limit,
    LimitCode,
    RoomWanted,
)

_BY_CIRCUIT = (LimitCode.CIRCUIT, LimitCode.STAGED, LimitCode.STAGGERED, LimitCode.METER_STALE)
_WARM_W = 50.0


def delivered_w(heaters: Sequence[HeaterSeen]) -> float:
    """Return the measured mean watts of these heaters; what is not measured is not counted."""
    return sum(
        heater.mean_w if heater.mean_w is not None else heater.power_w or 0.0 for heater in heaters
    )


def room_wanted(
    room: RoomSeen,
    memory: RoomState,
    found: Verdict,
    heaters: Sequence[HeaterSeen],
    leases: Mapping[HeaterKey, HeaterWanted],
    bounds: Mapping[HeaterKey, Bound],
    seen: HouseSeen,
    now: float,
) -> tuple[RoomState, RoomWanted]:
    """Return the room's memory and what it shows."""
    mine = [leases[heater.key] for heater in heaters]
    delivered = delivered_w(heaters)
    deliverable = sum(
        want.power_w if want.limit.code in _BY_CIRCUIT else bounds[want.key].most_w for want in mine
    )
    outdoor_c = memory.outdoor_c if memory.outdoor_c is not None else room.target_c
    carries = memory.heat_loss_w_per_k * (room.target_c - outdoor_c) + memory.integral_w
    temp_c = None if found.blind else room.thermometer.temp_c
    shed = found.limit is not None and found.limit.code is LimitCode.GENERATOR
    memory = backup.follow(
        memory,
        room,
        temp_c,
        # A room whose heaters are shed needs no less heat.
        needed_w=max(memory.demand_w, carries) if shed else memory.demand_w,
        delivered_w=delivered,
        deliverable_w=0.0 if shed else deliverable,
        carries_w=carries,
        now=now,
    )
    limits = [want.limit for want in mine]
    return memory, RoomWanted(
        id=room.id,
        action=_action(room, heaters, mine, found),
        limit=_binding(found, mine, memory, room),
        demand_w=memory.demand_w,
        delivered_w=delivered,
        planned_w=sum(want.power_w for want in mine),
        installed_w=sum(heater.max_w for heater in heaters),
        deliverable_w=deliverable,
        heat_loss_w_per_k=memory.heat_loss_w_per_k,
        thermometer_stale=found.blind,
        needs_backup=memory.backup,
        backup_why=_backup_why(found, limits) if memory.backup else None,
    )


def _backup_why(found: Verdict, limits: list[Limit]) -> Limit:
    return found.limit if found.blind and found.limit is not None else backup.why(limits)


def _action(
    room: RoomSeen, heaters: Sequence[HeaterSeen], mine: Sequence[HeaterWanted], found: Verdict
) -> HvacAction:
    if room.mode is HvacMode.OFF and not found.frost:
        return HvacAction.OFF
    if any(one.hashing or (one.power_w or 0.0) > one.idle_w + _WARM_W for one in heaters):
        return HvacAction.HEATING
    if any(one.starting for one in heaters) or any(want.power_w > 0 for want in mine):
        return HvacAction.PREHEATING
    return HvacAction.IDLE


def _binding(
    found: Verdict, mine: Sequence[HeaterWanted], memory: RoomState, room: RoomSeen
) -> Limit:
    """Return the one limit that binds the room: safety's word, else what holds a heater down."""
    if found.limit is not None:
        return found.limit
    if memory.demand_w <= 0:
        if memory.peak_shift_k < 0:
            return Limit(LimitCode.PEAK)
        return Limit(LimitCode.BACKUP if room.backup_heats else LimitCode.NO_DEMAND)
    planned_w = sum(want.power_w for want in mine)
    if planned_w >= 0.95 * memory.demand_w:
        return Limit(LimitCode.DEMAND, {"power_w": memory.demand_w})
    usual = (LimitCode.DEMAND, LimitCode.NO_DEMAND, LimitCode.CAPACITY)
    held = next((want.limit for want in mine if want.limit.code not in usual), None)
    if held is not None:
        return held
    if any(want.limit.code is LimitCode.CAPACITY for want in mine):
        return Limit(LimitCode.CAPACITY, {"max_w": planned_w})
    return Limit(LimitCode.DEMAND, {"power_w": memory.demand_w})


def circuit_wanted(
    circuit: CircuitSeen,
    behind: Sequence[HeaterKey],
    heaters: Mapping[HeaterKey, HeaterSeen],
    most_now: Mapping[HeaterKey, float],
    memory: CircuitMemory,
    refused: Mapping[HeaterKey, str],
    leases: Mapping[HeaterKey, HeaterWanted],
) -> CircuitWanted:
    """Return the circuit's books as they are shown."""
    measured = [heaters[key].power_w for key in behind]
    heaters_w = sum(watts for watts in measured if watts is not None)
    now_w = circuits.others_now_w(circuit, heaters_w)
    others_w = max(circuit.others_w, memory.others_peak_w)
    limit = circuits.limit_w(circuit)
    possible_w = sum(most_now[key] for key in behind) + others_w
    known = None not in measured and (circuit.meter is None or now_w is not None)
    problem: Limit | None = None
    if circuit.tripped:
        problem = Limit(LimitCode.TRIPPED, {"circuit": circuit.id})
    elif any(refused.get(key) == circuit.id for key in behind):
        problem = Limit(LimitCode.UNATTENDED, {"circuit": circuit.id, "limit_w": limit})
    elif circuits.is_stale(circuit):
        age_s = circuit.meter.age_s if circuit.meter and circuit.meter.power_w is not None else -1.0
        problem = Limit(LimitCode.METER_STALE, {"circuit": circuit.id, "age_s": age_s})
    return CircuitWanted(
        id=circuit.id,
        limit_w=limit,
        load_w=heaters_w + (now_w or 0.0) if known else None,
        possible_w=possible_w,
        headroom_w=limit - possible_w,
        others_w=others_w,
        binds=any(
            leases[key].limit.code in _BY_CIRCUIT
            and leases[key].limit.values.get("circuit") == circuit.id
            for key in behind
        ),
        problem=problem,
    )
