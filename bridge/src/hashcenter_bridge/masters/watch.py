"""Looks for other masters of the GPUs before anything is decided, and each minute."""

import asyncio

from ..loop import Loop
from ..wire.values import DeviceKind
from . import find

#: Seconds between two looks.
EACH_S = 60.0


async def look(loop: Loop) -> None:
    """Look once; a rig that drives no GPU has nothing that another could set."""
    devices = loop.rig.metering.watched.values()
    if any(watched.device.kind == DeviceKind.GPU for watched in devices):
        loop.beside(await asyncio.to_thread(find))


async def watch(loop: Loop) -> None:
    """Look for ever: HiveOS's agent, for one, is started again by cron."""
    while True:
        await asyncio.sleep(EACH_S)
        await look(loop)
