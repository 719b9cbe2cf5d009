"""The miner itself: pool, hashing processes and counts in one place.

Jobs go from the pool to the crew, shares from the crew to the pool, the pool's verdicts into the
counts. `pause` and `resume` only stop the hashing: the pool connection stays.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from . import bitcoin
from .crew import Crew
from .meters import Shares
from .pool_client import Patience, PoolAddress, PoolClient
from .stratum import Job, Share

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the owner chose. `cpu_percent` is of one core, for each of the `threads` processes."""

    pool: PoolAddress
    worker_id: str
    user_agent: str
    threads: int = 1
    cpu_percent: float = 100.0
    nice: int = 19


class Miner:
    """Everything that hashes, until `run` is canceled."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float],
        chance: random.Random,
        patience: Patience | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.started_at = clock()
        self.shares = Shares()
        self.highest_hash_rate = 0.0
        self.job: Job | None = None
        self.stopped = False
        self.crew = Crew(
            settings.threads,
            nice=settings.nice,
            cpu_percent=settings.cpu_percent,
            on_share=self._submit,
            clock=clock,
        )
        self.pool = PoolClient(
            settings.pool,
            user_agent=settings.user_agent,
            on_job=self._take_job,
            on_share=self._take_verdict,
            patience=patience or Patience(),
            chance=chance,
        )

    @property
    def paused(self) -> bool:
        """Whether hashing was paused by its user."""
        return self.crew.paused

    async def run(self) -> None:
        """Hash for the pool for ever. Raises HasherDied in an ExceptionGroup."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.crew.run())
            group.create_task(self.pool.run())

    def pause(self) -> None:
        """Stop hashing at once and keep the pool connection."""
        _LOG.info("Paused")
        self.crew.pause()

    def resume(self) -> None:
        """Hash again, unless `stop` came before."""
        _LOG.info("Resumed")
        self.crew.resume()

    def stop(self) -> None:
        """Stop hashing for good, as xmrig's `stop` does: only a restart hashes again."""
        _LOG.info("Stopped")
        self.stopped = True
        self.crew.work_on(None)

    def _take_job(self, job: Job | None) -> None:
        self.job = job
        if not self.stopped:
            self.crew.work_on(job)

    def _submit(self, share: Share) -> None:
        # A share that is found while the pool is away has lost its job already.
        self.pool.submit(share)

    def _take_verdict(self, share: Share, refused: str | None) -> None:
        if refused is not None:
            self.shares.reject()
            _LOG.warning("Share rejected: %s", refused)
            return
        actual = bitcoin.expected_hashes(int.from_bytes(share.hash, "little"))
        self.shares.accept(share.job.difficulty_hashes, actual)
