"""A rig to measure: a broker, fake GPUs and the real bridge, on loopback, in its own folder."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.simulators.fake_nvml import FakeGpus, build
from tools.demo.broker import start_broker
from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import Processes, Program
from tools.paths import BRIDGE_PYTHON, DEV, MODEL

SLOTS = 4


@dataclass(frozen=True)
class Rig:
    """A running bridge. `socket` is where its runner listens, if it has one."""

    bridge: Program
    broker_port: int
    http_port: int
    key: str
    gpus: FakeGpus
    socket: Path | None


@asynccontextmanager
async def running(folder: Path, gpus: int, *, with_model: bool) -> AsyncIterator[Rig]:
    """Run a rig with `gpus` fake GPUs and, `with_model`, the small real model in a real runner."""
    processes = Processes(folder / "logs", f"bench-{folder.name}")
    broker_port, http_port = free_port(), free_port()
    fakes = FakeGpus(folder / "gpus", gpus, library=build(DEV / "fake-nvml"))
    config = folder / "hashcenter.toml"
    config.write_text(_config(folder, broker_port, http_port, with_model=with_model))
    try:
        cli = [str(BRIDGE_PYTHON), "-m", "hashcenter_bridge.cli"]
        ask_key = [*cli, "key", "--config", str(config)]
        # Asked first, so that the bridge's bytecode exists, as it does after an installation.
        key = await asyncio.to_thread(_printed, ask_key)
        await start_broker(processes, folder, broker_port)
        command = [*cli, "run", "--config", str(config)]
        bridge = await processes.start("bridge", command, fakes.environment)
        await until_open(http_port, bridge, 30)
        socket = await _ready(folder, http_port, key.strip()) if with_model else None
        yield Rig(bridge, broker_port, http_port, key.strip(), fakes, socket)
    finally:
        await processes.stop_all()


async def _ready(folder: Path, http_port: int, key: str) -> Path:
    """Wait until the runner answers; return its socket."""
    async with asyncio.timeout(120):
        while True:
            if await _has_answered(http_port, key):
                return next((folder / "run").rglob("bench.sock"))
            await asyncio.sleep(0.5)


def _printed(command: list[str]) -> str:
    return subprocess.check_output(command, text=True)


async def _has_answered(http_port: int, key: str) -> bool:
    """Return whether the rig has answered its own first question (see /metrics)."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"http://{HOST}:{http_port}/metrics") as answer,
    ):
        return "hashcenter_first_token_seconds" in await answer.text()


def _config(folder: Path, broker_port: int, http_port: int, *, with_model: bool) -> str:
    runner = f"""
[[runner]]
plugin = "xllamacpp"
name = "bench"
gpus = []
model = "{MODEL}"
context_tokens = {SLOTS * 1024}
slots = {SLOTS}
threads = 2
"""
    return f"""
[rig]
id = "bench"
allow_control = true
state_folder = "{folder / "state"}"
runtime_folder = "{folder / "run"}"
[log]
level = "warning"
[mqtt]
port = {broker_port}
[http]
port = {http_port}
[[device]]
plugin = "nvml"
{runner if with_model else ""}"""
