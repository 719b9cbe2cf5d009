"""The bridge's own share of a pre-emption, with the reference miner hashing.

A question arrives -> the miner is told to pause; the miner is paused -> the prompt is sent on. What
the miner takes in between is its own. The bridge's loop, its HTTP API, the client and the server
that answers run in this process, on one thread: the figure is never too good.
"""

import asyncio
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from hashcenter_bridge import app, config
from hashcenter_bridge.arbiter.types import Running
from hashcenter_bridge.key import Keys
from hashcenter_bridge.loop import Loop
from hashcenter_bridge.programs import MinerProgram
from hashcenter_bridge.watchdog import Pulse
from tests.conformance.plays import says
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream
from tests.simulators.stratum_pool import StratumPool
from tools.demo.ports import HOST, free_port

_VOICE = {"X-Hashcenter-Priority": "voice"}
_QUESTION = {"messages": [{"role": "user", "content": "Is it warm?"}], "stream": True}


@dataclass
class Moments:
    """When what happened, of the question under way."""

    told: float = 0.0
    paused: float = 0.0
    sent: float = 0.0


async def measure(repeats: int, say: Callable[[str], None]) -> dict[str, float]:
    """Return `preempt_own_ms_p50` and `preempt_own_ms_p99` of so many pre-emptions."""
    moments = Moments()

    def answer(_question: Received) -> Play:
        moments.sent = time.perf_counter()
        return says("Yes.")

    own: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with (
            ScriptedUpstream(answer) as upstream,
            _miner(folder) as miner_url,
            _bridge(folder, upstream.url, miner_url, moments) as (loop, client),
        ):
            say(f"{repeats} questions to a rig that hashes")
            (program,) = loop.rig.miners
            while len(own) < repeats:
                await _until_hashing(loop, program)
                began = time.perf_counter()
                path = "/v1/chat/completions"
                async with client.post(path, json=_QUESTION, headers=_VOICE) as response:
                    await response.read()
                    response.raise_for_status()
                if not began < moments.told < moments.paused < moments.sent:
                    raise RuntimeError("a question was answered without a pause")
                own.append((moments.told - began) + (moments.sent - moments.paused))
    ordered = sorted(1000 * one for one in own)
    say(f"own share: median {statistics.median(ordered):.1f} ms, worst {ordered[-1]:.1f} ms")
    return {
        "preempt_own_ms_p50": statistics.median(ordered),
        "preempt_own_ms_p99": ordered[int(0.99 * (len(ordered) - 1))],
    }


async def _until_hashing(loop: Loop, program: MinerProgram) -> None:
    """Wait until it hashes again; the loop would look only once a second for that."""
    async with asyncio.timeout(60):
        while program.running is not Running.ACTIVE:
            await asyncio.sleep(0.01)
            loop.wake()


@asynccontextmanager
async def _miner(folder: Path) -> AsyncIterator[str]:
    """Run the reference miner on a pool of its own."""
    pool, port, token = StratumPool(), free_port(), secrets.token_hex(8)
    (folder / "token").write_text(token)
    await pool.start()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hashcenter_bridge.reference_miner"),
        *("--pool", f"{HOST}:{pool.port}", "--http-port", str(port)),
        *("--http-access-token", token, "--http-no-restricted", "--cpu-percent", "50"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        await process.wait()
        await pool.close()


@asynccontextmanager
async def _bridge(
    folder: Path, upstream: str, miner: str, moments: Moments
) -> AsyncIterator[tuple[Loop, aiohttp.ClientSession]]:
    """Run the bridge's parts that answer, as the bridge puts them together."""
    port = free_port()
    file = folder / "hashcenter.toml"
    file.write_text(f"""
[rig]
id = "bench"
state_folder = "{folder / "state"}"
runtime_folder = "{folder / "run"}"
[http]
port = {port}
[[device]]
plugin = "cpu"
[[runner]]
plugin = "openai"
name = "voice"
gpus = []
url = "{upstream}"
[[miner]]
plugin = "xmrig"
name = "miner"
gpus = []
url = "{miner}"
token_file = "{folder / "token"}"
""")
    (folder / "state").mkdir()
    (folder / "run").mkdir()
    loop = await app.assemble(*config.load(file), app.boot_clock())
    rig = loop.rig
    # So that it hashes again at once, and the next one can begin.
    rig.rules = replace(rig.rules, resume_after_s=0.02)
    (program,) = rig.miners
    _watch(program, moments)
    people = await app.serve_people(loop, Pulse(rig.clock))
    work = [rig.metering.run(), loop.run(), program.run(), *(one.run() for one in rig.runners)]
    tasks = [asyncio.create_task(one) for one in work]
    (key, *_) = Keys(rig.config.rig.state_folder).valid()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        async with aiohttp.ClientSession(f"http://{HOST}:{port}", headers=headers) as client:
            await _until_ready(client)
            yield loop, client
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if people:
            await people.cleanup()
        await asyncio.gather(program.close(), *(one.close() for one in rig.runners))
        await rig.metering.close()


def _watch(program: MinerProgram, moments: Moments) -> None:
    """Note when the miner is told to pause, and when it is known to be paused."""
    pause, tell = program.miner.pause, program.tell

    async def noted_pause() -> None:
        moments.told = time.perf_counter()
        await pause()

    async def noted_tell(running: Running) -> None:
        await tell(running)
        if running is Running.PAUSED:
            moments.paused = time.perf_counter()

    program.miner.pause = noted_pause  # type: ignore[method-assign]
    program.tell = noted_tell  # type: ignore[method-assign]


async def _until_ready(client: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(60):
        while True:
            async with client.get("/v1/models") as response:
                if (await response.json())["data"]:
                    return
            await asyncio.sleep(0.1)
