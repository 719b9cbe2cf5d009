"""A device that is too small for a model and a miner at once: who has it, and when they swap.

A swap stops the miner, loads the model and, later, the other way round; it takes seconds to minutes
and only the end of a process gives memory back. Therefore:

1. A question that outranks hashing brings the model in; somebody who only begins to speak does not.
2. The model then stays for 10 minutes or 20 times as long as it loads, whichever is more, and a
   little longer than the last question.
3. After more than 4 swaps in an hour it stays until the last hour had no more than that.
4. Nothing starts before the other one's process is gone and its memory was seen to be free; a model
   waits 30 s for that, and is then tried: it says best what it lacks.
5. A model that cannot be loaded leaves the device to hashing; it is tried again after 10 minutes.

Without a miner that wants to hash there the model is simply loaded. `memory.py` says which miners
have no room beside which models; the others are not touched here.
"""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from ..wire.values import Favor
from . import memory
from .people import brings_in
from .types import MinerSeen, ProgramWanted, RunnerSeen, Running, Seen, State

HOLD_S: Final = 600.0
HOLD_LOADS: Final = 20.0
SWAPS: Final = 4
SWAPS_WITHIN_S: Final = 3600.0
UNFIT_S: Final = 600.0


@dataclass(frozen=True)
class Shared:
    """What miners and exclusive runners should be.

    `away`: whose model is not loaded now, and why. `ousted`: the miners that could not hash now,
    whatever was asked of them.
    """

    miners: Mapping[str, ProgramWanted]
    runners: Mapping[str, ProgramWanted]
    away: Mapping[str, str]
    ousted: frozenset[str]


def shared(
    state: State,
    seen: Seen,
    miners: Mapping[str, ProgramWanted],
    yielding: AbstractSet[str],
    favor: Favor | str,
    now: float,
) -> tuple[State, Shared]:
    """Return the state, and who has the devices that are too small for both.

    `miners` is what they would be if everything fitted; `yielding` are those that would hash but
    give way to people.
    """
    changed = dict(miners)
    runners: dict[str, ProgramWanted] = {}
    away: dict[str, str] = {}
    ousted: set[str] = set()
    for runner in seen.runners:
        rivals = [one for one in seen.miners if (runner.name, one.name) in state.apart]
        if not rivals or state.stopped:
            continue
        wanting = [
            miner
            for miner in rivals
            if miner.name in yielding or _hashes(miner, changed[miner.name])
        ]
        state = _remember(state, runner, bool(wanting), brings_in(runner, seen, favor), now)
        if _stays(state, runner, seen, wanting, now):
            if _is_held(state, runner, seen, now):
                ousted.update(miner.name for miner in rivals)
            for miner in rivals:
                changed[miner.name] = _ousted(miner, changed[miner.name], runner)
            state, runners[runner.name] = _has_it(state, runner, rivals, wanting, seen, now)
            continue
        reason = "hashing has its device; it loads when somebody asks"
        if runner.name in state.unfit_until:
            reason = "it could not be loaded a moment ago, and hashing has its device"
        away[runner.name] = reason
        runners[runner.name] = ProgramWanted(Running.STOPPED, reason)
        if runner.running not in (Running.STOPPED, Running.FAILED):
            for miner in wanting:
                waits = f"waiting for {runner.name} to unload its model"
                changed[miner.name] = ProgramWanted(None, waits)
    for miner in seen.miners:
        if _begins(miner, changed[miner.name]):
            lacks = memory.short(miner.name, miner.needs, seen)
            if lacks is not None:
                changed[miner.name] = ProgramWanted(Running.STOPPED, lacks)
    return state, Shared(changed, runners, away, frozenset(ousted))


