"""The policy of a rig, as an ordered list: safety, then people, then heat.

1. Stop all: nothing hashes, nothing answers.
2. A device that is too hot, silent for 30 s, faulty, used by somebody else, or whose power limit
   cannot be lowered does not hash.
3. People who wait go first: miners on their devices give way, or leave a device that is too small
   for both (`exclusive.py`).
4. What hashes shares the watts of the lease, inside the owner's limits; nothing goes up while the
   house is silent.
5. Nothing asked for: the owner's safe state. Without the owner's allow_control, and after a start,
   what runs is kept as it is, apart from rules 1 to 3.
6. Beside another master of the GPUs (`Rules.rival`): no limit is set, what it runs is left alone,
   and what the bridge started does not hash.
"""

from collections.abc import Mapping
from dataclasses import replace

from . import exclusive, leases, memory, people
from .allocate import Groups, Share, floor_w, shares
from .targets import devices_wanted, heater_wanted
from .types import DeviceSeen, MinerSeen, ProgramWanted, Rules, Running, Seen, State, Wanted

#: Without an own reading for this long, control of a device is lost (wire rule 5).
SILENT_S = 30.0
#: One failed look is no reason to stop a miner; what it may draw is still limited.
FAULTY_S = 10.0
_COOLED_K = 8.0
#: A game that loads its next level has not gone.
_CALM_S = 60.0


def decide(state: State, seen: Seen, rules: Rules, now: float) -> tuple[State, Wanted]:
    """Return the new state and what every device, program and question should be."""
    state = memory.settle(_settle_state(state, seen, rules, now), seen, now)
    barred = {device.uid: _why_not(device, state, rules, now) for device in seen.devices}
    no_room = memory.no_room(state, seen)
    able_miners = [one for one in seen.miners if _can_hash(one, barred) and one.name not in no_room]
    able: Groups = [miner.devices for miner in able_miners]
    aim = leases.aim(
        state.lease,
        rules,
        floor_w(seen.devices, able, rules),
        now,
        stopped=state.stopped,
        adopted_until=state.adopted_until,
    )
    yielding = people.giving_way(state, seen, aim.favor, rules, now)
    state = replace(state, people_until=yielding)

    plan = shares(aim.power_w or 0.0, seen.devices, able, rules)
    miners = {
        miner.name: _miner(miner, plan, barred, no_room, yielding, aim, state, rules)
        for miner in seen.miners
    }
    state, held = exclusive.shared(state, seen, miners, set(yielding), aim.favor, now)
    miners = dict(held.miners)
    runners = {
        runner.name: held.runners.get(runner.name) or _runner(state) for runner in seen.runners
    }
    questions = people.tickets(state, seen, rules, yielding, held.away, now)
    state = replace(state, interrupted=_interrupted(state, seen, miners, aim))
    state, devices = devices_wanted(state, seen, plan, miners, yielding, aim, rules, now)
    able = [miner.devices for miner in able_miners if miner.name not in held.ousted]
    for miner in seen.miners:
        if miner.name in held.ousted or miner.name in no_room:
            why = no_room.get(miner.name, "a model has it: people go first")
            barred |= {uid: barred.get(uid) or why for uid in miner.devices}
    heater = heater_wanted(state, seen, able, barred, plan, devices, aim, rules)
    return state, Wanted(heater, devices, miners, runners, questions)


def _settle_state(state: State, seen: Seen, rules: Rules, now: float) -> State:
    """Let go of what is over: an ended lease, adoption once leased, devices that cooled."""
    if state.lease and state.lease.phase(now) is None:
        state = replace(state, lease=None)
    if state.lease or state.stopped:
        state = replace(state, adopted_until=0.0)
    foreign_until = {uid: until for uid, until in state.foreign_until.items() if until > now}
    foreign_until |= {one.uid: now + _CALM_S for one in seen.devices if one.foreign}
    return replace(
        state,
        foreign_until=foreign_until,
        cooling=frozenset(
            device.uid
            for device in seen.devices
            if _is_hot(device, rules, was=device.uid in state.cooling)
        ),
    )


def _is_hot(device: DeviceSeen, rules: Rules, *, was: bool) -> bool:
    if device.temp_c is None:
        return was
    return device.temp_c >= rules.max_temp_c - (_COOLED_K if was else 0.0)


