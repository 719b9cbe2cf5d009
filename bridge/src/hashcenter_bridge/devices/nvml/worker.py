"""One thread for all calls to a driver that may get stuck.

A stuck call in a driver cannot be ended, only abandoned. The thread is a daemon, so that it never
keeps the bridge from ending; while a call is overdue, others are refused at once instead of queued.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class Stuck(Exception):
    """A call has not come back in time; caught by the plugin, which says so as a fault."""


class Worker:
    """Runs calls one after the other on a thread of its own, for one event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._overdue = False

    async def call(self, work: Callable[[], ResultT], timeout_s: float) -> ResultT:
        """Return what `work` returns or raise what it raises. Raises Stuck after `timeout_s`."""
        if self._overdue:
            raise Stuck
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[ResultT] = loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            self._overdue = False
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def run() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except Exception as err:  # noqa: BLE001 - it is raised again where it is awaited
                error = err
            with suppress(RuntimeError):  # the event loop ended first
                loop.call_soon_threadsafe(finish, result, error)

        self._calls.put(run)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            self._overdue = True
            raise Stuck from None

    def stop(self) -> None:
        """End the thread after the calls that wait."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
