"""The real bridge on a rig of fake GPUs with a real miner: a process, and all that it started."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

from tests.bridge.processes import until
from tests.brokers import HOST, free_port
from tests.simulators.fake_nvml import RTX_3090, FakeGpus, Gpu
from tests.simulators.stratum_pool import StratumPool
from tools.paths import BRIDGE_PYTHON

RIG = "attic"
COMMAND = BRIDGE_PYTHON.with_name("hashcenter")
BASE_W = 50.0

_CONFIGURATION = """\
[rig]
id = "{rig}"
allow_control = true
max_w = 500
base_w = {base_w}
coast_s = {coast_s}
state_folder = "{folder}/state"
runtime_folder = "{folder}/run"
[mqtt]
port = {broker_port}
keepalive_s = 5
{mqtt}
[http]
port = {http_port}
[log]
level = "debug"
[[device]]
plugin = "nvml"
{device}
{programs}
"""
_MINER = """\
[[miner]]
plugin = "xmrig"
name = "miner"
command = ["hashcenter-miner", "--pool={host}:{pool_port}", "--user=e2e", "--cpu-percent=20"]
"""


class RealRig:
    """A rig with RTX 3090s that are fully busy with a tenth of a processor core each.

    `mqtt` and `device` are more lines of the owner's file, `programs` its runners and miners (a
    real miner, if not said); `environment` is the bridge's.
    """

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        pool: StratumPool,
        library: Path,
        *,
        coast_s: float = 1800.0,
        gpus: int = 1,
        model: Gpu = RTX_3090,
        mqtt: str = "",
        device: str = "",
        programs: str | None = None,
    ) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self.http_port = free_port()
        self.file = folder / "hashcenter.toml"
        self.log = folder / "bridge.log"
        gpu = replace(model, full_load_cores=0.1)
        self.gpus = FakeGpus(folder / "gpus", [gpu] * gpus, library=library)
        self.process: asyncio.subprocess.Process | None = None
        if programs is None:
            programs = _MINER.format(host=HOST, pool_port=pool.port)
        self.file.write_text(
            _CONFIGURATION.format(
                rig=RIG, base_w=BASE_W, coast_s=coast_s, folder=folder, broker_port=broker_port,
                http_port=self.http_port, mqtt=mqtt, device=device, programs=programs,
            )
        )  # fmt: skip

    async def start(self) -> None:
        """Run the bridge; what it says of itself comes over the broker."""
        self.process = await self._run("run")

    async def hashcenter(self, *arguments: str) -> tuple[int, str]:
        """Run another command of the owner; return its status and what it printed."""
        process = await self._run(*arguments, capture=True)
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    async def _run(self, *arguments: str, capture: bool = False) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                COMMAND,
                *arguments,
                "--config",
                str(self.file),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if capture else log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **self.gpus.environment, **self.environment},
            )

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return await self.process.wait()

    def processes(self) -> list[int]:
        """Return every living process that was started with this rig's GPUs before its eyes."""
        mark = f"FAKE_NVML_DIR={self.gpus.folder}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return sorted(found)

    async def until_gone(self) -> None:
        """Wait until nothing is left of it."""
        await until(lambda: not self.processes())

    async def clean_up(self) -> None:
        """End whatever is left; the test says whether there should have been anything."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self.until_gone()
