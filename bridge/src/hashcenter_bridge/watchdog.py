"""Tells systemd that the bridge lives, and only while everything that keeps people safe moves on.

Metering has to look, the loop has to decide and the line has to speak or try to: a process in which
one of them stands still is restarted (WatchdogSec in its unit).
"""

import asyncio
from typing import Final

from .loop import Loop
from .mqtt import Line
from .ready import notify

_LOOK_S: Final = 2.0


async def feed(loop: Loop, line: Line) -> None:
    """Say that the bridge is ready, then feed the watchdog for ever."""
    notify("READY=1")
    fed = _turns(loop, line)
    while True:
        await asyncio.sleep(_LOOK_S)
        now = _turns(loop, line)
        if all(after > before for before, after in zip(fed, now, strict=True)):
            notify("WATCHDOG=1")
            fed = now


def _turns(loop: Loop, line: Line) -> tuple[int, int, int]:
    return loop.rig.metering.looks, loop.turns, line.turns
