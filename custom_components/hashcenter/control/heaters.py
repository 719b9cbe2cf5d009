"""What each heater may be asked for apart from rooms: its own bounds, other demands, its cap.

Everything writes into the plan of one decision; what a room did not plan is planned here.
"""

from collections.abc import Mapping
from typing import Final

from ..wire.values import Effect, Favor
from . import money
from .allocate import Bound, Plan
from .bounds import lease_bound_w, within_tolerance_w
from .requests import HeaterKey
from .safety import Verdict
from .seen import HeaterSeen, HouseSeen, HvacMode, OutsideDemand, Pace
from .state import HeaterMemory
from .wanted import Do, HeaterWanted, Limit, LimitCode

#: Somebody else's thermometer has no rhythm that was learned here.
OUTSIDE_STALE_S: Final = 3_600.0
_CALM_K: Final = 0.5
_GENTLE_W: Final = 100.0
_FOLLOWS_SHARE: Final = 0.5
#: A slow heater is started for money only so often, however the price or the room moves.
_BETWEEN_STARTS_S: Final = 21_600.0


def is_ours(heater: HeaterSeen, seen: HouseSeen) -> bool:
    """Return whether the house says what this heater gets."""
    return heater.online and heater.controllable and not (heater.hands_off or seen.stop_all)


def why_not_ours(heater: HeaterSeen, seen: HouseSeen) -> Limit:
    """Return why the house says nothing to this heater."""
    if seen.stop_all:
        return Limit(LimitCode.STOP_ALL)
    if not heater.online:
        return Limit(LimitCode.OFFLINE)
    return Limit(LimitCode.HANDS_OFF if heater.hands_off else LimitCode.NOT_CONTROLLABLE)


def has_no_effect(heater: HeaterSeen, memory: HeaterMemory) -> bool:
    """Return whether a heater that was asked for heat does not give it, by its rig's own word."""
    return (
        heater.effect == Effect.NO_EFFECT
        and memory.said_w > 0
        and not heater.starting
        and heater.power_w is not None
        and heater.power_w < _FOLLOWS_SHARE * memory.said_w
    )


def bounds_of(
    seen: HouseSeen,
    memories: Mapping[HeaterKey, HeaterMemory],
    chains: Mapping[HeaterKey, tuple[str, ...]],
    refused: Mapping[HeaterKey, str],
    now: float,
) -> dict[HeaterKey, Bound]:
    """Return the most each heater can be asked for, apart from its circuit's present load."""
    none = HeaterMemory()
    tripped = {circuit.id for circuit in seen.circuits if circuit.tripped}
    found: dict[HeaterKey, Bound] = {}
    for heater in seen.heaters:
        memory = memories.get(heater.key, none)
        room = seen.rooms_by_id.get(heater.room)
        if not is_ours(heater, seen):
            bound = Bound(0.0, why_not_ours(heater, seen))
        elif off := next((name for name in chains[heater.key] if name in tripped), None):
            bound = Bound(0.0, Limit(LimitCode.TRIPPED, {"circuit": off}))
        elif heater.key in refused:
            bound = Bound(0.0, Limit(LimitCode.UNATTENDED, {"circuit": refused[heater.key]}))
        elif memory.barred_until > now or has_no_effect(heater, memory):
            bound = Bound(0.0, Limit(LimitCode.NO_EFFECT))
        elif heater.available_w < heater.max_w:
            values: dict[str, float | str] = {
                "available_w": heater.available_w,
                "why": heater.available_why,
            }
            bound = Bound(heater.available_w, Limit(LimitCode.AVAILABLE, values))
        else:
            bound = Bound(heater.max_w, Limit(LimitCode.DEMAND))
        if room is not None and room.quiet is not None and room.quiet.max_w < bound.most_w:
            bound = Bound(room.quiet.max_w, Limit(LimitCode.QUIET, {"max_w": room.quiet.max_w}))
        fan = room.quiet.max_fan_percent if room is not None and room.quiet is not None else None
        if fan is not None and memory.quiet_w is not None and memory.quiet_w < bound.most_w:
            values = {"max_w": memory.quiet_w, "max_fan_percent": fan}
            bound = Bound(memory.quiet_w, Limit(LimitCode.QUIET, values))
        found[heater.key] = bound
    return found


def floor_cap_w(heater: HeaterSeen, favor: Favor) -> float:
    """Return the cap that answering keeps even where the circuit is full."""
    if favor is Favor.INFERENCE:
        return heater.max_w
    return heater.min_w if favor is Favor.BALANCED else heater.idle_w


