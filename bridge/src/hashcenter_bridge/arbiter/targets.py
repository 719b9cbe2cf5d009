"""What each device is held to and whether it follows; what the whole heater says of itself.

Limits are touched only where somebody may ask (`Rules.no_control`). Where a program of ours lives
beside the miner, or there is no miner, a device is held to its limit; one that only hashes to its
idle draw.
"""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import replace

from ..wire.values import Effect
from . import effect
from .allocate import Groups, Share, floor_w, limits, wall_w
from .leases import Aim
from .types import (
    DeviceSeen,
    DeviceWanted,
    HeaterWanted,
    ProgramWanted,
    Rules,
    Running,
    Seen,
    State,
    Track,
)

_ANSWERING = "answering a question"
#: How long a device whose watts do not follow does not hash.
_REST_S = 3600.0


def devices_wanted(
    state: State,
    seen: Seen,
    plan: Mapping[str, Share],
    miners: Mapping[str, ProgramWanted],
    yielding: Mapping[str, float],
    aim: Aim,
    rules: Rules,
    now: float,
) -> tuple[State, dict[str, DeviceWanted]]:
    """Return each device's limit and target, and the state with what there is to remember."""
    hashing: set[str] = set()
    resuming: set[str] = set()
    hash_hs: dict[str, float] = {}
    reasons: dict[str, str] = {}
    for miner in seen.miners:
        wanted = miners[miner.name]
        if wanted.running is Running.ACTIVE or (
            wanted.running is None and miner.running is Running.ACTIVE
        ):
            hashing.update(miner.devices)
        if miner.name in yielding:
            resuming.update(miner.devices)
        for uid in miner.devices:
            reasons[uid] = wanted.reason
            if miner.hash_rate_hs is not None:
                hash_hs[uid] = miner.hash_rate_hs / len(miner.devices)
    answering = _answering(seen) - hashing
    foreign = {device.uid for device in seen.devices if device.foreign}
    people = set[str]() if state.stopped else (answering | foreign) - state.cooling
    limit_w = limits(
        aim.cap_w,
        seen.devices,
        {
            uid: share.power_w
            for uid, share in plan.items()
            if share.hashes and uid in hashing | resuming and uid not in people
        },
        people,
        rules,
    )
    homes = {uid for runner in seen.runners for uid in runner.devices}
    tracks: dict[str, Track] = {}
    lent = dict(state.lent) if aim.power_w is None else {}
    result: dict[str, DeviceWanted] = {}
    for device in seen.devices:
        uid = device.uid
        reason = reasons.get(uid, aim.reason)
        if uid in people:
            reason = _ANSWERING if uid in answering else "another program uses it"
        held_w = _held_w(device, limit_w[uid], state, aim, answers=uid in people & answering)
        if rules.no_control is not None or held_w is None:
            lent.pop(uid, None)
            result[uid] = DeviceWanted(None, None, None, None, reason)
            continue
        if aim.power_w is None and device.limit_w is not None:
            lent.setdefault(uid, device.limit_w)
        if not device.adjustable and uid not in reasons:
            # Nothing hashes on it and it has no knob, so nothing is asked of it.
            result[uid] = DeviceWanted(None, None, None, None, reason)
            continue
        only_hashes = uid not in homes | hashing | people and not device.foreign
        target_w = device.idle_w if only_hashes else held_w
        track = effect.follow(
            state.tracks.get(uid),
            target_w,
            held_w,
            device,
            hash_hs.get(uid),
            hashes=uid in hashing,
            now=now,
        )
        tracks[uid] = track
        result[uid] = DeviceWanted(
            held_w if device.adjustable else None, target_w, track.effect, track.since, reason
        )
    above = {
        device.uid: state.above.get(device.uid, now)
        for device in seen.devices
        if _is_above(device, result[device.uid])
    }
    unruly = {uid: until for uid, until in state.unruly.items() if until > now}
    for device in seen.devices:
        followed = tracks.get(device.uid)
        if followed and effect.keeps_exceeding(followed, device, now):
            unruly[device.uid] = now + _REST_S
    return replace(state, tracks=tracks, lent=lent, above=above, unruly=unruly), result