def _why_not(device: DeviceSeen, state: State, rules: Rules, now: float) -> str | None:
    """Return why a device must not hash, None if it may. The text stays while the reason does."""
    if state.stopped:
        return "stopped by a person: Stop all"
    if device.uid in state.cooling:
        return f"too hot ({rules.max_temp_c:.0f} °C or more): it cools down first"
    if device.fault is not None and device.age_s > FAULTY_S:
        return device.fault
    if device.age_s > SILENT_S:
        return f"silent for more than {SILENT_S:.0f} s: its watts are unknown"
    if device.foreign:
        return device.foreign_why
    if state.foreign_until.get(device.uid, now) > now:
        return "another program used it a moment ago"
    if rules.allow_control and device.max_w <= device.idle_w:
        return "its watts can neither be limited nor foreseen"
    if state.unruly.get(device.uid, now) > now:
        return "its watts do not follow its power limit: it rests for an hour"
    if now - state.above.get(device.uid, now) > device.settle_s:
        return "its power limit cannot be lowered"
    return None


def _can_hash(miner: MinerSeen, barred: Mapping[str, str | None]) -> bool:
    return (
        bool(miner.devices)
        and miner.pool_connected is not False
        and miner.running is not Running.FAILED
        and all(barred.get(uid, "not there") is None for uid in miner.devices)
    )


def _miner(
    miner: MinerSeen,
    plan: Mapping[str, Share],
    barred: Mapping[str, str | None],
    no_room: Mapping[str, str],
    yielding: Mapping[str, float],
    aim: leases.Aim,
    state: State,
    rules: Rules,
) -> ProgramWanted:
    halted = Running.STOPPED if miner.owned else Running.PAUSED
    if state.stopped:
        return ProgramWanted(halted, aim.reason)
    why = next((barred[uid] for uid in miner.devices if barred.get(uid) is not None), None)
    if why is not None:
        return ProgramWanted(halted, why)
    runs = miner.running in (Running.ACTIVE, Running.PAUSED)
    kept = (runs and miner.pauses) or not miner.owned
    paused = Running.PAUSED if kept else Running.STOPPED
    if miner.name in yielding:
        return ProgramWanted(paused, "a question is being answered")
    if rules.rival is not None and miner.owned:
        return ProgramWanted(halted, rules.rival)
    if aim.power_w is None:
        goes_on = miner.name in state.interrupted
        return ProgramWanted(Running.ACTIVE if goes_on else None, aim.reason)
    if aim.power_w <= 0:
        return ProgramWanted(halted, aim.reason)
    if miner.pool_connected is False:
        return ProgramWanted(paused, f"{miner.name} has lost its pool")
    hashes = miner.devices and all(uid in plan and plan[uid].hashes for uid in miner.devices)
    if hashes and not aim.raises:
        # A pause is kept, and what was just starting would be a raise.
        idle = miner.running in (Running.STOPPED, Running.PAUSED)
        running = Running.ACTIVE if miner.running is Running.ACTIVE else halted
        return ProgramWanted(None if idle else running, aim.reason)
    if hashes:
        return ProgramWanted(Running.ACTIVE, aim.reason)
    if miner.running is Running.FAILED and aim.raises:
        return ProgramWanted(None, miner.why)
    if miner.name in no_room:
        return ProgramWanted(paused, no_room[miner.name])
    return ProgramWanted(paused, aim.reason)


def _runner(state: State) -> ProgramWanted:
    if state.stopped:
        return ProgramWanted(Running.STOPPED, "stopped by a person: Stop all")
    return ProgramWanted(Running.ACTIVE, "ready for questions")


def _interrupted(
    state: State, seen: Seen, miners: Mapping[str, ProgramWanted], aim: leases.Aim
) -> frozenset[str]:
    """Return which miners hashed by themselves and go on once people and safety let them."""
    if aim.power_w is not None and not state.stopped:
        return frozenset()
    hashed = {miner.name for miner in seen.miners if miner.running is Running.ACTIVE}
    gave_way = {
        name for name in hashed if miners[name].running in (Running.PAUSED, Running.STOPPED)
    }
    return frozenset(gave_way | (state.interrupted - hashed))
