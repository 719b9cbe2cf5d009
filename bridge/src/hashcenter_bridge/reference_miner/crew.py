"""The hashing processes: started once, fed with headers, paused and resumed together.

Each process rolls the whole nonce range of a header of its own. The next header takes the next
value of extranonce2, counted on for as long as the miner runs, so that nothing is tried twice even
if a pool sends the same job again. A process that ends by itself ends the miner: whoever started it
restarts it, with a reason in its log.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BridgeError
from .meters import HashRate
from .stratum import Job, Share

NONCES_PER_HEADER = 1 << 32
_ANSWER_LIMIT_BYTES = 64 * 1024


class HasherDied(BridgeError):
    """A hashing process ended by itself; `cli` reports it and the miner exits 1."""


@dataclass
class Hasher:
    """One running process and the header that it works on."""

    process: Process
    rate: HashRate
    work_id: int = 0
    job: Job | None = None
    extranonce2: int = 0

    def order(self, **fields: object) -> None:
        """Send one line; a process that has just died is noticed by its reader."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(fields).encode() + b"\n")


class Crew:
    """All hashing processes. `on_share` is called with every share they find."""

    def __init__(
        self,
        count: int,
        *,
        nice: int,
        cpu_percent: float,
        on_share: Callable[[Share], None],
        clock: Callable[[], float],
        nonces_per_header: int = NONCES_PER_HEADER,
    ) -> None:
        self._count, self._nice, self._cpu_percent = count, nice, cpu_percent
        self._on_share, self._clock = on_share, clock
        self._nonces_per_header = nonces_per_header
        self._job: Job | None = None
        self._headers_left = 0
        self._next_extranonce2 = 0
        self._paused = False
        self.hashers: list[Hasher] = []

    @property
    def paused(self) -> bool:
        """Whether the processes have been told to stop hashing."""
        return self._paused

    async def run(self) -> None:
        """Start the processes and read them for ever. Raises HasherDied.

        However this ends, no process is left behind.
        """
        try:
            for _ in range(self._count):
                self.hashers.append(await self._start())
            self.work_on(self._job)
            await asyncio.gather(*(self._read(i, h) for i, h in enumerate(self.hashers)))
        finally:
            await self._end()

    def work_on(self, job: Job | None) -> None:
        """Give every process a header of this job; None leaves them without work."""
        self._job = job
        self._headers_left = job.extranonce2_count if job else 0
        for hasher in self.hashers:
            self._assign(hasher)

    def pause(self) -> None:
        """Stop hashing at once; headers and nonces are kept."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Go on where `pause` stopped."""
        self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        for hasher in self.hashers:
            hasher.order(paused=paused)

    async def _start(self) -> Hasher:
        module = "hashcenter_bridge.reference_miner.worker"
        arguments = [str(self._nice), str(self._cpu_percent)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *arguments),
            stdin=PIPE,
            stdout=PIPE,
            limit=_ANSWER_LIMIT_BYTES,
        )
        hasher = Hasher(process, HashRate(self._clock()))
        hasher.order(paused=self._paused)
        return hasher

    def _assign(self, hasher: Hasher) -> None:
        job = hasher.job = self._job if self._headers_left > 0 else None
        hasher.work_id += 1
        if job is None:
            hasher.order(work=None)
            return
        hasher.extranonce2 = self._next_extranonce2 % job.extranonce2_count
        self._next_extranonce2 += 1
        self._headers_left -= 1
        hasher.order(
            work=hasher.work_id,
            header=job.header_prefix(hasher.extranonce2).hex(),
            target=f"{job.target:x}",
            nonces=self._nonces_per_header,
        )

    async def _read(self, index: int, hasher: Hasher) -> None:
        assert hasher.process.stdout is not None
        while line := await hasher.process.stdout.readline():
            report = json.loads(line)
            if "hashes" in report:
                hasher.rate.add(report["hashes"], self._clock())
            elif "exhausted" in report and report["exhausted"] == hasher.work_id:
                self._assign(hasher)
            elif "share" in report and report["work"] == hasher.work_id and hasher.job:
                self._on_share(Share(hasher.job, hasher.extranonce2, report["share"]))
        code = await hasher.process.wait()
        raise HasherDied(f"Hashing process {index} ended by itself (exit status {code}).")

    async def _end(self) -> None:
        for hasher in self.hashers:
            if hasher.process.returncode is None:
                hasher.process.kill()
        for hasher in self.hashers:
            await hasher.process.wait()
        self.hashers.clear()
