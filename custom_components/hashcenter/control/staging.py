"""Down first, then up: no lease rises before what makes room for it was measured.

The plan says where watts should be; these are the books of where they may still be now. A raise
takes from what is free beside everybody's ceiling, so a reduction that is not measured yet holds it
back. Behind a silent meter nothing goes up. Starts on one circuit are a minute apart.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from . import circuits
from .bounds import boot_w, lease_bound_w, within_tolerance_w
from .circuits import Books
from .heaters import has_no_effect
from .requests import HeaterKey
from .seen import CircuitSeen, HeaterSeen, HouseSeen, Pace
from .state import CircuitMemory, HeaterMemory
from .wanted import Do, HeaterWanted, Limit, LimitCode

_STAGGER_S: Final = 60.0
_LEAST_BOOT_S: Final = 600.0
_DAY_S: Final = 86_400.0
#: A heater that did not follow is not asked again for this long.
_BARRED_S: Final = 3_600.0


def stage(
    leases: Mapping[HeaterKey, HeaterWanted],
    seen: HouseSeen,
    chains: Mapping[HeaterKey, tuple[str, ...]],
    memories: Mapping[HeaterKey, HeaterMemory],
    most_now: Mapping[HeaterKey, float],
    breakers: Mapping[str, CircuitSeen],
    circuit_memories: Mapping[str, CircuitMemory],
    now: float,
) -> tuple[dict[HeaterKey, HeaterWanted], list[HeaterKey]]:
    """Return the leases that can be given now, and which slow heaters they start."""
    books = circuits.opened(chains, breakers, circuit_memories)
    for key, watts in most_now.items():
        books.take(key, watts)
    stale = {name for name, breaker in breakers.items() if circuits.is_stale(breaker)}
    started_at = {name: memory.started_at for name, memory in circuit_memories.items()}
    none = HeaterMemory()
    result = dict(leases)
    starts: list[HeaterKey] = []
    for heater in seen.heaters:
        want = leases[heater.key]
        chain = books.chains[heater.key]
        if want.do is not Do.LEASE or not chain:
            if want.do is Do.LEASE and _is_start(heater, want, memories.get(heater.key, none)):
                starts.append(heater.key)
            continue
        memory = memories.get(heater.key, none)
        is_start = _is_start(heater, want, memory)
        silent = next((name for name in chain if name in stale), None)
        lately = next((name for name in chain if now - started_at[name] < _STAGGER_S), None)
        if is_start and lately is not None and silent is None:
            want = replace(want, power_w=0.0, limit=Limit(LimitCode.STAGGERED, {"circuit": lately}))
        else:
            want = _admitted(want, heater, memory, books, most_now[heater.key], breakers, silent)
        bound_w = _bound_w(heater, want, memory)
        books.take(heater.key, max(0.0, bound_w - most_now[heater.key]))
        if _is_start(heater, want, memory):
            starts.append(heater.key)
            started_at.update(dict.fromkeys(chain, now))
        result[heater.key] = want
    return result, starts


def _is_start(heater: HeaterSeen, want: HeaterWanted, memory: HeaterMemory) -> bool:
    return heater.pace is Pace.SLOW and want.power_w > 0 and memory.said_w <= 0


def _bound_w(heater: HeaterSeen, want: HeaterWanted, memory: HeaterMemory) -> float:
    bound_w = lease_bound_w(heater, want.power_w, want.cap_w)
    boots = _is_start(heater, want, memory) and not heater.hashing
    return max(bound_w, boot_w(heater)) if boots else bound_w


def _admitted(
    want: HeaterWanted,
    heater: HeaterSeen,
    memory: HeaterMemory,
    books: Books,
    now_w: float,
    breakers: Mapping[str, CircuitSeen],
    silent: str | None,
) -> HeaterWanted:
    """Return the lease, with as much of a raise as there is room for now."""
    extra_w = _bound_w(heater, want, memory) - now_w
    free_w = 0.0 if silent is not None else max(0.0, books.room_w(heater.key))
    if extra_w <= free_w + 0.5:
        return want
    name = silent or books.tightest(heater.key) or ""
    limit = Limit(LimitCode.STAGED, {"circuit": name})
    if silent is not None:
        meter = breakers[silent].meter
        age_s = meter.age_s if meter is not None and meter.power_w is not None else -1.0
        limit = Limit(LimitCode.METER_STALE, {"circuit": silent, "age_s": age_s})
    if _is_start(heater, want, memory):
        return replace(want, power_w=0.0, limit=limit)
    fits_w = within_tolerance_w(now_w + free_w)
    if want.cap_w is not None:
        cap_w = min(want.cap_w, max(fits_w, heater.idle_w))
        power_w = min(want.power_w, cap_w)
        power_w = power_w if power_w >= heater.min_w else 0.0
        bound = limit if power_w < want.power_w else want.limit
        return replace(want, power_w=power_w, cap_w=cap_w, limit=bound)
    # What it may be drawing already is no raise.
    held_w = min(memory.said_w, within_tolerance_w(now_w))
    if want.power_w <= held_w:
        return want
    power_w = max(held_w, min(want.power_w, fits_w))
    power_w = held_w + int((power_w - held_w) / heater.step_w + 1e-6) * heater.step_w
    return replace(want, power_w=power_w if power_w >= heater.min_w else 0.0, limit=limit)


def memories(
    leases: Mapping[HeaterKey, HeaterWanted],
    heaters: Mapping[HeaterKey, HeaterSeen],
    before: Mapping[HeaterKey, HeaterMemory],
    most_now: Mapping[HeaterKey, float],
    now: float,
) -> dict[HeaterKey, HeaterMemory]:
    """Return what is remembered of each heater after these leases were wanted."""
    none = HeaterMemory()
    found: dict[HeaterKey, HeaterMemory] = {}
    for key, want in leases.items():
        heater, memory = heaters[key], before.get(key, none)
        said = want.do is not Do.NOTHING
        started_at = memory.started_at
        if started_at and now - started_at[0] >= _DAY_S:
            started_at = tuple(at for at in started_at if now - at < _DAY_S)
        booting_until = memory.booting_until
        if said and _is_start(heater, want, memory):
            started_at = (*started_at, now)
            booting_until = now + max(_LEAST_BOOT_S, heater.settle_s)
        changed = said and abs(want.power_w - memory.said_w) > 1.0
        barred = has_no_effect(heater, memory)
        found[key] = HeaterMemory(
            ceiling_w=most_now[key],
            said_w=want.power_w if said else memory.said_w,
            said_cap_w=want.cap_w if said else memory.said_cap_w,
            said_at=now if changed else memory.said_at,
            started_at=started_at,
            booting_until=booting_until,
            barred_until=now + _BARRED_S if barred else memory.barred_until,
            quiet_w=memory.quiet_w,
            quiet_at=memory.quiet_at,
            room=heater.room,
        )
    return found