def _answering(seen: Seen) -> AbstractSet[str]:
    """Return the devices on which a question is, or is about to be, answered."""
    names = {ticket.runner for ticket in seen.tickets if ticket.runner}
    if seen.warm or any(ticket.runner is None for ticket in seen.tickets):
        names |= {runner.name for runner in seen.runners if runner.running is Running.ACTIVE}
    return {uid for runner in seen.runners if runner.name in names for uid in runner.devices}


def _held_w(
    device: DeviceSeen, limit_w: float, state: State, aim: Aim, *, answers: bool
) -> float | None:
    """Return the limit of a device, None to leave it as it is."""
    if aim.power_w is None and not answers:
        # Adopted as it was; what was raised for an answer goes back to where it was.
        before_w = state.lent.get(device.uid)
        if before_w is None or device.limit_w is None:
            return before_w
        return None if abs(device.limit_w - before_w) < 1.0 else before_w
    if aim.power_w is not None and not aim.raises and device.limit_w is not None:
        return min(limit_w, max(device.limit_w, device.min_w))
    return limit_w


def _is_above(device: DeviceSeen, wanted: DeviceWanted) -> bool:
    return (
        wanted.limit_w is not None
        and device.limit_w is not None
        and device.limit_w > wanted.limit_w + 1.0
    )


def heater_wanted(
    state: State,
    seen: Seen,
    able: Groups,
    barred: Mapping[str, str | None],
    plan: Mapping[str, Share],
    devices: Mapping[str, DeviceWanted],
    aim: Aim,
    rules: Rules,
) -> HeaterWanted:
    """Return what the heater aims at, whether it follows, and what could be asked of it."""
    effects = {device.effect for device in devices.values()}
    worst = next(
        (
            one
            for one in (Effect.NO_EFFECT, Effect.SETTLING, Effect.UNVERIFIED, Effect.REACHED)
            if one in effects
        ),
        None,
    )
    available_w, why = _available(state, seen, able, barred, rules)
    reason = aim.reason
    if any(device.reason == _ANSWERING for device in devices.values()):
        reason = "answering a question; hashing gives way"
    elif aim.power_w and not any(share.hashes for share in plan.values()):
        # What each device does may be as wanted; the heater as a whole heats nothing.
        worst = None
        lowest_w = floor_w(seen.devices, able, rules)
        but = f"hashing takes {lowest_w:.0f} W at least" if able else f"nothing can hash: {why}"
        reason = f"{aim.reason}, but {but}"
    return HeaterWanted(aim.power_w, worst, reason, available_w, why)


def _available(
    state: State, seen: Seen, able: Groups, barred: Mapping[str, str | None], rules: Rules
) -> tuple[float, str]:
    """Return the most watts that could be asked for now, at the wall, and what binds them."""
    if state.stopped:
        return 0.0, "stopped by a person: Stop all"
    if rules.no_control is not None:
        return 0.0, rules.no_control
    hash_on = {uid for group in able for uid in group}
    barriers = [why for uid, why in barred.items() if why and uid not in hash_on]
    if not able:
        return 0.0, _why_nothing(seen, barriers)
    most_w = wall_w(
        sum(device.max_w if device.uid in hash_on else device.idle_w for device in seen.devices),
        rules,
    )
    if most_w > rules.max_w:
        return rules.max_w, "the rig's owner allows no more"
    if len(hash_on) < len({uid for miner in seen.miners for uid in miner.devices}):
        return most_w, barriers[0] if barriers else "some devices cannot hash now"
    return most_w, "all devices at their highest limit"


def _why_nothing(seen: Seen, barriers: list[str]) -> str:
    for miner in seen.miners:
        if miner.pool_connected is False:
            return f"{miner.name} has lost its pool"
        if miner.running is Running.FAILED and miner.why:
            return miner.why
    if barriers:
        return barriers[0]
    if any(not miner.devices for miner in seen.miners):
        return "a miner on the processor cannot be held to watts"
    return "no miner is configured"