def leave_alone(plan: Plan, seen: HouseSeen) -> None:
    """Plan nothing for heaters that are not ours to ask."""
    for heater in seen.heaters:
        if not is_ours(heater, seen):
            plan.power_w[heater.key] = 0.0
            plan.limits[heater.key] = why_not_ours(heater, seen)


def lease_outside(
    plan: Plan, seen: HouseSeen, bounds: Mapping[HeaterKey, Bound], now: float
) -> None:
    """Plan the watts that somebody else asks for, inside the heater's and the circuits' limits."""
    for heater in seen.heaters:
        demand = heater.outside
        if demand is None or demand.waits or heater.key in plan.power_w:
            continue
        stop = _outside_stop(heater, demand, seen)
        bound = bounds[heater.key]
        most_w = plan.most_w(heater, bound, plan.books)
        if stop is not None:
            plan.grant(heater, 0.0, stop)
        elif demand.power_w > most_w:
            circuit = {"circuit": plan.books.tightest(heater.key) or ""}
            by_circuit = Limit(LimitCode.CIRCUIT, circuit)
            plan.grant(heater, most_w, bound.limit if most_w >= bound.most_w else by_circuit)
        else:
            values = {"power_w": demand.power_w, "remaining_s": demand.until - now}
            plan.grant(heater, demand.power_w, Limit(LimitCode.OUTSIDE, {**values}))


def _outside_stop(heater: HeaterSeen, demand: OutsideDemand, seen: HouseSeen) -> Limit | None:
    room = seen.rooms_by_id.get(heater.room)
    temp_c = room.thermometer.temp_c if room else None
    if room is not None and temp_c is not None and temp_c > room.high_c:
        return Limit(LimitCode.HIGH_LIMIT, {"temp_c": temp_c, "limit_c": room.high_c})
    own = demand.thermometer
    if own is not None and (own.temp_c is None or own.age_s > OUTSIDE_STALE_S):
        age_s = own.age_s if own.temp_c is not None else -1.0
        return Limit(LimitCode.THERMOMETER_STALE, {"age_s": age_s})
    own_c, high_c = own.temp_c if own else None, demand.high_limit_c
    if own_c is not None and high_c is not None and own_c > high_c:
        return Limit(LimitCode.HIGH_LIMIT, {"temp_c": own_c, "limit_c": high_c})
    return Limit(LimitCode.GENERATOR) if seen.money.on_generator else None


def soften(plan: Plan, seen: HouseSeen, memories: Mapping[HeaterKey, HeaterMemory]) -> None:
    """Let the fast heaters of a child's room rise in small steps: no fan that howls at once."""
    for heater in seen.heaters:
        room = seen.rooms_by_id.get(heater.room)
        if room is None or not room.child or heater.pace is Pace.SLOW:
            continue
        before_w = memories[heater.key].said_w if heater.key in memories else 0.0
        gentle_w = max(before_w + _GENTLE_W, heater.min_w)
        if plan.power_w.get(heater.key, 0.0) > gentle_w:
            plan.power_w[heater.key] = gentle_w


def lease_paying(
    plan: Plan,
    seen: HouseSeen,
    bounds: Mapping[HeaterKey, Bound],
    verdicts: Mapping[str, Verdict],
    memories: Mapping[HeaterKey, HeaterMemory],
    now: float,
) -> None:
    """Let heaters hash that nobody needs the heat of, where that pays and the owner said yes."""
    none = HeaterMemory()
    for heater in seen.heaters:
        if plan.power_w.get(heater.key, 0.0) > 0 or not is_ours(heater, seen):
            continue
        if not heater.may_hash_for_money or sheds(seen):
            continue
        memory = memories.get(heater.key, none)
        runs = memory.said_w > 0
        pays = money.pays(heater, seen.money, runs=runs)
        if not pays or not _is_cool(heater, seen, verdicts, runs=runs):
            continue
        most_w = plan.most_w(heater, bounds[heater.key], plan.books)
        if most_w <= 0:
            continue
        waits_s = 0.0
        if heater.pace is Pace.SLOW and not runs and memory.started_at:
            waits_s = memory.started_at[-1] + _BETWEEN_STARTS_S - now
        if waits_s > 0:
            plan.limits[heater.key] = Limit(LimitCode.PATIENCE, {"remaining_s": waits_s})
            continue
        power_w = _under_ceiling_w(heater, seen, most_w, memory.said_w)
        net = money.net_per_kwh(heater, seen.money)
        plan.grant(heater, power_w, Limit(LimitCode.PAYS, {"net_price_per_kwh": net or 0.0}))


def sheds(seen: HouseSeen) -> bool:
    """Return whether nothing hashes that no room needs: a peak-price event, a generator."""
    event = seen.money.peak is not None and seen.money.peak.active
    return event or bool(seen.money.on_generator)


