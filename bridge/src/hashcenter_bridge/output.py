"""What a child program prints: read as it comes, cut into lines, handed to the log with its name.

A program that prints without end is never blocked and never fills the log: beyond a few lines a
second the rest is counted and left out. The last line is kept: it usually says why a program ended.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

log = logging.getLogger(__name__)

LINES_PER_WINDOW: Final = 40
WINDOW_S: Final = 2.0
MAX_LINE: Final = 300
END_WITHIN_S: Final = 1.0

_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Output(asyncio.Protocol):
    """The reading end of a program's output. `last` is its latest line that is not empty."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.last = ""
        self._ended = asyncio.Event()
        self._name = name
        self._clock = clock
        self._rest = b""
        self._window_began = clock()
        self._lines = 0

    def data_received(self, data: bytes) -> None:
        """Take what the program printed."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-4 * MAX_LINE :]
        for line in lines:
            self._print(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Take what stood after the last line break."""
        self._print(self._rest)
        self._end_window()
        self._ended.set()

    async def end(self) -> None:
        """Wait until all that an ended program printed is read; not for those it left behind."""
        with suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN_S):
                await self._ended.wait()

    def _print(self, line: bytes) -> None:
        if self._clock() - self._window_began >= WINDOW_S:
            self._end_window()
        self._lines += 1
        text = line[: 4 * MAX_LINE].decode(errors="replace")
        if text := _CONTROL.sub("", text).strip()[:MAX_LINE]:
            self.last = text
            if self._lines <= LINES_PER_WINDOW:
                log.info("%s: %s", self._name, text)

    def _end_window(self) -> None:
        if (more := self._lines - LINES_PER_WINDOW) > 0:
            log.info("%s: (%d more lines left out)", self._name, more)
        self._window_began, self._lines = self._clock(), 0
