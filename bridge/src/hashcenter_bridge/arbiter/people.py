"""People who wait for an answer: which ticket goes where, and which miners must give way.

Tickets are served by priority, then by age. Voice has a slot of its own and, where all are taken,
the place of an answer that has said nothing yet. A miner gives way while a question that outranks
it is open on a device they share, and a little longer (`resume_after_s`), so that it does not flap.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from typing import Final, TypeAlias

from ..wire.values import Favor
from .types import MinerSeen, Rules, RunnerSeen, Running, Seen, State, TicketSeen, TicketWanted

#: The slots in use, by runner.
Taken: TypeAlias = dict[str, set[int]]

VOICE: Final = 0
_READING: Final = "the question of somebody who speaks is read first"
_BUSY: Final = "another question is being answered"
#: The lowest priority (highest number) that still pauses hashing, by favor: voice, task, batch.
_PAUSES_HASHING: Mapping[str, int] = {Favor.INFERENCE: 2, Favor.BALANCED: 1, Favor.HASHING: 0}


def shares_device(runner: RunnerSeen, miner: MinerSeen) -> bool:
    """Return whether both need one device; programs without any share the processor."""
    if not runner.devices or not miner.devices:
        return not runner.devices and not miner.devices
    return bool(set(runner.devices) & set(miner.devices))


def _candidates(ticket: TicketSeen, runners: Sequence[RunnerSeen]) -> list[RunnerSeen]:
    able = [runner for runner in runners if runner.draws is ticket.draws]
    named = [runner for runner in able if ticket.model in runner.models]
    return named or able


def giving_way(
    state: State, seen: Seen, favor: Favor | str, rules: Rules, now: float
) -> Mapping[str, float]:
    """Return until when each miner gives way to people; a miner that need not is absent."""
    lowest = _PAUSES_HASHING.get(favor, 1)
    until = {name: at for name, at in state.people_until.items() if at > now}
    for ticket in seen.tickets:
        if ticket.priority > lowest:
            continue
        runners = [
            runner
            for runner in _candidates(ticket, seen.runners)
            if (
                runner.name == ticket.runner
                if ticket.runner
                else runner.running is not Running.FAILED
            )
        ]
        for miner in seen.miners:
            if any(
                shares_device(runner, miner)
                and (ticket.runner or (runner.name, miner.name) not in state.apart)
                for runner in runners
            ):
                until[miner.name] = now + rules.resume_after_s
    if seen.warm:
        # Nothing is started for it: only what could answer at once is cleared the way.
        ready = [
            runner
            for runner in seen.runners
            if runner.running is Running.ACTIVE and not runner.draws
        ]
        for miner in seen.miners:
            if any(shares_device(runner, miner) for runner in ready):
                until[miner.name] = now + rules.resume_after_s
    return until


def brings_in(runner: RunnerSeen, seen: Seen, favor: Favor | str) -> bool:
    """Return whether a question wants the model of `runner` and outranks hashing."""
    lowest = _PAUSES_HASHING.get(favor, 1)
    for ticket in seen.tickets:
        if ticket.runner == runner.name:
            return True
        if ticket.runner is not None or ticket.priority > lowest:
            continue
        candidates = _candidates(ticket, seen.runners)
        others = [
            one for one in candidates if one.name != runner.name and one.running is Running.ACTIVE
        ]
        if runner in candidates and not others and runner.running is not Running.FAILED:
            return True
    return False


def tickets(
    state: State,
    seen: Seen,
    rules: Rules,
    yielding: Mapping[str, float],
    away: Mapping[str, str],
    now: float,
) -> Mapping[int, TicketWanted]:
    """Return what happens to each ticket that is not granted, or has to give its place back.

    `away` are the runners whose model is not to be loaded now, and why.
    """
    decided: dict[int, TicketWanted] = {}
    taken: Taken = {runner.name: set() for runner in seen.runners}
    for ticket in seen.tickets:
        if ticket.runner in taken:
            taken[ticket.runner].add(ticket.slot or 0)
    waiting = sorted(
        (ticket for ticket in seen.tickets if ticket.runner is None),
        key=lambda ticket: (ticket.priority, ticket.opened_at, ticket.id),
    )
    # Until the first token of who speaks nobody else's prompt is read in the same steps.
    resume = {runner.name for runner in seen.runners if runner.resumes}
    reading = {
        ticket.runner
        for ticket in seen.tickets
        if ticket.priority == VOICE and ticket.runner in resume and not ticket.said
    }
    still_waiting = 0
    for ticket in waiting:
        if state.stopped:
            decided[ticket.id] = TicketWanted("", code="stopped")
            continue
        fate = _one(ticket, seen, rules, yielding, away, reading, taken, now)
        if fate.runner is None and fate.code is None:
            still_waiting += 1
            if still_waiting > rules.max_waiting:
                fate = TicketWanted("", code="queue_full")
            elif ticket.priority == VOICE and fate.reason == _BUSY:
                decided |= _recall(ticket, seen, decided)
        if ticket.priority == VOICE and fate.runner in resume:
            reading.add(fate.runner)
        decided[ticket.id] = fate
    for ticket in seen.tickets:
        if ticket.runner in reading and ticket.recallable and ticket.priority > VOICE:
            decided[ticket.id] = TicketWanted(_READING, recall=True)
    return decided


def _recall(
    voice: TicketSeen, seen: Seen, decided: Mapping[int, TicketWanted]
) -> dict[int, TicketWanted]:
    """Return the least urgent answer that gives its place to `voice`, if any can."""
    ready = {
        runner.name
        for runner in _candidates(voice, seen.runners)
        if runner.running is Running.ACTIVE
    }
    able = [
        ticket
        for ticket in seen.tickets
        if ticket.runner in ready
        and ticket.recallable
        and ticket.priority > voice.priority
        and ticket.id not in decided
    ]
    if not able:
        return {}
    least = max(able, key=lambda ticket: (ticket.priority, ticket.opened_at, ticket.id))
    return {least.id: TicketWanted("somebody who speaks goes first", recall=True)}


def _one(
    ticket: TicketSeen,
    seen: Seen,
    rules: Rules,
    yielding: Mapping[str, float],
    away: Mapping[str, str],
    reading: AbstractSet[str | None],
    taken: Taken,
    now: float,
) -> TicketWanted:
    """Decide one ticket and note in `taken` the place it gets, or is waiting for alone."""
    runners = _candidates(ticket, seen.runners)
    waited_s = now - ticket.opened_at
    ready = [runner for runner in runners if runner.running is Running.ACTIVE]
    if not ready and ticket.priority == VOICE:
        # While a large model loads, a smaller one answers whoever speaks.
        ready = [
            runner
            for runner in seen.runners
            if runner.running is Running.ACTIVE and runner.draws is ticket.draws
        ]
    if not ready:
        coming = [
            runner
            for runner in runners
            if runner.running is not Running.FAILED and runner.name not in away
        ]
        if any(waited_s < _patience_s(runner, rules) for runner in coming):
            return TicketWanted("the model is being loaded")
        if not coming and (
            why := next((away[one.name] for one in runners if one.name in away), "")
        ):
            return TicketWanted(why, code="not_available")
        missing = "the model is still being loaded" if runners else "no runner is configured"
        why = next((runner.why for runner in runners if runner.why), missing)
        return TicketWanted(why, code="not_available")
    slots = {
        runner.name: _free_slot(runner, ticket.priority, taken)
        for runner in ready
        if ticket.priority == VOICE or runner.name not in reading
    }
    free = [runner for runner in ready if slots.get(runner.name) is not None]
    if not free:
        return TicketWanted(_BUSY)
    in_the_way = {runner.name: _in_the_way(runner, seen, yielding) for runner in free}
    runner = min(free, key=lambda runner: (len(in_the_way[runner.name]), len(taken[runner.name])))
    slot = slots[runner.name]
    # While it waits for a miner nobody behind it may take its place.
    taken[runner.name].add(slot or 0)
    if in_the_way[runner.name] and waited_s < rules.pause_patience_s:
        return TicketWanted(f"waiting for {in_the_way[runner.name][0]} to pause")
    return TicketWanted("granted", runner=runner.name, slot=slot)


def _patience_s(runner: RunnerSeen, rules: Rules) -> float:
    return max(rules.load_patience_s, 2 * (runner.load_s or 0.0))


def _free_slot(runner: RunnerSeen, priority: int, taken: Taken) -> int | None:
    """Return the slot that a question of `priority` gets, None while it must wait.

    llama.cpp fills a batch slot by slot from the first, so slot 0 is the one that cuts in. It also
    keeps the house's prompt warm: where there are others, only voice uses it.
    """
    first = 0 if priority == VOICE or runner.slots == 1 else 1
    used = taken[runner.name]
    return next((slot for slot in range(first, runner.slots) if slot not in used), None)


def _in_the_way(runner: RunnerSeen, seen: Seen, yielding: Mapping[str, float]) -> list[str]:
    """Return the miners that have to give way to `runner` and still hash, or may."""
    return [
        miner.name
        for miner in seen.miners
        if miner.name in yielding
        and miner.running in (Running.ACTIVE, Running.STARTING, Running.STOPPING)
        and shares_device(runner, miner)
    ]
