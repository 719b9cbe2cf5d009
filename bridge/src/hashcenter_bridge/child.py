"""One child process as a state machine: wanted or not, it closes the gap and says where it stands.

    stopped -> starting -> ready -> stopping -> stopped        (want(True) ... want(False))
               starting, ready -> failed -> starting           (it ended by itself; with back-off)

`process.py` starts the program and sees to it that nothing of it is left; `output.py` reads it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

from .errors import Fault, unforeseen
from .output import Output
from .process import started

log = logging.getLogger(__name__)

#: Seconds before each further try; the last one repeats.
BACK_OFF_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
#: A child that was ready for so long starts with the shortest back-off again.
HEALTHY_AFTER_S: Final = 60.0
#: How soon a refused start (missing weights) is checked again.
CHECK_AGAIN_S: Final = 5.0
#: Big weights on a slow disk take minutes; after so long it hangs.
START_WITHIN_S: Final = 1800.0
#: A child that was ready and has not answered for so long is started anew.
UNRESPONSIVE_AFTER_S: Final = 30.0
#: What a program gets after SIGTERM when the bridge itself ends: three seconds in all are promised.
LAST_STOP_S: Final = 1.0

_ASK_STARTING_S: Final = 0.1
_ASK_READY_S: Final = 5.0
_ASK_WITHIN_S: Final = 5.0


@dataclass(frozen=True)
class ChildSpec:
    """How to start a program: `argv`, what is added to its environment, how politely it runs.

    After SIGTERM it has `stop_after_s` seconds before SIGKILL. Its output goes to the bridge's log.
    `network`: the machine's ("host"), none ("none"), or none where the kernel allows it ("auto").
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0
    stop_after_s: float = 10.0
    network: Literal["host", "auto", "none"] = "host"


