"""The real bridge as it runs on a rig: `hashcenter run` on Python 3.11, with an owner's file."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp

from tools.demo.asic import NAME as ASIC_NAME
from tools.demo.gpus import GPUS, MINER_CPU_PERCENT
from tools.demo.ports import HOST, until_open
from tools.demo.processes import DemoError, Processes, Program
from tools.paths import BRIDGE_PYTHON, MODEL
from tools.setup.model import MODEL_SHA256

RIG: Final = "demo"
RIG_NAME: Final = "Demo rig"
#: What the rig's owner allows, at the wall: two cards at their limit, the mainboard, the loss.
MAX_W: Final = 820.0
BASE_W: Final = 45.0

_START_WITHIN_S: Final = 60.0
_KEY_WITHIN_S: Final = 30.0
_COMMAND: Final = BRIDGE_PYTHON.with_name("hashcenter")

#: In `/metrics`.
ENERGY: Final = "hashcenter_rig_energy_kilowatt_hours_total"
POWER: Final = "hashcenter_rig_power_watts"

_CONFIGURATION: Final = """\
[rig]
id = "{rig}"
name = "{rig_name}"
allow_control = true
max_w = {max_w:.0f}
base_w = {base_w:.0f}
psu_efficiency = 0.92
unattended_w = {max_w:.0f}
state_folder = "{state}"
runtime_folder = "{runtime}"

[mqtt]
host = "{host}"
port = {broker_port}

[http]
listen = "{host}"
port = {http_port}

[[device]]
plugin = "nvml"

[[runner]]
plugin = "xllamacpp"
name = "smollm2"
alias = "SmolLM2-135M"
model = "{model}"
sha256 = "{sha256}"
"""

_ASIC: Final = """
[[asic]]
plugin = "braiins"
name = "{name}"
address = "{host}"
port = {port}
starts_per_day = 96
"""

#: A polite miner would starve on a machine that does other things, and its GPU would draw nothing.
_MINER: Final = """
[[miner]]
plugin = "xmrig"
name = "gpu{gpu}"
gpus = [{gpu}]
nice = 0
command = [
  "hashcenter-miner", "--cpu-percent={percent}", "--nice=0",
  "--pool={host}:{pool_port}", "--user=demo.gpu{gpu}",
]
"""


class Bridge:
    """The bridge of the demo's rig: its file, its key, its process."""

    def __init__(
        self,
        processes: Processes,
        folder: Path,
        runtime: Path,
        *,
        broker_port: int,
        http_port: int,
        gpus: Mapping[str, str],
    ) -> None:
        """Take what the file will say.

        `runtime` is for sockets, whose paths must be short; `gpus` is the environment that shows
        the fake GPUs.
        """
        self.http_port = http_port
        self.program: Program | None = None
        self._folder = folder
        self._runtime = runtime
        self._broker_port = broker_port
        self._processes = processes
        self._environment = dict(gpus)

    @property
    def configuration(self) -> Path:
        """The owner's file."""
        return self._folder / "hashcenter.toml"

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.program is not None and self.program.running

    async def start(self, pool_port: int, asic_port: int) -> None:
        """Write the owner's file and run the bridge; returns once its HTTP API is open."""
        self._folder.mkdir(parents=True, exist_ok=True)
        asic = _ASIC.format(name=ASIC_NAME, host=HOST, port=asic_port)
        self.configuration.write_text(self._text(pool_port) + asic)
        await self.start_again()

    async def start_again(self) -> None:
        """Run the bridge with the file that is there."""
        command: list[str | Path] = [_COMMAND, "run", "--config", self.configuration]
        self.program = await self._processes.start("bridge", command, self._environment)
        await until_open(self.http_port, self.program, _START_WITHIN_S)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self.program is not None
        await self._processes.kill(self.program)

    def _text(self, pool_port: int) -> str:
        rig = _CONFIGURATION.format(
            rig=RIG,
            rig_name=RIG_NAME,
            max_w=MAX_W,
            base_w=BASE_W,
            state=self._folder / "state",
            runtime=self._runtime,
            host=HOST,
            broker_port=self._broker_port,
            http_port=self.http_port,
            model=MODEL,
            sha256=MODEL_SHA256,
        )
        miners = (
            _MINER.format(gpu=gpu, host=HOST, pool_port=pool_port, percent=MINER_CPU_PERCENT)
            for gpu in range(GPUS)
        )
        return rig + "".join(miners)

    async def metrics(self) -> dict[str, float]:
        """Return what `/metrics` says, by name and labels."""
        headers = {"Authorization": f"Bearer {await self.key()}"}
        url = f"http://{HOST}:{self.http_port}/metrics"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            lines = [line for line in (await answer.text()).splitlines() if line[:1] != "#"]
        return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}

    async def key(self) -> str:
        """Return the rig's key as its owner would read it."""
        process = await asyncio.create_subprocess_exec(
            *(_COMMAND, "key", "--config", self.configuration),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        async with asyncio.timeout(_KEY_WITHIN_S):
            said, complained = await process.communicate()
        if process.returncode != 0:
            raise DemoError(f"`hashcenter key` failed: {complained.decode().strip()}")
        return said.decode().strip()
