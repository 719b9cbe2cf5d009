"""/healthz and /readyz: no key, no words of the house, and a status that says all."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hashcenter_bridge.app import _ready
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.probes import Ready, add_probes
from tests.bridge.rigs import Bench

WELL = Ready(answers=True, broker=True, readings=True)


@asynccontextmanager
async def served(
    still: Callable[[], list[str]], ready: Callable[[], Ready]
) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    add_probes(app, still, ready)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
        yield client
    await runner.cleanup()


async def test_healthz_names_what_stands_still() -> None:
    still: list[str] = []
    async with served(lambda: still, lambda: WELL) as client:
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"healthy": True, "still": []})
        still.append("metering")
        async with client.get("/healthz") as answer:
            assert (answer.status, (await answer.json())["still"]) == (503, ["metering"])


@pytest.mark.parametrize(
    ("now", "ready"),
    [
        (WELL, True),
        (replace(WELL, broker=False, readings=False), True),
        (replace(WELL, answers=False), False),
        (replace(WELL, answers=None), True),
        (replace(WELL, answers=None, broker=False), False),
        (replace(WELL, answers=None, readings=False), False),
    ],
)
async def test_readyz_is_about_the_work_that_this_rig_does(now: Ready, ready: bool) -> None:
    async with served(list, lambda: now) as client, client.get("/readyz") as answer:
        said = await answer.json()
        assert (answer.status, said["ready"]) == (200 if ready else 503, ready)
        assert said.keys() == {"ready", "answers", "broker", "readings"}


async def test_a_rig_that_only_heats_is_ready_while_it_measures(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    await bench.step()
    now = _ready(bench.loop)
    assert (now.answers, now.readings) == (None, True)
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "gone")
    await bench.step()
    assert not _ready(bench.loop).readings
