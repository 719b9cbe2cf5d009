"""Sees whether everything that keeps people safe moves on: for systemd's watchdog and `/healthz`.

Metering has to look, the loop has to decide and the line has to speak or try to: a process in which
one of them stands still is restarted (WatchdogSec in its unit).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from .loop import Loop
from .mqtt import Line
from .ready import notify

_LOOK_S: Final = 2.0
#: After so long without a step a part stands still; WatchdogSec is as long.
STILL_AFTER_S: Final = 30.0


class Pulse:
    """When each part last moved on. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._turns: dict[str, int] = {}
        self._moved_at: dict[str, float] = {}

    def note(self, **turns: int) -> None:
        """Take how far each part has come."""
        for part, count in turns.items():
            if self._turns.get(part) != count:
                self._turns[part] = count
                self._moved_at[part] = self._clock()

    def still(self) -> list[str]:
        """Return the parts that stand still."""
        limit = self._clock() - STILL_AFTER_S
        return [part for part, moved_at in self._moved_at.items() if moved_at < limit]


async def feed(loop: Loop, line: Line, pulse: Pulse) -> None:
    """Say that the bridge is ready, then feed the watchdog for ever."""
    notify("READY=1")
    fed = _turns(loop, line)
    pulse.note(**fed)
    while True:
        await asyncio.sleep(_LOOK_S)
        now = _turns(loop, line)
        pulse.note(**now)
        if all(now[part] > fed[part] for part in fed):
            notify("WATCHDOG=1")
            fed = now


def _turns(loop: Loop, line: Line) -> dict[str, int]:
    return {"metering": loop.rig.metering.looks, "loop": loop.turns, "line": line.turns}
