"""What the miner's tests share: a pool, a miner on it, and the CPU time of processes."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hashcenter_bridge.reference_miner.miner import Miner, Settings
from hashcenter_bridge.reference_miner.pool_client import Patience, PoolAddress
from tests.simulators.stratum_pool import StratumPool

#: A share every few thousand hashes: some milliseconds.
EASY = 1e-6
DEADLINE_S = 60.0


@pytest.fixture
async def pool() -> AsyncIterator[StratumPool]:
    """A pool with easy shares and jobs that stay."""
    async with StratumPool(difficulty=EASY, chance=random.Random(7)) as running:
        yield running


@asynccontextmanager
async def mining(
    pool_port: int, *, threads: int = 1, cpu_percent: float = 20, patience: Patience | None = None
) -> AsyncIterator[Miner]:
    """Run a miner on the pool at this port; every process is gone afterwards."""
    settings = Settings(
        pool=PoolAddress("127.0.0.1", pool_port, "rig", "x"),
        worker_id="test",
        user_agent="test/1",
        threads=threads,
        cpu_percent=cpu_percent,
    )
    miner = Miner(settings, clock=time.monotonic, chance=random.Random(7), patience=patience)
    task = asyncio.create_task(miner.run())
    try:
        yield miner
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that these processes have used, in seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that this one started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


async def until(condition: Callable[[], bool], every_s: float = 0.02) -> None:
    """Wait until something that nobody announces is true."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(every_s)


async def at_rest(pids: Iterable[int]) -> float:
    """Wait until the CPU time of these processes stands still, and return it in seconds."""
    watched, seen = list(pids), -1.0

    def rests() -> bool:
        nonlocal seen
        before, seen = seen, cpu_s(watched)
        return before == seen

    await until(rests, every_s=0.25)
    return seen
