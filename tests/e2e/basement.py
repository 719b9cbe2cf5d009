"""The real bridge without a GPU, with simulated ASICs of four protocols that are real servers."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.simulators.asic import PROTOCOLS, Options, Simulator
from tools.paths import BRIDGE_PYTHON

RIG = "basement"
HTTP_PORT = 18_081
#: Protocol, plugin, and whether its port is HTTP's.
KINDS = (
    ("braiins", "braiins", True),
    ("axeos", "axeos", True),
    ("luxos", "luxos", False),
    ("whatsminer_v2", "whatsminer_v2", False),
)
_CONFIGURATION = """\
[rig]
id = "{rig}"
allow_control = true
coast_s = {coast_s}
state_folder = "{folder}/state"
runtime_folder = "{folder}/run"
[mqtt]
port = {broker_port}
[http]
enabled = false
[asics]
stagger_s = 1
"""


class Basement:
    """A bridge and its four ASICs."""

    def __init__(
        self, folder: Path, broker_port: int, machines: list[Simulator], coast_s: float
    ) -> None:
        self.folder = folder
        self.machines = machines
        self.process: asyncio.subprocess.Process | None = None
        text = _CONFIGURATION.format(
            rig=RIG, folder=folder, broker_port=broker_port, coast_s=coast_s
        )
        for (_, plugin, http), machine in zip(KINDS, machines, strict=True):
            text += f'[[asic]]\nplugin = "{plugin}"\naddress = "{machine.address}"\n'
            text += f"interval_s = 1\n{f'port = {HTTP_PORT}' if http else ''}\n"
        (folder / "hashcenter.toml").write_text(text)

    async def start(self) -> None:
        """Run the bridge."""
        with (self.folder / "bridge.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                BRIDGE_PYTHON.with_name("hashcenter"), "run",
                "--config", str(self.folder / "hashcenter.toml"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def end(self, number: signal.Signals) -> int:
        """Send a signal to the bridge and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    def running(self) -> list[bool]:
        """Return which machines hash."""
        return [not machine.machine.look().paused for machine in self.machines]


def heater_of(machine: Simulator) -> str:
    """Return the name of a machine's heater."""
    return f"asic-{machine.mac.replace(':', '-')}"


@asynccontextmanager
async def basement(
    folder: Path, broker_port: int, *, coast_s: float = 60.0, speed: float = 20.0
) -> AsyncIterator[Basement]:
    """Run the bridge with its ASICs, whose time runs `speed` times as fast as ours."""
    async with AsyncExitStack() as stack:
        machines = [
            await stack.enter_async_context(
                PROTOCOLS[protocol](
                    Options(f"127.88.0.{n}", number=n, http_port=HTTP_PORT, speed=speed)
                )
            )
            for n, (protocol, _, _) in enumerate(KINDS, 1)
        ]
        made = Basement(folder, broker_port, machines, coast_s)
        await made.start()
        try:
            yield made
        finally:
            if made.process is not None and made.process.returncode is None:
                await made.end(signal.SIGKILL)
