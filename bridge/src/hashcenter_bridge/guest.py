"""A model in somebody else's server: loaded and unloaded by asking, never started or killed.

    stopped -> starting -> ready -> stopping -> stopped        (want(True) ... want(False))
               starting, ready -> failed -> starting           (its server is gone, or refuses)

It has the states of a child process (`child.py`), so that whoever decides need not tell them apart.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from .child import BACK_OFF_S, ChildState
from .errors import Fault, unforeseen
from .runners import LoadsModels

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 5.0


class Guest:
    """Keeps a model loaded while it is wanted. `changed` is called when `state` or `why` changed.

    `look_every_s` passes between two looks at the server.
    """

    def __init__(
        self,
        runner: LoadsModels,
        *,
        changed: Callable[[], None],
        look_every_s: float = _LOOK_EVERY_S,
        back_off_s: Sequence[float] = BACK_OFF_S,
    ) -> None:
        self.state = ChildState.STOPPED
        self.why = ""
        self._runner = runner
        self._changed = changed
        self._look_every_s = look_every_s
        self._back_off_s = back_off_s
        self._wanted = False
        self._told = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._failures = 0

    def want(self, running: bool) -> None:  # noqa: FBT001
        """Say whether the model should be loaded. Returns at once; may be repeated."""
        if running is not self._wanted:
            self._wanted = running
            self._told.set()
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name="guest")

    async def close(self) -> None:
        """Look no longer; the server keeps or drops the model by its own rule."""
        if self._life is not None:
            self._life.cancel()
            with suppress(asyncio.CancelledError):
                await self._life
            self._life = None
        self._enter(ChildState.STOPPED)

    def _enter(self, state: ChildState, why: str = "") -> None:
        if (state, why) != (self.state, self.why):
            if state is ChildState.FAILED:
                log.warning("%s", why)
            self.state, self.why = state, why
            self._changed()

    async def _live(self) -> None:
        while True:
            self._told.clear()
            wait_s = self._look_every_s
            turn = asyncio.ensure_future(self._load() if self._wanted else self._unload())
            told = asyncio.ensure_future(self._told.wait())
            try:
                await asyncio.wait({turn, told}, return_when=asyncio.FIRST_COMPLETED)
                if turn.done():
                    turn.result()
                    self._failures = 0
            except Fault as err:
                self._failures += 1
                wait_s = self._back_off_s[min(self._failures, len(self._back_off_s)) - 1]
                self._enter(ChildState.FAILED, str(err))
            except Exception as err:
                # A plugin's own mistake must not leave its model unwatched.
                log.exception("a model cannot be watched")
                wait_s = self._back_off_s[-1]
                self._enter(ChildState.FAILED, f"it cannot be watched: {unforeseen(err)}")
            finally:
                for task in (turn, told):
                    task.cancel()
                await asyncio.gather(turn, told, return_exceptions=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._told.wait()

    async def _load(self) -> None:
        if await self._runner.ready():
            self._enter(ChildState.READY)
            return
        if self.state is not ChildState.FAILED:
            self._enter(ChildState.STARTING)
        await self._runner.load()
        self._enter(ChildState.READY)

    async def _unload(self) -> None:
        if await self._runner.loaded():
            self._enter(ChildState.STOPPING)
            await self._runner.unload()
        self._enter(ChildState.STOPPED)