def _remember(state: State, runner: RunnerSeen, wanting: bool, asked: bool, now: float) -> State:  # noqa: FBT001
    """Return the state with how long the model stays, when it was swapped, whether it failed."""
    name = runner.name
    held = {one: until for one, until in state.held_until.items() if until > now}
    unfit = {one: until for one, until in state.unfit_until.items() if until > now}
    recent = tuple(at for at in state.swaps.get(name, ()) if now - at < SWAPS_WITHIN_S)
    if runner.running is Running.FAILED and wanting:
        held.pop(name, None)
        unfit[name] = now + UNFIT_S
    elif asked and name not in unfit:
        if name in held or not wanting or runner.running is Running.ACTIVE:
            held[name] = max(held.get(name, now), now + runner.linger_s)
        else:
            load_s = runner.load_s or 0.0
            held[name] = now + load_s + max(HOLD_S, HOLD_LOADS * load_s)
            recent = (*recent, now)
    return replace(state, held_until=held, unfit_until=unfit, swaps={**state.swaps, name: recent})


def _stays(
    state: State, runner: RunnerSeen, seen: Seen, wanting: list[MinerSeen], now: float
) -> bool:
    """Return whether the model has the device."""
    return not wanting or _is_held(state, runner, seen, now)


def _is_held(state: State, runner: RunnerSeen, seen: Seen, now: float) -> bool:
    """Return whether hashing has to do without the device for now."""
    if now < state.held_until.get(runner.name, now):
        return True
    if any(ticket.runner == runner.name for ticket in seen.tickets):
        return True
    return runner.running is Running.ACTIVE and len(state.swaps[runner.name]) > SWAPS


def _begins(miner: MinerSeen, wanted: ProgramWanted) -> bool:
    starts = miner.running in (Running.STOPPED, Running.FAILED)
    return miner.owned and starts and wanted.running is Running.ACTIVE


def _has_it(
    state: State,
    runner: RunnerSeen,
    rivals: list[MinerSeen],
    wanting: list[MinerSeen],
    seen: Seen,
    now: float,
) -> tuple[State, ProgramWanted]:
    """Return what a runner is whose model has the device."""
    since = {name: at for name, at in state.short_since.items() if name != runner.name}
    if runner.running not in (Running.ACTIVE, Running.STARTING):
        in_memory = [miner.name for miner in rivals if not _is_gone(miner)]
        if in_memory:
            state = replace(state, short_since=since)
            return state, ProgramWanted(Running.STOPPED, f"waiting for {in_memory[0]} to end")
        lacks = memory.short(runner.name, runner.needs, seen)
        if lacks is not None:
            since[runner.name] = state.short_since.get(runner.name, now)
            state = replace(state, short_since=since)
            if now - since[runner.name] < memory.WAIT_S:
                return state, ProgramWanted(Running.STOPPED, f"waiting for memory: {lacks}")
    else:
        state = replace(state, short_since=since)
    reason = "ready for questions"
    if wanting and len(state.swaps[runner.name]) > SWAPS:
        reason = f"it stays: it was loaded {len(state.swaps[runner.name])} times within an hour"
    elif wanting:
        reason = "ready for questions; hashing waits"
    return state, ProgramWanted(Running.ACTIVE, reason)


def _hashes(miner: MinerSeen, wanted: ProgramWanted) -> bool:
    going_on = wanted.running is None and miner.running is Running.ACTIVE
    return wanted.running is Running.ACTIVE or going_on


def _ousted(miner: MinerSeen, wanted: ProgramWanted, runner: RunnerSeen) -> ProgramWanted:
    """Return what a miner is while the model has the device: gone, if it is ours to stop."""
    if wanted.running is Running.STOPPED:
        return wanted
    halted = Running.STOPPED if miner.owned else Running.PAUSED
    return ProgramWanted(halted, f"{runner.name} has the device: people go first")


def _is_gone(miner: MinerSeen) -> bool:
    """Return whether nothing of it is in memory; one that is not ours cannot be sent away."""
    if not miner.owned:
        return miner.running is not Running.ACTIVE
    return miner.running in (Running.STOPPED, Running.FAILED) and not miner.leaving
