"""The policy of a rig, as an ordered list: safety, then people, then heat.

1. Stop all: nothing hashes, nothing answers.
2. A device that is too hot, silent for 30 s, faulty or used by somebody else does not hash.
3. People who wait go first: miners on their devices give way.
4. What hashes shares the watts of the lease, inside the owner's limits; nothing goes up while the
   house is silent.
5. Nothing asked for: the owner's safe state.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..wire.values import Effect
from . import effect, leases, people
from .allocate import Share, behind_supply_w, floor_w, shares, wall_w
from .types import (
    DeviceSeen,
    DeviceWanted,
    HeaterWanted,
    MinerSeen,
    ProgramWanted,
    Rules,
    Running,
    Seen,
    State,
    Track,
    Wanted,
)

#: Without an own reading for this long, control of a device is lost (wire rule 5).
SILENT_S = 30.0
_COOLED_K = 8.0


def decide(state: State, seen: Seen, rules: Rules, now: float) -> tuple[State, Wanted]:
    """Return the new state and what every device, program and question should be."""
    state = _settle_state(state, seen, rules, now)
    barred = {device.uid: _why_not(device, state) for device in seen.devices}
    able = frozenset(
        uid
        for miner in seen.miners
        if miner.pool_connected is not False and miner.running is not Running.FAILED
        for uid in miner.devices
        if barred.get(uid, "") is None
    )
    aim = leases.aim(state, rules, floor_w(seen.devices, able, rules), now)
    yielding = people.giving_way(state, seen, aim.favor, rules, now)
    state = replace(state, people_until=yielding)

    plan = (
        {device.uid: Share(False, device.idle_w) for device in seen.devices}
        if aim.power_w is None
        else shares(aim.power_w, seen.devices, able, rules)
    )
    miners = {
        miner.name: _miner(miner, plan, barred, yielding, aim, state) for miner in seen.miners
    }
    runners = {runner.name: _runners(state) for runner in seen.runners}
    questions = people.tickets(state, seen, rules, yielding, now)
    answering = _answering(seen)
    devices, tracks = _devices(seen, plan, miners, answering, aim, state, rules, now)
    state = replace(state, tracks=tracks)
    heater = _heater(seen, able, barred, aim, devices, state, rules)
    return state, Wanted(heater, devices, miners, runners, questions)


def _settle_state(state: State, seen: Seen, rules: Rules, now: float) -> State:
    """Let go of what is over: an ended lease, adoption once leased, devices that cooled."""
    if state.lease and state.lease.phase(now) is None:
        state = replace(state, lease=None)
    if state.lease or state.stopped:
        state = replace(state, adopted_until=0.0)
    hot = {
        device.uid
        for device in seen.devices
        if device.temp_c is not None
        and device.temp_c >= rules.max_temp_c - (_COOLED_K if device.uid in state.cooling else 0.0)
    }
    return replace(state, cooling=frozenset(hot))


def _why_not(device: DeviceSeen, state: State) -> str | None:
    """Return why a device must not hash, None if it may."""
    if state.stopped:
        return "stopped by a person: Stop all"
    if device.uid in state.cooling:
        return f"too hot ({device.temp_c:.0f} °C): it cools down first"
    if device.fault is not None:
        return device.fault
    if device.age_s > SILENT_S:
        return f"silent for {device.age_s:.0f} s: its watts are unknown"
    if device.foreign:
        return "another program uses it"
    return None


def _miner(
    miner: MinerSeen,
    plan: Mapping[str, Share],
    barred: Mapping[str, str | None],
    yielding: Mapping[str, float],
    aim: leases.Aim,
    state: State,
) -> ProgramWanted:
    halted = Running.STOPPED if miner.owned else Running.PAUSED
    if state.stopped:
        return ProgramWanted(halted, aim.reason)
    why = next((barred[uid] for uid in miner.devices if barred.get(uid) is not None), None)
    if why is not None:
        return ProgramWanted(halted, why)
    if miner.name in yielding:
        kept = miner.running in (Running.ACTIVE, Running.PAUSED) or not miner.owned
        return ProgramWanted(
            Running.PAUSED if kept else Running.STOPPED, "a question is being answered"
        )
    if aim.power_w is None:
        return ProgramWanted(None, aim.reason)
    given = [plan[uid] for uid in miner.devices if uid in plan]
    if given and all(share.hashes for share in given):
        if not aim.raises and miner.running is not Running.ACTIVE:
            return ProgramWanted(None, aim.reason)
        return ProgramWanted(Running.ACTIVE, aim.reason)
    idle = Running.PAUSED if miner.running in (Running.ACTIVE, Running.PAUSED) else halted
    return ProgramWanted(idle if aim.power_w > 0 else halted, aim.reason)


def _runners(state: State) -> ProgramWanted:
    if state.stopped:
        return ProgramWanted(Running.STOPPED, "stopped by a person: Stop all")
    return ProgramWanted(Running.ACTIVE, "ready for questions")


def _answering(seen: Seen) -> frozenset[str]:
    """Return the devices on which a question is, or is about to be, answered."""
    names = {ticket.runner for ticket in seen.tickets if ticket.runner}
    if any(ticket.runner is None for ticket in seen.tickets):
        names |= {runner.name for runner in seen.runners if runner.running is Running.ACTIVE}
    return frozenset(
        uid for runner in seen.runners if runner.name in names for uid in runner.devices
    )


def _devices(
    seen: Seen,
    plan: Mapping[str, Share],
    miners: Mapping[str, ProgramWanted],
    answering: frozenset[str],
    aim: leases.Aim,
    state: State,
    rules: Rules,
    now: float,
) -> tuple[dict[str, DeviceWanted], dict[str, Track]]:
    """Return each device's limit and target; without allow_control no limit is touched."""
    hash_hs: dict[str, float] = {}
    hashing: set[str] = set()
    reasons: dict[str, str] = {}
    for miner in seen.miners:
        wanted = miners[miner.name]
        runs = wanted.running is Running.ACTIVE or (
            wanted.running is None and miner.running is Running.ACTIVE
        )
        for uid in miner.devices:
            reasons[uid] = wanted.reason
            if runs:
                hashing.add(uid)
            if miner.hash_rate_hs is not None:
                hash_hs[uid] = miner.hash_rate_hs / len(miner.devices)
    # What is not answering keeps its share; people get all the rest of the cap.
    others_w = sum(
        plan[device.uid].power_w for device in seen.devices if device.uid not in answering
    )
    rest_w = max(0.0, behind_supply_w(aim.cap_w, rules) - others_w)
    wanted_devices: dict[str, DeviceWanted] = {}
    tracks: dict[str, Track] = {}
    for device in seen.devices:
        if not device.adjustable and device.uid not in reasons:
            # Nothing runs on it and it has no knob, so nothing is asked of it.
            wanted_devices[device.uid] = DeviceWanted(None, None, None, None, "")
            continue
        share = plan[device.uid]
        answers = device.uid in answering and not state.stopped
        reason = reasons.get(device.uid, aim.reason)
        if aim.power_w is None and not answers:
            wanted_devices[device.uid] = DeviceWanted(None, None, None, None, aim.reason)
            continue
        if answers:
            draw_w = rest_w / max(1, len(answering))
            reason = "answering a question"
        else:
            draw_w = share.power_w if device.uid in hashing else device.idle_w
        limit_w = min(max(draw_w, device.min_w), device.max_w)
        if not aim.raises and not answers and device.limit_w is not None:
            limit_w = min(limit_w, max(device.limit_w, device.min_w))
        target_w = limit_w if answers else max(draw_w, device.idle_w)
        track = effect.follow(
            state.tracks.get(device.uid),
            target_w,
            device,
            hash_hs.get(device.uid),
            hashes=device.uid in hashing,
            now=now,
        )
        tracks[device.uid] = track
        wanted_devices[device.uid] = DeviceWanted(
            limit_w if device.adjustable and rules.allow_control else None,
            target_w,
            track.effect,
            track.since,
            reason,
        )
    return wanted_devices, tracks


