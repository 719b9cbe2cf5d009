"""Programs that hash on this machine. The arbiter decides when; the loop pauses and resumes them.

A miner is a child process of the bridge (`child` says how to start it) or one that somebody else
started (`child` is None).
"""

from dataclasses import dataclass
from typing import Protocol

from ..child import ChildSpec
from ..plugin import ProgramConfig


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
    """One mining program; every call raises MinerFault when it does not answer."""

    name: str
    config: ProgramConfig
    gpus: tuple[str, ...]
    child: ChildSpec | None
    #: One that cannot pause is stopped instead, which takes longer and gives its memory back.
    can_pause: bool

    async def read(self) -> MinerReading:
        """Return what it says of itself now."""

    async def pause(self) -> None:
        """Ask it to pause; a return means it said yes, what it does is read afterwards."""

    async def resume(self) -> None:
        """Ask it to hash again."""

    async def close(self) -> None:
        """Let go of it; the child is stopped by whoever started it."""
