"""The house's policy: `decide(state, seen, now) -> (state, wanted)`, as an ordered list.

1. Stop all: nothing is asked of anybody.
2. What does not answer, takes no requests or is in its owner's hands is counted and left alone.
3. What would trip a breaker after a power cut, or stands behind a tripped one, gets nothing.
4. Frost, high limit, open windows, a room that is off or too warm (safety.py, in its order).
5. Somebody else's demand, while it holds; it waits while its room freezes or has a window open.
6. Rooms get their demand, the coldest first, from the heaters that are worth most (allocate.py).
7. Who may answer gets what is left of the circuit as its cap.
8. Hashing that nobody needs the heat of: only where it pays and its owner said yes.
9. Nothing goes up before what has to come down was measured; starts are staggered (staging.py).

`now` is seconds since 1970. Nothing here acts: the caller says each lease and measures its effect.
"""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import replace
from types import MappingProxyType

from . import circuits, money, quiet, rooms, safety, staging
from .allocate import Bound, Plan, allocate, ranked
from .bounds import booting, ceilings, lease_bound_w, unattended_w
from .heaters import (
    bounds_of,
    caps,
    floor_cap_w,
    is_ours,
    lease_outside,
    lease_paying,
    leave_alone,
    soften,
)
from .requests import HeaterKey
from .seen import HeaterSeen, HouseSeen, HvacMode, RoomSeen, by_room
from .sharing import rooms_of
from .slow import Need
from .state import CircuitMemory, RoomState, State, not_after
from .summary import circuit_wanted, delivered_w, room_wanted
from .wanted import HouseWanted, Limit, LimitCode, MoneyWanted


def decide(state: State, seen: HouseSeen, now: float) -> tuple[State, HouseWanted]:
    """Return what to remember, and what every heater, room and circuit should be."""
    state = not_after(state, now)
    has_room = rooms_of(seen, state.heaters)
    first = frozenset(one.id for one in seen.rooms if _goes_first(state, one, now))
    seen = replace(
        seen,
        heaters=tuple(_placed(one, has_room.get(one.key), first, now) for one in seen.heaters),
        circuits=tuple(circuits.known(one, state.circuits.get(one.id)) for one in seen.circuits),
        money=money.known(seen.money, on_generator=state.on_generator),
    )
    state = replace(state, heaters=quiet.listened(seen, state.heaters, now))
    heaters = {heater.key: heater for heater in seen.heaters}
    breakers = {circuit.id: circuit for circuit in seen.circuits}
    chains = circuits.chains(seen.heaters, breakers)
    circuit_memories = _remembered(state, seen, chains, now)
    most_now = ceilings(heaters, state.heaters, now)
    books = circuits.opened(chains, breakers, circuit_memories)
    refused = circuits.refused(
        seen.heaters, books, {key: unattended_w(heater) for key, heater in heaters.items()}
    )
    prices = money.prices(seen.heaters, seen.money)
    bounds = bounds_of(seen, state.heaters, chains, refused, now)
    least = {
        key: lease_bound_w(heater, 0.0, floor_cap_w(heater, seen.favor))
        if is_ours(heater, seen)
        else most_now[key]
        for key, heater in heaters.items()
    }
    for key, watts in least.items():
        books.take(key, watts)
    plan = Plan(books, least, boots=booting(seen.heaters, state.heaters, now))

    leave_alone(plan, seen)
    lease_outside(plan, seen, bounds, now)
    room_memories: dict[str, RoomState] = {}
    verdicts: dict[str, safety.Verdict] = {}
    mine = by_room(seen.heaters)
    for room in _coldest_first(seen, state):
        memory, found = _demand(state, seen, room, mine.get(room.id, ()), now)
        verdicts[room.id] = found
        if not seen.stop_all:
            memory = _fill(
                plan, memory, seen, room, found, mine.get(room.id, ()), bounds, prices, state, now
            )
        room_memories[room.id] = memory
    lease_paying(plan, seen, bounds, verdicts, state.heaters, now)
    soften(plan, seen, state.heaters)
    leases = caps(plan, seen, bounds, verdicts)
    leases, started = staging.stage(
        leases, seen, chains, state.heaters, most_now, breakers, circuit_memories, now
    )
    for key in started:
        for name in books.chains[key]:
            circuit_memories[name] = replace(circuit_memories[name], started_at=now)

    behind: dict[str, list[HeaterKey]] = {name: [] for name in breakers}
    for key, chain in chains.items():
        for name in chain:
            behind[name].append(key)
    wanted_rooms = {}
    for room in seen.rooms:
        memory, wanted_rooms[room.id] = room_wanted(
            room,
            room_memories[room.id],
            verdicts[room.id],
            mine.get(room.id, ()),
            leases,
            bounds,
            seen,
            now,
        )
        room_memories[room.id] = memory
    wanted = HouseWanted(
        heaters=leases,
        rooms=wanted_rooms,
        circuits={
            name: circuit_wanted(
                breaker, behind[name], heaters, most_now, circuit_memories[name], refused, leases
            )
            for name, breaker in breakers.items()
        },
        money=prices,
    )
    return (
        State(
            MappingProxyType(room_memories),
            MappingProxyType(staging.memories(leases, heaters, state.heaters, most_now, now)),
            MappingProxyType(circuit_memories),
            seen.money.on_generator,
        ),
        wanted,
    )