def _heater(
    seen: Seen,
    able: frozenset[str],
    barred: Mapping[str, str | None],
    aim: leases.Aim,
    devices: Mapping[str, DeviceWanted],
    state: State,
    rules: Rules,
) -> HeaterWanted:
    target_w = aim.power_w
    effects = [device.effect for device in devices.values() if device.effect]
    worst = next(
        (
            one
            for one in (Effect.NO_EFFECT, Effect.SETTLING, Effect.UNVERIFIED, Effect.REACHED)
            if one in effects
        ),
        None,
    )
    if target_w and not able:
        worst = None  # nothing was asked of any device, so nothing can be said of its effect
    available_w, why = _available(seen, able, barred, state, rules)
    reason = aim.reason
    if any(device.reason == "answering a question" for device in devices.values()):
        reason = "answering a question; hashing gives way"
    elif target_w and target_w > 0 and not able:
        reason = f"{aim.reason}, but nothing can hash: {why}"
    return HeaterWanted(target_w, worst, reason, available_w, why)


def _available(
    seen: Seen,
    able: frozenset[str],
    barred: Mapping[str, str | None],
    state: State,
    rules: Rules,
) -> tuple[float, str]:
    """Return the most watts that could be asked for now, at the wall, and what binds them."""
    if state.stopped:
        return 0.0, "stopped by a person: Stop all"
    if not rules.allow_control:
        return 0.0, "the rig's owner has not turned control on (allow_control)"
    most_w = wall_w(
        sum(device.max_w if device.uid in able else device.idle_w for device in seen.devices), rules
    )
    if not able:
        offline = next((miner for miner in seen.miners if miner.pool_connected is False), None)
        why = next((why for why in barred.values() if why), None)
        failed = next((miner.why for miner in seen.miners if miner.running is Running.FAILED), None)
        if offline is not None:
            return 0.0, f"{offline.name} has lost its pool"
        return 0.0, failed or why or "no miner is configured"
    if most_w > rules.max_w:
        return rules.max_w, "the rig's owner allows no more"
    if len(able) < len({uid for miner in seen.miners for uid in miner.devices}):
        why = next((barred[uid] for uid in sorted(barred) if barred[uid] and uid not in able), None)
        return most_w, why or "some devices cannot hash now"
    return most_w, "all devices at their highest limit"
