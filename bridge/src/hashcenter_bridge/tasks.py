"""The queue of work that nobody waits for: kept over restarts, run one by one when it is wanted.

A task's answer is on the disk before anybody is told that it is done, and a task that is done is
never run again. One that was cut off has no answer yet and is begun anew. Events carry its id and
status only, never its words.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from .api_error import ApiError
from .errors import unforeseen
from .question import Question, read_chat_fields
from .task_files import TaskFiles
from .task_rules import (
    FINAL,
    Run,
    Status,
    Task,
    begun,
    choose,
    failed,
    interrupted,
    overdue,
    postponed,
)
from .tickets import Priority

_LOGGER = logging.getLogger(__name__)

#: A house queues a handful; these bounds keep a mistaken automation from filling the disk.
MAX_OPEN: Final = 100
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
KEPT_S: Final = 7 * 24 * 3600.0

Ask = Callable[[Question, Priority], Awaitable[dict[str, Any]]]
Tell = Callable[[str, Status], None]


class TasksRefused(Exception):
    """A task cannot be queued. `code` is stable, the text is one sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class TaskQueue:
    """The tasks of a rig in `folder`. `clock` is this machine's own."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._files = TaskFiles(folder)
        self._clock = clock
        self._ask: Ask | None = None
        self._tell: Tell = lambda *_: None
        self._running: asyncio.Task[None] | None = None
        self._bytes = 0
        self.tasks: dict[str, Task] = {}

    def load(self, ask: Ask, tell: Tell) -> None:
        """Take up what an earlier run left; `ask` has tasks answered, `tell` hears of their status.

        Raises OSError when the folder cannot be used.
        """
        self._ask, self._tell = ask, tell
        self.tasks = self._files.load()
        self._bytes = self._files.size_bytes()
        for task in list(self.tasks.values()):
            if task.status is Status.RUNNING:
                self._keep(interrupted(task, self._clock(), by_us=False))

    def add(self, request: dict[str, Any], number: str, deadline_s: float, run: Run) -> Task:
        """Queue a task; the same one again is the one that is there. Raises TasksRefused."""
        if (known := self.tasks.get(number)) is not None:
            if known.request != request:
                raise TasksRefused("task_exists", "another task has this id")
            return known
        if sum(task.status not in FINAL for task in self.tasks.values()) >= MAX_OPEN:
            raise TasksRefused("queue_full", f"{MAX_OPEN} tasks wait already")
        if self._bytes >= MAX_BYTES:
            raise TasksRefused(
                "queue_full", "the tasks take too much of the disk: fetch and delete finished ones"
            )
        now = self._clock()
        task = Task(number, request, now, now + deadline_s, run)
        try:
            self._keep(task)
        except OSError as err:
            text = f"the task cannot be kept ({err.strerror})"
            raise TasksRefused("storage", text) from None
        return task

    def remove(self, number: str) -> bool:
        """Cancel a task if it has not ended, and delete its words; False if there is none."""
        task = self.tasks.pop(number, None)
        if task is None:
            return False
        if task.status is Status.RUNNING and self._running is not None:
            self._running.cancel()
        self._files.remove(number)
        self._bytes = self._files.size_bytes()
        if task.status not in FINAL:
            self._tell(number, Status.CANCELLED)
        return True

    def count(self, status: Status) -> int:
        """Return how many tasks stand there."""
        return sum(task.status is status for task in self.tasks.values())

    def step(self, *, wants_heat: bool, answer_s: float | None) -> None:
        """Run what is to run now, and let go of what is over."""
        if self._ask is None:
            return
        now = self._clock()
        for task in list(self.tasks.values()):
            if overdue(task, now):
                why = task.reason or "nothing asked for its heat, and nothing was free in time"
                error = {"code": "expired", "message": why}
                self._end(replace(task, status=Status.EXPIRED, error=error, ended_at=now))
            elif task.ended_at is not None and now - task.ended_at > KEPT_S:
                self.remove(task.id)
        if self._running is not None and not self._running.done():
            return
        chosen = choose(list(self.tasks.values()), now, wants_heat=wants_heat, answer_s=answer_s)
        if chosen is not None:
            priority = Priority.TASK if chosen.urgent else Priority.BATCH
            task = begun(chosen.task, chosen.reason)
            self._running = asyncio.create_task(self._run(task, priority), name="task")

    async def close(self) -> None:
        """Put what runs back in the queue: the bridge stops."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        for task in list(self.tasks.values()):
            if task.status is Status.RUNNING:
                self._try_keep(interrupted(task, self._clock(), by_us=True))

    async def _run(self, task: Task, priority: Priority) -> None:
        if not self._try_keep(task):
            # What cannot be noted would be run again after a restart.
            return
        self._tell(task.id, task.status)
        try:
            answer = await self._answer(task, priority)
        except ApiError as err:
            self._failed(task, err)
        except Exception as err:
            _LOGGER.exception("a task ended with a mistake of ours")
            self._failed(
                task, ApiError(500, "internal_error", f"a mistake of ours: {unforeseen(err)}")
            )
        else:
            done = replace(
                task, status=Status.DONE, reason="", answer=answer, ended_at=self._clock()
            )
            self._end(done)

    async def _answer(self, task: Task, priority: Priority) -> dict[str, Any]:
        assert self._ask is not None
        answer = await self._ask(read_chat_fields(task.request), priority)
        if len(json.dumps(answer)) > MAX_ANSWER_BYTES:
            raise ApiError(500, "too_large", "its answer is too large to keep")
        return answer

    def _failed(self, task: Task, err: ApiError) -> None:
        error, now = {"code": err.code, "message": err.text}, self._clock()
        if err.status in (429, 503):
            self._end(postponed(task, error, now, counts=False))
        elif err.status >= 500:
            self._end(postponed(task, error, now, counts=True))
        else:
            self._end(failed(task, error, now))

    def _end(self, task: Task) -> None:
        """Keep what became of a task, then tell it."""
        if task.id in self.tasks and self._try_keep(task):
            self._tell(task.id, task.status)

    def _keep(self, task: Task) -> None:
        self._files.write(task)
        self.tasks[task.id] = task
        self._bytes = self._files.size_bytes()

    def _try_keep(self, task: Task) -> bool:
        try:
            self._keep(task)
        except OSError as err:
            _LOGGER.warning("the task %s cannot be kept (%s)", task.id, err.strerror)
            return False
        return True
