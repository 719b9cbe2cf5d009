"""Spreads the heater's watts over the devices that can hash.

A device that hashes draws between its `min_w` and `max_w`; one that does not draws `idle_w`. As
many devices hash as fit at their lowest step; what is left is shared evenly, so that cards run
cool.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .types import DeviceSeen, Rules


@dataclass(frozen=True)
class Share:
    """Watts of one device: whether it hashes, and the draw it is held to."""

    hashes: bool
    power_w: float


def wall_w(devices_w: float, rules: Rules) -> float:
    """Return watts at the wall for `devices_w` behind the power supply."""
    return devices_w / rules.psu_efficiency + rules.base_w


def behind_supply_w(wall: float, rules: Rules) -> float:
    """Return what devices may draw so that the wall sees `wall` watts (never below 0)."""
    return max(0.0, (wall - rules.base_w) * rules.psu_efficiency)


def floor_w(devices: Sequence[DeviceSeen], hashing: frozenset[str], rules: Rules) -> float:
    """Return the wall watts of the lowest step at which anything hashes, 0 if nothing can."""
    steps = [device.min_w - device.idle_w for device in devices if device.uid in hashing]
    if not steps:
        return 0.0
    return wall_w(sum(device.idle_w for device in devices) + min(steps), rules)


def shares(
    power_w: float, devices: Sequence[DeviceSeen], hashing: frozenset[str], rules: Rules
) -> Mapping[str, Share]:
    """Return each device's share of `power_w` (at the wall); only those in `hashing` may hash.

    Order among equals is the inventory's, so that the same watts always run the same cards.
    """
    spare_w = behind_supply_w(power_w, rules) - sum(device.idle_w for device in devices)
    chosen: list[DeviceSeen] = []
    for device in sorted(
        (device for device in devices if device.uid in hashing),
        key=lambda device: device.min_w - device.idle_w,
    ):
        if device.min_w - device.idle_w <= spare_w + 1e-6:
            chosen.append(device)
            spare_w -= device.min_w - device.idle_w
    given = {device.uid: device.min_w for device in chosen}
    open_ = [device for device in chosen if device.max_w > device.min_w]
    while open_ and spare_w > 0.5:
        each = spare_w / len(open_)
        for device in open_:
            more = min(each, device.max_w - given[device.uid])
            given[device.uid] += more
            spare_w -= more
        open_ = [device for device in open_ if given[device.uid] < device.max_w - 0.5]
    return {
        device.uid: Share(device.uid in given, given.get(device.uid, device.idle_w))
        for device in devices
    }
