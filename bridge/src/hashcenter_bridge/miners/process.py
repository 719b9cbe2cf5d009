"""Any mining program that the bridge starts: it hashes while it runs, and stops at SIGTERM.

Nothing is asked of it, so nothing is known of its hash rate, its shares and its pool; its watts are
its GPUs', held to their power limits. Stopping it gives its memory back, which a pause would not.
"""

from typing import Annotated, Literal

from pydantic import Field

from ..child import ChildSpec
from ..errors import MinerFault
from ..plugin import MinerConfig, PluginContext, ProgramConfig
from . import MinerReading
from .local import beside_us


class Plugin:
    """One program of the owner's choice. `[[miner]]` with `plugin = "process"`."""

    can_pause = False

    class Config(MinerConfig):
        """The owner's `[[miner]]` block: what to start, with its pool and its wallet.

        After SIGTERM it has `stop_after_s` seconds before it is killed.
        """

        plugin: Literal["process"]
        command: Annotated[tuple[str, ...], Field(min_length=1)]
        environment: dict[str, str] = Field(default_factory=dict)
        nice: int = Field(default=10, ge=0, le=19)
        stop_after_s: float = Field(default=5.0, ge=1, le=120)

    def __init__(self, config: Config, gpus: tuple[str, ...], _context: PluginContext) -> None:
        self.name = config.name
        self.config: ProgramConfig = config
        self.gpus = gpus
        self.child: ChildSpec | None = ChildSpec(
            config.name,
            beside_us(config.command),
            config.environment,
            nice=config.nice,
            stop_after_s=config.stop_after_s,
        )

    async def read(self) -> MinerReading:
        """Return that it runs, and nothing else: it was not asked."""
        return MinerReading(
            paused=False,
            hash_rate_hs=None,
            shares_accepted=0,
            shares_rejected=0,
            pool_connected=None,
        )

    async def pause(self) -> None:
        """Refuse. Raises MinerFault."""
        raise MinerFault("miner_refused", f"{self.name} cannot pause; it is stopped instead")

    async def resume(self) -> None:
        """Refuse. Raises MinerFault."""
        raise MinerFault("miner_refused", f"{self.name} cannot resume; it is started instead")

    async def close(self) -> None:
        """Nothing is held; the child is stopped by whoever started it."""
