"""Can the rig answer, how soon, and what that depends on: `inference` of its state on the wire."""

from .arbiter.types import Running
from .locality import Locality
from .programs import RunnerProgram
from .rig import Rig
from .task_rules import Status
from .wire.messages import InferenceState

_STOPPED = "stopped by a person: Stop all"


def can_answer(rig: Rig) -> tuple[bool, str]:
    """Return whether a question would be answered now, and why (not)."""
    if rig.state.stopped:
        return False, _STOPPED
    if _active(rig):
        return True, "ready"
    if not _talking(rig):
        return False, "no runner is configured"
    shown = _talking(rig)[0]
    wanted = rig.wanted.runners.get(shown.runner.name) if rig.wanted else None
    if _gives_way(rig, shown) and wanted and wanted.running is Running.STOPPED:
        return False, wanted.reason
    loading = shown.running in (Running.STARTING, Running.STOPPED, Running.STOPPING)
    return False, "the model is being loaded" if loading else shown.why


def inference(rig: Rig) -> InferenceState | None:
    """Return what the wire says of answering, None where nothing answers."""
    if not _talking(rig):
        return None
    active = _active(rig)
    tickets = rig.seen(rig.clock()).tickets
    answering = sum(ticket.runner is not None for ticket in tickets)
    waiting = len(tickets) - answering
    shown = active[0] if active else _talking(rig)[0]
    available, why = can_answer(rig)
    # While it loads, the prediction says that waiting for it is worth while.
    load_s = 0.0 if available or rig.state.stopped else _load_s(rig, shown)
    figures, totals = rig.answers, rig.answers.totals
    where = stays(rig)
    stages = None
    if load_s is not None and not rig.state.stopped:
        stages = figures.stages(
            hashing=any(program.running is Running.ACTIVE for program in rig.miners),
            waiting=waiting,
            free_slots=sum(program.runner.slots for program in active or (shown,)) - answering,
            load_s=load_s,
            unread=shown.keeper.unread if shown.keeper else 0,
        )
    soon_s = None
    if stages is not None:
        soon_s = stages.queue_s + stages.pause_s + stages.load_s + stages.read_s
    return InferenceState(
        available=available,
        why=why[:400],
        model=shown.runner.models[0].id if shown.runner.models else None,
        first_token_s=_rounded(soon_s, 2),
        tokens_per_s=_rounded(figures.tokens_per_s),
        tokens_per_joule=_rounded(figures.tokens_per_joule, 4),
        prompt_tokens_per_s=_rounded(figures.prompt_tokens_per_s),
        stages=stages,
        prompt_warm=shown.keeper.warm if shown.keeper else None,
        cached_share=_rounded(figures.cached_share, 3),
        waiting=waiting,
        answering=answering,
        answers_total=totals.answers,
        tokens_total=totals.tokens,
        preemptions_total=totals.preemptions,
        hashes_given_up_total=totals.hashes_given_up if rig.miners else None,
        energy_given_up_kwh=round(totals.joules_given_up / 3.6e6, 4) if rig.miners else None,
        last_answer=figures.last,
        local=where.local,
        local_why=where.why[:400],
        tasks_waiting=rig.tasks.count(Status.WAITING),
        tasks_running=rig.tasks.count(Status.RUNNING),
    )


def stays(rig: Rig) -> Locality:
    """Return whether every answer stays on this machine: only as sure as the least sure runner."""
    found = [program.locality for program in rig.runners]
    order = (False, None, True)
    return min(found, key=lambda one: order.index(one.local))


def _load_s(rig: Rig, program: RunnerProgram) -> float | None:
    """Return how long it takes until a model answers that does not now; None if never."""
    if _gives_way(rig, program) and program.running in (Running.STOPPED, Running.STOPPING):
        return program.load_s
    return program.load_remaining_s()


def _gives_way(rig: Rig, program: RunnerProgram) -> bool:
    """Return whether it is unloaded for a miner that has no room beside it."""
    return any(runner == program.runner.name for runner, _ in rig.state.apart)


def _active(rig: Rig) -> list[RunnerProgram]:
    return [program for program in _talking(rig) if program.running is Running.ACTIVE]


def _talking(rig: Rig) -> list[RunnerProgram]:
    """Return the runners that answer; others make pictures."""
    return [program for program in rig.runners if not program.runner.upstream.draws]


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
