"""Which queued task runs next, and why now. Pure.

A task is work that nobody waits for. It runs

1. at once, if it is to;
2. when its deadline nears, so that it and those due before it can still be done;
3. when the house wants heat from this rig and does not favor hashing: then the work is what makes
   the heat worth something. Cheap power shows as such a lease, too.

Times are seconds since 1970 by this machine's clock: a task outlives restarts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

#: What stays in hand before a deadline.
MARGIN_S: Final = 300.0
#: How long an answer takes, before there was one.
USUAL_S: Final = 120.0
#: After a failure that may pass.
AGAIN_S: Final = 60.0
#: How often a task is begun that failed, or was cut off by a crash, each time.
ATTEMPTS: Final = 3


class Status(StrEnum):
    """What became of a task. The last four are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({Status.DONE, Status.FAILED, Status.EXPIRED, Status.CANCELLED})


class Run(StrEnum):
    """When a task runs: as soon as possible, or when its heat is wanted."""

    NOW = "now"
    HEAT = "heat"


@dataclass(frozen=True)
class Task:
    """A queued question. `attempts` counts how often it was begun; `not_before` waits for one."""

    id: str
    request: dict[str, Any]
    created_at: float
    deadline_at: float
    run: Run = Run.HEAT
    status: Status = Status.WAITING
    reason: str = ""
    attempts: int = 0
    not_before: float = 0.0
    ended_at: float | None = None
    answer: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Chosen:
    """The task to run, and whether it may make hashing give way as a task does."""

    task: Task
    reason: str
    urgent: bool


def choose(
    tasks: Sequence[Task], now: float, *, wants_heat: bool, answer_s: float | None
) -> Chosen | None:
    """Return the task to run now, None if nothing is to run.

    `answer_s` is how long an answer takes here.
    """
    waiting = [task for task in tasks if task.status is Status.WAITING and task.not_before <= now]
    waiting.sort(key=lambda task: (task.deadline_at, task.created_at, task.id))
    for task in sorted(waiting, key=lambda task: task.created_at):
        if task.run is Run.NOW:
            return Chosen(task, "as soon as possible", urgent=True)
    usual_s = USUAL_S if answer_s is None else 2 * answer_s
    for ahead, task in enumerate(waiting, 1):
        if task.deadline_at - now <= ahead * usual_s + MARGIN_S:
            return Chosen(waiting[0], "its deadline nears", urgent=True)
    if waiting and wants_heat:
        return Chosen(waiting[0], "the house wants heat", urgent=False)
    return None


def begun(task: Task, reason: str) -> Task:
    """Return a task that runs."""
    return replace(task, status=Status.RUNNING, reason=reason, attempts=task.attempts + 1)


def interrupted(task: Task, now: float, *, by_us: bool) -> Task:
    """Return a task that was cut off before its end: it is begun anew, but not for ever.

    `by_us`: the bridge was stopped in order, which is not the task's fault.
    """
    attempts = task.attempts - 1 if by_us else task.attempts
    if attempts >= ATTEMPTS:
        error = {"code": "interrupted", "message": "the bridge ended several times while it ran"}
        return failed(task, error, now)
    return replace(task, status=Status.WAITING, attempts=attempts, reason="")


def failed(task: Task, error: dict[str, Any], now: float) -> Task:
    """Return a task that has no answer, for good."""
    return replace(task, status=Status.FAILED, reason="", error=error, ended_at=now)


def postponed(task: Task, error: dict[str, Any], now: float, *, counts: bool) -> Task:
    """Return a task that failed in a way that may pass; after some attempts it failed for good.

    `counts` is False where nothing was ready, which says nothing about the task.
    """
    attempts = task.attempts if counts else task.attempts - 1
    if attempts >= ATTEMPTS:
        return failed(task, error, now)
    why = str(error.get("message", ""))[:200]
    return replace(
        task, status=Status.WAITING, reason=why, attempts=attempts, not_before=now + AGAIN_S
    )


def overdue(task: Task, now: float) -> bool:
    """Return whether a task that waits has missed its deadline."""
    return task.status is Status.WAITING and task.deadline_at <= now