def _is_cool(
    heater: HeaterSeen, seen: HouseSeen, verdicts: Mapping[str, Verdict], *, runs: bool
) -> bool:
    """Return whether the heat bothers nobody: outdoors, or in a room under its ceiling."""
    room = seen.rooms_by_id.get(heater.room)
    if room is None:
        return True
    found, temp_c = verdicts[room.id], room.thermometer.temp_c
    if found.off or found.blind or room.ceiling_c is None or temp_c is None:
        return False
    return temp_c < room.ceiling_c - (0.0 if runs else _CALM_K)


def _under_ceiling_w(heater: HeaterSeen, seen: HouseSeen, most_w: float, said_w: float) -> float:
    """Return the watts that keep a room under its ceiling without a stop, if its lowest do."""
    room = seen.rooms_by_id.get(heater.room)
    if room is None or room.ceiling_c is None or room.thermometer.temp_c is None:
        return most_w
    below_k = room.ceiling_c - room.thermometer.temp_c
    if below_k >= 2 * _CALM_K:
        return most_w
    return heater.min_w if below_k <= _CALM_K else min(max(said_w, heater.min_w), most_w)


def caps(
    plan: Plan,
    seen: HouseSeen,
    bounds: Mapping[HeaterKey, Bound],
    verdicts: Mapping[str, Verdict],
) -> dict[HeaterKey, HeaterWanted]:
    """Return every heater's lease; what is left of a circuit goes to those who may answer."""
    leases: dict[HeaterKey, HeaterWanted] = {}
    answering = sorted(seen.heaters, key=lambda heater: -heater.questions)
    for heater in answering:
        key = heater.key
        power_w = plan.power_w.get(key, 0.0)
        planned = plan.limits.get(key, Limit(LimitCode.NO_ROOM))
        # Of a heater that nobody asks for, what stands against asking is worth more to know.
        could = key in plan.limits or bounds[key].most_w > 0
        limit = planned if could else bounds[key].limit
        if not is_ours(heater, seen):
            leases[key] = HeaterWanted(key, Do.NOTHING, limit)
            continue
        cap_w: float | None = None
        if heater.can_answer:
            cap_w = _cap_w(plan, heater, power_w, seen, verdicts)
        if power_w <= 0 and cap_w is None and _nobody_asks(heater, seen, planned):
            leases[key] = HeaterWanted(key, Do.RELEASE, limit)
            continue
        found = verdicts.get(heater.room) if heater.room is not None else None
        urgent = found is not None and found.frost and power_w > 0
        room = seen.rooms_by_id.get(heater.room)
        dark = room is not None and room.child
        leases[key] = HeaterWanted(key, Do.LEASE, limit, power_w, cap_w, seen.favor, urgent, dark)
    return {heater.key: leases[heater.key] for heater in seen.heaters}


def _cap_w(
    plan: Plan,
    heater: HeaterSeen,
    power_w: float,
    seen: HouseSeen,
    verdicts: Mapping[str, Verdict],
) -> float | None:
    room = seen.rooms_by_id.get(heater.room)
    cap_w: float | None = None
    if plan.books.chains[heater.key]:
        bound_w = plan.least[heater.key] + plan.extra_w(heater, power_w)
        free_w = plan.books.room_w(heater.key)
        cap_w = max(power_w, min(heater.max_w, within_tolerance_w(bound_w + free_w)))
        plan.books.take(heater.key, max(0.0, lease_bound_w(heater, power_w, cap_w) - bound_w))
    if room is not None and room.quiet is not None and room.quiet.max_w < heater.max_w:
        cap_w = max(power_w, min(heater.max_w if cap_w is None else cap_w, room.quiet.max_w))
    found = verdicts.get(room.id) if room is not None else None
    limit = found.limit if found is not None else None
    if limit is not None and limit.code is LimitCode.HIGH_LIMIT:
        cap_w = min(heater.min_w, heater.max_w if cap_w is None else cap_w)
    return cap_w


def _nobody_asks(heater: HeaterSeen, seen: HouseSeen, limit: Limit) -> bool:
    """Return whether the heater is the owner's again: no room of it is heated.

    Its owner's safe state may be to hash, so it is not said where nothing may, nor while somebody
    asks for watts, were it none.
    """
    room = seen.rooms_by_id.get(heater.room)
    kept = (LimitCode.TRIPPED, LimitCode.UNATTENDED, LimitCode.HIGH_LIMIT, LimitCode.PATIENCE)
    if limit.code in kept or sheds(seen) or heater.outside is not None:
        return False
    return room is None or room.mode is HvacMode.OFF
