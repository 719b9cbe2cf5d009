"""What the miner's tests share: a pool and a miner on it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hashcenter_bridge.reference_miner.miner import Miner, Settings
from hashcenter_bridge.reference_miner.pool_client import Patience, PoolAddress
from tests.simulators.stratum_pool import StratumPool

#: A share every few thousand hashes: some milliseconds.
EASY = 1e-6


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
