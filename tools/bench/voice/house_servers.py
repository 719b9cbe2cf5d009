"""The two servers: a rig with its bridge, and llama.cpp alone; the same weights and flags."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Final

import aiohttp

from tools.bench.voice.house_prompts import Prompt, prompt_of
from tools.demo.broker import start_broker
from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import Processes, Program, until
from tools.paths import BRIDGE_PYTHON, MODEL, ROOT

_CONTEXT_TOKENS: Final = 8192
_SLOTS: Final = 2
_BATCH_TOKENS: Final = 512
_THREADS: Final = 2
_MODEL: Final = "bench"
_RUNNER: Final = "bench"
_TEMPLATE: Final = ROOT / "tools/bench/voice/house_template.jinja"
_START_WITHIN_S: Final = 90.0


class Rig:
    """A rig with the real bridge, which keeps a prompt after `unchanged_s`."""

    def __init__(self, folder: Path, processes: Processes, unchanged_s: float) -> None:
        self._folder = folder
        self._processes = processes
        self._unchanged_s = unchanged_s
        self._bridge: Program | None = None
        self.broker_port = free_port()
        self._http_port = free_port()
        self._config = folder / "hashcenter.toml"
        self.key = ""

    async def start(self) -> None:
        """Start the broker, then the bridge."""
        self._config.write_text(self._text())
        ask = [str(BRIDGE_PYTHON), "-m", "hashcenter_bridge.cli", "key", "--config"]
        command = [*ask, str(self._config)]
        self.key = (await asyncio.to_thread(subprocess.check_output, command, text=True)).strip()
        await start_broker(self._processes, self._folder, self.broker_port)
        await self._begin()

    async def restart(self) -> None:
        """Restart the bridge and its runner; returns when the runner is healthy."""
        assert self._bridge is not None
        await self._processes.stop(self._bridge)
        await self._begin()

    async def has_saved(self) -> bool:
        """Whether a prompt is on the disk."""
        found = (self._folder / "state/prompts").rglob("*")
        return any(path.is_file() and path.stat().st_size > 1 << 20 for path in found)

    async def prompt(self) -> Prompt | None:
        """Return what its runner reads and answers now."""
        return await prompt_of("http://runner", self._folder / f"run/programs/{_RUNNER}.sock")

    async def _begin(self) -> None:
        run = [str(BRIDGE_PYTHON), "-m", "tools.bench.voice.house_bridge", str(self._unchanged_s)]
        command = [*run, "run", "--config", str(self._config)]
        self._bridge = await self._processes.start("bridge", command)
        await until_open(self._http_port, self._bridge, _START_WITHIN_S)
        await until("the rig answers", self._answers, _START_WITHIN_S)

    async def _answers(self) -> bool:
        headers = {"Authorization": f"Bearer {self.key}"}
        body = {"messages": [{"role": "user", "content": "x"}]}
        url = f"http://{HOST}:{self._http_port}/hashcenter/tokens"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(url, json=body) as answer,
        ):
            return answer.status == 200

    def _text(self) -> str:
        return f"""
[rig]
id = "bench"
state_folder = "{self._folder / "state"}"
runtime_folder = "{self._folder / "run"}"
[log]
level = "warning"
[mqtt]
port = {self.broker_port}
[http]
port = {self._http_port}
[[device]]
plugin = "cpu"
[[runner]]
plugin = "xllamacpp"
name = "{_RUNNER}"
gpus = []
model = "{MODEL}"
alias = "{_MODEL}"
context_tokens = {_CONTEXT_TOKENS}
slots = {_SLOTS}
batch_tokens = {_BATCH_TOKENS}
threads = {_THREADS}
chat_template = "{_TEMPLATE}"
"""


class Bare:
    """llama.cpp's server on a port of the loopback interface."""

    model = _MODEL

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._server: Program | None = None
        self.port = free_port()

    async def start(self) -> None:
        """Start it; returns when it is healthy."""
        settings = {
            "model": str(MODEL),
            "alias": _MODEL,
            "socket": "",
            "context_tokens": _CONTEXT_TOKENS,
            "slots": _SLOTS,
            "batch_tokens": _BATCH_TOKENS,
            "micro_batch_tokens": _BATCH_TOKENS,
            "gpu_layers": None,
            "threads": _THREADS,
            "embeddings": False,
            "chat_template": str(_TEMPLATE),
            "prompt_folder": None,
            "prompt_cache_mib": 1024,
        }
        program = [str(BRIDGE_PYTHON), "-m", "tools.bench.voice.house_bare", str(self.port)]
        self._server = await self._processes.start("bare", [*program, json.dumps(settings)])
        await until_open(self.port, self._server, _START_WITHIN_S)
        await until("llama.cpp answers", self._healthy, _START_WITHIN_S)

    async def restart(self) -> None:
        """Restart it; returns when it is healthy."""
        assert self._server is not None
        await self._processes.kill(self._server)
        await self.start()

    async def prompt(self) -> Prompt | None:
        """Return what it reads and answers now."""
        return await prompt_of(f"http://{HOST}:{self.port}")

    async def _healthy(self) -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{HOST}:{self.port}/health") as answer,
        ):
            return answer.status == 200
