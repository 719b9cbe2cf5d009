"""A house under fault: broker, bad network, real rig, who asks, and who watches from beside.

On leaving, whatever was done to it: nothing was executed twice, no counter fell, nobody was called
offline who was heard a moment ago, no process is left, and no secret was said anywhere.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hashcenter_bridge.wire.messages import RigState
from tests.brokers import Broker
from tests.chaos.meter import Meter, meter
from tests.chaos.witness import Witness, witness
from tests.e2e.house import House, house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.stratum_pool import StratumPool
from tests.simulators.tcp_proxy import TcpProxy

PASSWORD = "canary-of-the-broker-5f1e"
#: A GPU that only rests draws less; one that hashes at its lowest limit draws more.
RESTING_W = 60.0
HEATING_W = 200.0

Figure = Callable[[str, float], None]


@dataclass
class Scene:
    """Everything a test of faults acts on. `figure` notes a measured value."""

    broker: Broker
    network: TcpProxy
    rig: RealRig
    home: House
    witness: Witness
    meter: Meter
    figure: Figure
    said_offline: int = 0
    secrets: list[str] = field(default_factory=list)

    async def heat(self, *, above_w: float = HEATING_W, **fields: Any) -> None:
        """Start the bridge unless it runs, and have its GPU hash with many watts."""
        if self.rig.process is None or self.rig.process.returncode is not None:
            self.home.forget()
            await self.rig.start()
        asked = {"power_w": 400.0, "ttl_s": 300.0, **fields}
        assert await self.home.ask("lease", **asked) == "accepted"
        await self.meter.above(above_w)

    async def back(self, since: float) -> float:
        """Return after how many seconds since `since` the bridge was heard again."""
        word = await self.witness.next_word(since)
        return word.at - since

    async def until_state(self, holds: Callable[[RigState], bool]) -> RigState:
        """Wait for a live heartbeat for which this holds."""
        return await self.home.until_state(holds)

    def check(self) -> None:
        """Assert what holds in every story."""
        log = self.rig.log.read_text(errors="replace") if self.rig.log.exists() else ""
        leaks = [one for one in self.secrets if one in log or self.witness.says(one)]
        figures = {
            "requests_executed_twice": self.witness.executed_twice,
            "false_offline": max(0, self.witness.false_offline - self.said_offline),
            "energy_backwards": self.witness.energy_backwards,
            "secrets_leaked": len(leaks),
            "orphans": len(self.rig.processes()),
        }
        for name, value in figures.items():
            self.figure(name, value)
        assert figures == dict.fromkeys(figures, 0), f"{figures}\n{log[-3000:]}"
        assert not re.search(r"Traceback|never retrieved", log), log[-6000:]


@asynccontextmanager
async def scene(
    folder: Path,
    library: Path,
    figure: Figure,
    *,
    persistence: bool = False,
    **rig: Any,
) -> AsyncIterator[Scene]:
    """Open a scene; the test starts the bridge. `rig`: what `RealRig` takes."""
    broker = Broker("mosquitto", folder, persistence=persistence)
    await broker.start()
    secret = folder / "password"
    secret.write_text(PASSWORD)
    account = f'username = "attic"\npassword_file = "{secret}"'
    try:
        async with (
            StratumPool(difficulty=0.00003) as pool,
            TcpProxy(broker.port) as network,
            witness(broker.port) as seen,
            house(broker.port, RIG) as home,
        ):
            made = RealRig(folder, network.port, pool, library, mqtt=account, **rig)
            status, key = await made.hashcenter("key")
            assert status == 0, key
            async with meter(made.gpus) as watts:
                opened = Scene(broker, network, made, home, seen, watts, figure)
                opened.secrets = [PASSWORD, key.strip()]
                try:
                    yield opened
                finally:
                    broker.thaw()
                    await made.clean_up()
                opened.check()
    finally:
        await broker.stop()


async def rest_until(moment: float) -> None:
    """Sleep until this monotonic moment."""
    await asyncio.sleep(max(0.0, moment - time.monotonic()))
