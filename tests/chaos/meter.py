"""What a GPU draws, read beside the bridge by a process that is no part of the rig."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.simulators.fake_nvml import FakeGpus

PATIENCE_S = 45.0

# The variable is set from inside, so that nobody takes this process for one of the rig's.
_WATCH = """
import json, os, sys, time
os.environ["FAKE_NVML_DIR"] = sys.argv[1]
import pynvml
pynvml.nvmlInit()
handle = pynvml.nvmlDeviceGetHandleByIndex(0)
while True:
    try:
        # The draw of the moment: the usual call answers with the mean of a second.
        fields = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_POWER_INSTANT])
        limit = pynvml.nvmlDeviceGetEnforcedPowerLimit(handle)
        print(json.dumps([fields[0].value.uiVal / 1000, limit / 1000]), flush=True)
    except pynvml.NVMLError:
        pass
    time.sleep(0.05)
"""


@dataclass
class Meter:
    """The newest look at GPU 0: its watts and its limit, twenty times a second."""

    looks: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=2000))

    @property
    def power_w(self) -> float:
        """Watts now."""
        return self.looks[-1][1]

    @property
    def limit_w(self) -> float:
        """The limit now, in watts."""
        return self.looks[-1][2]

    async def until(self, holds: Callable[[float, float], bool], since: float) -> float:
        """Return after how many seconds since `since` this held of watts and limit."""
        seen = since
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for at, power_w, limit_w in list(self.looks):
                    if at > seen and holds(power_w, limit_w):
                        return at - since
                seen = self.looks[-1][0] if self.looks else since
                await asyncio.sleep(0.02)

    async def below(self, power_w: float, since: float) -> float:
        """Return after how many seconds since `since` it drew less than `power_w`."""
        return await self.until(lambda drawn_w, _limit_w: drawn_w < power_w, since)

    async def above(self, power_w: float) -> None:
        """Wait until it draws more than `power_w`."""
        await self.until(lambda drawn_w, _limit_w: drawn_w > power_w, time.monotonic() - 0.2)


@asynccontextmanager
async def meter(gpus: FakeGpus) -> AsyncIterator[Meter]:
    """Watch GPU 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WATCH, str(gpus.folder)),
        stdout=subprocess.PIPE,
        env={**os.environ, "LD_LIBRARY_PATH": gpus.environment["LD_LIBRARY_PATH"]},
    )
    watching = Meter()

    async def look() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            power_w, limit_w = json.loads(line)
            watching.looks.append((time.monotonic(), power_w, limit_w))

    looking = asyncio.create_task(look())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not watching.looks:
                await asyncio.sleep(0.02)
        yield watching
    finally:
        looking.cancel()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.gather(looking, return_exceptions=True)