def _placed(
    heater: HeaterSeen, room: str | None, first: AbstractSet[str], now: float
) -> HeaterSeen:
    """Return the heater in the room that has it, without a demand whose time is over.

    A demand waits where the room is one of `first`.
    """
    outside = heater.outside
    if outside is not None:
        waits = replace(outside, waits=room in first)
        heater = replace(heater, outside=None if outside.until <= now else waits)
    return heater if heater.room == room else replace(heater, room=room)


def _remembered(
    state: State, seen: HouseSeen, chains: Mapping[HeaterKey, tuple[str, ...]], now: float
) -> dict[str, CircuitMemory]:
    """Return what is known of each circuit's other loads, this look included."""
    behind: dict[str, dict[HeaterKey, float]] = {breaker.id: {} for breaker in seen.circuits}
    for heater in seen.heaters:
        for name in chains[heater.key]:
            behind[name][heater.key] = heater.power_w or 0.0
    none = CircuitMemory()
    return {
        one.id: circuits.remember(
            state.circuits.get(one.id, none), one, behind[one.id], sum(behind[one.id].values()), now
        )
        for one in seen.circuits
    }


def _coldest_first(seen: HouseSeen, state: State) -> list[RoomSeen]:
    """Return the rooms by need, in half kelvins, so that equals do not change places."""

    def need(room: RoomSeen) -> int:
        memory = state.rooms.get(room.id)
        temp_c = memory.filtered_c if memory else room.thermometer.temp_c
        if temp_c is None or room.mode is HvacMode.OFF:
            return 0
        return -round(2.0 * (room.target_c - temp_c))

    return sorted(seen.rooms, key=need)


def _heard(state: State, room: RoomSeen, now: float) -> tuple[RoomState, float | None]:
    """Return the room's memory after its thermometer was heard, and what that is believed."""
    memory = state.rooms.get(room.id, RoomState())
    memory = replace(memory, rhythm=safety.hear(memory.rhythm, room.thermometer, now))
    stale = safety.is_stale(memory.rhythm, room.thermometer)
    return memory, None if stale else room.thermometer.temp_c


def _goes_first(state: State, room: RoomSeen, now: float) -> bool:
    """Return whether the room's own rules go before what anybody asks of its heaters."""
    return room.windows_open or safety.freezes(room, *_heard(state, room, now))


def _demand(
    state: State, seen: HouseSeen, room: RoomSeen, heaters: tuple[HeaterSeen, ...], now: float
) -> tuple[RoomState, safety.Verdict]:
    """Return the room's memory with what it needs now, and safety's word on it."""
    memory, temp_c = _heard(state, room, now)
    found = safety.verdict(room, memory, temp_c, on_generator=bool(seen.money.on_generator))
    ours = [heater for heater in heaters if is_ours(heater, seen) and not heater.is_asked_for]
    foreign = [heater for heater in heaters if heater not in ours]
    heat = rooms.RoomHeat(
        delivered_w=delivered_w(heaters),
        gains_w=delivered_w(foreign),
        installed_w=max(1.0, sum(heater.max_w for heater in heaters)),
        heats=any(heater.hashing for heater in ours),
    )
    memory = rooms.follow(
        memory, room, found, heat, temp_c, safety.outdoor_c(seen, room), seen.money.peak, now
    )
    return memory, found


def _fill(
    plan: Plan,
    memory: RoomState,
    seen: HouseSeen,
    room: RoomSeen,
    found: safety.Verdict,
    heaters: tuple[HeaterSeen, ...],
    bounds: Mapping[HeaterKey, Bound],
    prices: MoneyWanted,
    state: State,
    now: float,
) -> RoomState:
    """Plan the room's heaters and return its memory."""
    mine = [heater for heater in heaters if heater.key not in plan.power_w]
    before = state.rooms.get(room.id)
    dt_s = now - before.at if before is not None and before.at > 0 else 0.0
    error_k = 0.0
    if memory.filtered_c is not None and not found.blind:
        error_k = room.target_c + memory.peak_shift_k - memory.filtered_c
    need = Need(
        demand_w=memory.demand_w,
        error_k=error_k,
        heat_loss_w_per_k=memory.heat_loss_w_per_k,
        forbidden=found.stops,
        dt_s=min(max(0.0, dt_s), rooms.LONGEST_STEP_S),
    )
    order = ranked(mine, state.heaters, prices.heaters, seen.favor)
    chosen = allocate(plan, order, bounds, state.heaters, memory, need, seen.favor, now)
    for heater in mine:
        able = bounds[heater.key].most_w >= heater.min_w
        if found.limit is not None and able and plan.power_w[heater.key] <= 0:
            plan.limits[heater.key] = found.limit
        if heater.outside is not None and room.windows_open and not found.frost:
            plan.limits[heater.key] = Limit(LimitCode.WINDOW)
    return replace(memory, missing_j=chosen.missing_j, surplus_j=chosen.surplus_j)
