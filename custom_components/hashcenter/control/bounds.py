"""The most a heater may draw: what a lease would bound it to, and what was measured to bind it.

A lease bounds the heat it asks for plus what a rig calls having followed (wire rule 3), or its cap
for any purpose. A `ceiling` only comes down once the lower watts were measured or the enforced
limit was read back; until then what it may still draw counts.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from ..wire.values import Effect
from .requests import HeaterKey
from .seen import HeaterSeen, Pace
from .state import HeaterMemory

_LEAST_TOLERANCE_W: Final = 30.0
_TOLERANCE_SHARE: Final = 0.05


def with_tolerance_w(power_w: float) -> float:
    """Return what a heater that follows `power_w` may draw: the wire's rule of having followed."""
    return power_w + max(_LEAST_TOLERANCE_W, _TOLERANCE_SHARE * power_w)


def within_tolerance_w(bound_w: float) -> float:
    """Return the watts to ask for so that the draw stays within `bound_w`."""
    return max(0.0, min(bound_w - _LEAST_TOLERANCE_W, bound_w / (1.0 + _TOLERANCE_SHARE)))


def boot_w(heater: HeaterSeen) -> float:
    """Return what the heater may draw while it starts."""
    known_w = heater.boot_peak_w
    return max(heater.max_w, heater.unattended_w) if known_w is None else known_w


def unattended_w(heater: HeaterSeen) -> float:
    """Return what it may draw after a power cut, by itself, its start included."""
    starts = heater.pace is Pace.SLOW and heater.unattended_w > heater.idle_w
    return max(heater.unattended_w, boot_w(heater) if starts else 0.0)


def lease_bound_w(heater: HeaterSeen, power_w: float, cap_w: float | None) -> float:
    """Return the most the heater may draw under such a lease."""
    if heater.can_answer:
        if cap_w is None:
            return heater.max_w
        return with_tolerance_w(max(min(cap_w, heater.max_w), heater.idle_w))
    return with_tolerance_w(max(power_w, heater.idle_w))


def ceiling_w(heater: HeaterSeen, memory: HeaterMemory, now: float) -> float:
    """Return the most the heater may be drawing now, as far as that was ever measured."""
    measured_w = heater.power_w or 0.0
    before_w = memory.ceiling_w
    if before_w is None:
        before_w = max(heater.max_w, boot_w(heater) if heater.pace is Pace.SLOW else 0.0)
    if not heater.online:
        return max(before_w, unattended_w(heater))
    if heater.lease is None:
        # Nobody's lease: the owner's safe state, an adopted run, or its own settings.
        alone_w = heater.max_w if heater.can_answer else heater.unattended_w
        return max(alone_w, with_tolerance_w(max(measured_w, heater.idle_w)))
    said_w = lease_bound_w(heater, memory.said_w, memory.said_cap_w)
    if heater.starting or now < memory.booting_until:
        said_w = max(said_w, boot_w(heater))
    heard = _same(heater, memory)
    if heater.possible_w is not None:
        return max(heater.possible_w, said_w, measured_w)
    if heard and heater.power_w is not None and _follows(heater):
        return max(said_w, measured_w)
    return max(before_w, said_w, measured_w)


def booting(
    heaters: Iterable[HeaterSeen], memories: Mapping[HeaterKey, HeaterMemory], now: float
) -> frozenset[HeaterKey]:
    """Return the slow heaters that would start, or are starting, if they got watts."""
    return frozenset(
        one.key
        for one in heaters
        if one.pace is Pace.SLOW
        and (
            one.starting
            or not one.hashing
            or (one.key in memories and now < memories[one.key].booting_until)
        )
    )


def _same(heater: HeaterSeen, memory: HeaterMemory) -> bool:
    """Return whether the rig follows what was said last."""
    lease = heater.lease
    if lease is None or abs(lease.power_w - memory.said_w) > 1.0:
        return False
    if lease.cap_w is None or memory.said_cap_w is None:
        return lease.cap_w is memory.said_cap_w
    return abs(lease.cap_w - memory.said_cap_w) <= 1.0


def _follows(heater: HeaterSeen) -> bool:
    return heater.effect == Effect.REACHED


def ceilings(
    heaters: Mapping[HeaterKey, HeaterSeen], memories: Mapping[HeaterKey, HeaterMemory], now: float
) -> dict[HeaterKey, float]:
    """Return every heater's ceiling."""
    none = HeaterMemory()
    return {key: ceiling_w(one, memories.get(key, none), now) for key, one in heaters.items()}
