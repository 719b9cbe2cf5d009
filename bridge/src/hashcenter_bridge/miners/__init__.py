"""Programs that hash on this machine. The arbiter decides when; the loop pauses and resumes them.

A miner is a child process of the bridge (`child` says how to start it) or one that somebody else
started (`child` is None).
"""

from dataclasses import dataclass
from typing import Protocol

from ..child import ChildSpec


@dataclass(frozen=True)
class MinerReading:
    """What a miner says of itself. `hash_rate_hs` is in hashes per second."""

    paused: bool
    hash_rate_hs: float | None
    shares_accepted: int
    shares_rejected: int
    pool_connected: bool | None
    algorithm: str | None = None


class Miner(Protocol):
    """One mining program.

    All three calls raise MinerFault when it does not answer. Pause and resume return when the
    program said yes; what it really does is read afterwards.
    """

    name: str
    gpus: tuple[str, ...]
    child: ChildSpec | None

    async def read(self) -> MinerReading: ...

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...

    async def close(self) -> None: ...
