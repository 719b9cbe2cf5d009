"""Spreads the heater's watts over its devices.

A device that hashes draws between its `min_w` and `max_w`; one that does not draws `idle_w`. The
devices of one miner hash together or not at all. As many miners run as fit at their lowest step;
what is left is shared evenly, so that cards run cool.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass

from .types import DeviceSeen, Rules

#: The devices of each miner that may run.
Groups = Sequence[tuple[str, ...]]


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


def floor_w(devices: Sequence[DeviceSeen], groups: Groups, rules: Rules) -> float:
    """Return the wall watts of the lowest step at which anything hashes, 0 if nothing can."""
    steps = [_step_w(group, devices) for group in groups]
    if not steps:
        return 0.0
    return wall_w(sum(device.idle_w for device in devices) + min(steps), rules)


def shares(
    power_w: float, devices: Sequence[DeviceSeen], groups: Groups, rules: Rules
) -> Mapping[str, Share]:
    """Return each device's share of `power_w` (at the wall); only those in `groups` may hash.

    Order among equals is the owner's, so that the same watts always run the same cards.
    """
    spare_w = behind_supply_w(power_w, rules) - sum(device.idle_w for device in devices)
    chosen: set[str] = set()
    for group in sorted(groups, key=lambda group: _step_w(group, devices)):
        step_w = _step_w(group, devices)
        if step_w <= spare_w + 1e-6 and chosen.isdisjoint(group):
            chosen.update(group)
            spare_w -= step_w
    more_w = _spread(
        spare_w,
        {device.uid: device.max_w - device.min_w for device in devices if device.uid in chosen},
    )
    return {
        device.uid: Share(True, device.min_w + more_w[device.uid])
        if device.uid in chosen
        else Share(False, device.idle_w)
        for device in devices
    }


def limits(
    cap_w: float,
    devices: Sequence[DeviceSeen],
    draws: Mapping[str, float],
    people: AbstractSet[str],
    rules: Rules,
) -> Mapping[str, float]:
    """Return each device's power limit; all together stay within `cap_w` (at the wall).

    `draws` are the shares of what hashes; people who wait on `people` get all the rest of the cap.
    Only the lowest limits that the cards take at all may be more than the cap.
    """
    given = {device.uid: device.min_w if device.adjustable else device.idle_w for device in devices}
    spare_w = behind_supply_w(cap_w, rules) - sum(given.values())
    for room_w in (
        {
            device.uid: min(draws[device.uid], device.max_w) - given[device.uid]
            for device in devices
            if device.uid in draws
        },
        {
            device.uid: device.max_w - given[device.uid]
            for device in devices
            if device.uid in people
        },
    ):
        more_w = _spread(spare_w, room_w)
        spare_w -= sum(more_w.values())
        given |= {uid: given[uid] + more for uid, more in more_w.items()}
    return given


def _step_w(group: tuple[str, ...], devices: Sequence[DeviceSeen]) -> float:
    """Return the watts that a miner adds at its lowest step."""
    return sum(max(0.0, one.min_w - one.idle_w) for one in devices if one.uid in group)


def _spread(spare_w: float, room_w: Mapping[str, float]) -> dict[str, float]:
    """Share `spare_w` evenly, but give nobody more than there is room for."""
    more: dict[str, float] = {}
    for uid in sorted(room_w, key=lambda uid: room_w[uid]):
        even_w = spare_w / (len(room_w) - len(more))
        more[uid] = max(0.0, min(room_w[uid], even_w))
        spare_w -= more[uid]
    return more