class ChildState(StrEnum):
    """Where a child stands; `failed` means that it is tried again after a while."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    FAILED = "failed"


class Child:
    """Keeps one program running while it is wanted.

    `ready` says whether the program can work now. `before_start` may refuse a start by raising a
    Fault; it is asked again every few seconds. `changed` is called when `state` or `why` changed.
    `clock` counts seconds.
    """

    def __init__(
        self,
        spec: ChildSpec,
        *,
        ready: Callable[[], Awaitable[bool]],
        before_start: Callable[[], Awaitable[None]] | None,
        changed: Callable[[], None],
        clock: Callable[[], float],
        back_off_s: Sequence[float] = BACK_OFF_S,
    ) -> None:
        self.spec = spec
        self.state = ChildState.STOPPED
        self.why = ""
        self.pid: int | None = None
        self._ready = ready
        self._before_start = before_start
        self._changed = changed
        self._clock = clock
        self._back_off_s = back_off_s
        self._on = asyncio.Event()
        self._off = asyncio.Event()
        self._off.set()
        self._last = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._ready_since: float | None = None

    def want(self, running: bool) -> None:  # noqa: FBT001
        """Say whether the program should run. Returns at once; may be repeated."""
        now, never = (self._on, self._off) if running else (self._off, self._on)
        now.set()
        never.clear()
        if running and self._life is None:
            self._life = asyncio.create_task(self._live(), name=f"child {self.spec.name}")

    @property
    def ready_since(self) -> float | None:
        """When it became ready, by `clock`; None while it is not."""
        return self._ready_since if self.state is ChildState.READY else None

    def end(self) -> None:
        """Stop the program for good, with less patience. Returns at once."""
        self._last.set()
        self.want(False)

    async def close(self) -> None:
        """Stop the program for good: politely, and if this is cancelled, at once."""
        self.end()
        if self._life is not None:
            await self._life

    def _enter(self, state: ChildState, why: str = "") -> None:
        if (state, why) != (self.state, self.why):
            if state is ChildState.FAILED:
                log.warning("%s", why)
            self.state, self.why = state, why
            self._changed()

    async def _live(self) -> None:
        """Start the program while it is wanted; when it fails, say why and wait ever longer."""
        failures = 0
        try:
            while self._on.is_set():
                try:
                    if await self._unless_off(self._check()) and (why := await self._run()):
                        failures = 1 if self._was_well() else failures + 1
                        self._enter(ChildState.FAILED, why)
                        wait_s = self._back_off_s[min(failures, len(self._back_off_s)) - 1]
                        await self._unless_off(asyncio.sleep(wait_s))
                except Fault as fault:
                    self._enter(ChildState.FAILED, fault.text)
                    await self._unless_off(asyncio.sleep(CHECK_AGAIN_S))
                except Exception as err:
                    # A plugin's own mistake must not leave its program unwatched.
                    log.exception("%s cannot be watched", self.spec.name)
                    self._enter(
                        ChildState.FAILED, f"{self.spec.name} cannot be watched: {unforeseen(err)}"
                    )
                    await self._unless_off(asyncio.sleep(self._back_off_s[-1]))
                if self._off.is_set():
                    self._enter(ChildState.STOPPED)
        finally:
            self._life = None

    async def _unless_off(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work` unless the program is no longer wanted; return whether it was done."""
        task, off = asyncio.ensure_future(work), asyncio.ensure_future(self._off.wait())
        try:
            await asyncio.wait({task, off}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            return task.done()
        finally:
            task.cancel()
            off.cancel()

    async def _check(self) -> None:
        if self.state is not ChildState.FAILED:
            self._enter(ChildState.STARTING)
        if self._before_start is not None:
            await self._before_start()

    async def _run(self) -> str:
        """Run the program until it ends; return why, or nothing if that was wanted."""
        spec, self._ready_since = self.spec, None
        self._enter(ChildState.STARTING)
        output = Output(spec.name, self._clock)
        try:
            async with started(
                spec.argv, spec.environment, spec.nice, output, spec.network
            ) as process:
                self.pid = process.pid
                why = await self._attend(process)
        except OSError as err:
            return f"{spec.name} cannot be started: {err.strerror}"
        finally:
            self.pid = None
        return f"{why}: {output.last}" if why and output.last else why

    def _was_well(self) -> bool:
        return (
            self._ready_since is not None and self._clock() - self._ready_since >= HEALTHY_AFTER_S
        )

    async def _attend(self, process: asyncio.subprocess.Process) -> str:
        """Watch the program until it ends or should; return what went wrong, if anything did."""
        ended = asyncio.ensure_future(process.wait())
        unwell = asyncio.ensure_future(self._unwell())
        off = asyncio.ensure_future(self._off.wait())
        try:
            await asyncio.wait({ended, unwell, off}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return f"{self.spec.name} {_how(ended.result())}"
            if self._off.is_set():
                self._enter(ChildState.STOPPING)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await self._wait_politely(ended)
            if not ended.done():
                log.warning("%s ignores SIGTERM and is killed", self.spec.name)
            return unwell.result() if unwell.done() else ""
        finally:
            for task in (ended, unwell, off):
                task.cancel()

    async def _wait_politely(self, ended: asyncio.Future[int]) -> None:
        """Wait for the program's end as long as it may take, less once the bridge ends."""
        limit_s = self.spec.stop_after_s
        last = asyncio.ensure_future(self._last.wait())
        either: set[asyncio.Future[Any]] = {ended, last}
        try:
            await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if last.done():
                await asyncio.wait({ended}, timeout=min(LAST_STOP_S, limit_s))
        finally:
            last.cancel()

    async def _unwell(self) -> str:
        """Ask again and again whether the program is ready; return what is wrong with it."""
        heard = self._clock()
        while True:
            if await self._is_ready():
                heard = self._clock()
                if self._ready_since is None:
                    self._ready_since = heard
                    self._enter(ChildState.READY)
            starting = self._ready_since is None
            limit_s = START_WITHIN_S if starting else UNRESPONSIVE_AFTER_S
            if self._clock() - heard >= limit_s:
                what = "was not ready after" if starting else "has not answered for"
                return f"{self.spec.name} {what} {limit_s:.0f} s"
            await asyncio.sleep(_ASK_STARTING_S if starting else _ASK_READY_S)

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_ASK_WITHIN_S):
                return await self._ready()
        except (OSError, TimeoutError, Fault):
            return False


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
