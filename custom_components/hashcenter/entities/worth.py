"""What a kWh of each rig is worth: as money, as work, as heat in rooms. Pure.

Counters are a rig's, whole machines at the wall; where a rig has several heaters, its kWh is shared
among them by the watts they draw.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ..control.requests import HeaterKey
from ..control.seen import HeaterSeen
from ..control.wanted import Price
from ..rigs.rig import Rig
from ..wire.values import Activity, DeviceKind

_MHS_PER_THS: Final = 1e6


def indoors(heaters: Iterable[HeaterSeen]) -> dict[str, float | None]:
    """Return by rig which share of its heat goes to a room, None where that is not known."""
    return _shared(heaters, lambda heater: 0.0 if heater.room is None else 1.0)


def earned(
    heaters: Iterable[HeaterSeen], prices: Mapping[HeaterKey, Price]
) -> dict[str, float | None]:
    """Return by rig what a kWh earns by its work now; watts that only idle earn nothing."""

    def value(heater: HeaterSeen) -> float | None:
        works = heater.hashing or heater.questions > 0
        price = prices.get(heater.key)
        return (price.work_value_per_kwh if price else None) if works else 0.0

    return _shared(heaters, value)


def _shared(
    heaters: Iterable[HeaterSeen], value: Callable[[HeaterSeen], float | None]
) -> dict[str, float | None]:
    by_rig: defaultdict[str, list[HeaterSeen]] = defaultdict(list)
    for heater in heaters:
        by_rig[heater.key.rig].append(heater)
    return {rig: _mean(mine, value) for rig, mine in by_rig.items()}


def _mean(heaters: list[HeaterSeen], value: Callable[[HeaterSeen], float | None]) -> float | None:
    """Return the value's mean by watts; equal values need no watts."""
    values = [value(heater) for heater in heaters]
    known = [one for one in values if one is not None]
    if len(known) < len(values):
        return None
    if len(set(known)) == 1:
        return known[0]
    watts = [heater.power_w for heater in heaters]
    measured = [one for one in watts if one is not None]
    if len(measured) < len(watts) or sum(measured) <= 0:
        return None
    weighed = (one * power_w for one, power_w in zip(known, measured, strict=True))
    return sum(weighed) / sum(measured)


def hash_rate_ths(rigs: Iterable[Rig]) -> float | None:
    """Return the terahashes per second of all ASICs, None while one that hashes does not say it.

    A GPU hashes for other coins, whose rate is not worth the same.
    """
    rates = [
        state.hash_rate_mhs
        for rig in rigs
        for uid, state in rig.devices.items()
        if (device := rig.described(uid)) is not None
        and device.kind == DeviceKind.ASIC
        and state.activity == Activity.HASHING
    ]
    known = [rate for rate in rates if rate is not None]
    return sum(known) / _MHS_PER_THS if len(known) == len(rates) else None
