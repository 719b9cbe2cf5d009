"""What Prometheus, Grafana, probes and log readers get of a real bridge that hashes and answers."""

import asyncio
import json
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.brokers import HOST, Broker
from tests.e2e.house import house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.fake_nvml import RTX_3090
from tests.simulators.stratum_pool import StratumPool
from tools.paths import MODEL, ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DASHBOARD = ROOT / "docs/grafana/hashcenter.json"
PATIENCE_S = 120.0
_RUNNER = f"""
[[runner]]
plugin = "xllamacpp"
name = "voice"
gpus = []
threads = 1
model = "{MODEL}"
"""
_MINER = """
[[miner]]
plugin = "xmrig"
name = "miner"
command = ["hashcenter-miner", "--pool={pool}", "--user=e2e", "--cpu-percent=20"]
"""
#: What a Grafana dashboard for NVIDIA's DCGM exporter asks for and a GPU of a home can say.
DCGM = {
    "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_MEM_CLOCK",
}  # fmt: skip


def queried() -> set[str]:
    """Return every metric that the dashboard asks for."""
    asked: list[str] = []

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            asked.extend(part[key] for key in ("expr", "query") if isinstance(part.get(key), str))
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                walk(one)

    walk(json.loads(DASHBOARD.read_text()))
    return {name for text in asked for name in re.findall(r"\bhashcenter_\w+", text)}


class Watcher:
    """Asks the rig what it says of itself; fails the test when it takes too long."""

    def __init__(self, client: aiohttp.ClientSession, key: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}"}

    async def until_status(self, path: str, status: int) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    async with self.client.get(path) as answer:
                        if answer.status == status:
                            said: dict[str, Any] = await answer.json()
                            return said
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)

    async def metrics(self) -> dict[str, str]:
        async with self.client.get("/metrics", headers=self.headers) as answer:
            text = await answer.text()
        return {
            re.split(r"[{ ]", line, maxsplit=1)[0]: line
            for line in text.splitlines()
            if not line.startswith("#")
        }

    async def until_metrics(self, names: set[str]) -> dict[str, str]:
        shown: dict[str, str] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while names - shown.keys():
                    await asyncio.sleep(0.2)
                    shown = await self.metrics()
        except TimeoutError:
            pytest.fail(f"never shown: {sorted(names - shown.keys())}")
        return shown


@pytest.mark.skipif(not MODEL.is_file(), reason="the small model is not fetched yet")
@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
async def test_every_metric_of_the_dashboard_is_shown_by_a_bridge_that_works(
    broker: Broker, pool: StratumPool, fake_nvml: Path, tmp_path: Path
) -> None:
    miner = _MINER.format(pool=f"{HOST}:{pool.port}")
    rig = RealRig(
        *(tmp_path, broker.port, pool, fake_nvml),
        model=replace(RTX_3090, missing=""),
        programs=_RUNNER + miner,
    )
    rig.file.write_text(rig.file.read_text().replace("[log]", '[log]\nformat = "json"'))
    _, key = await rig.hashcenter("key")
    try:
        async with (
            house(broker.port, RIG) as home,
            aiohttp.ClientSession(f"http://{HOST}:{rig.http_port}") as client,
        ):
            watcher = Watcher(client, key.strip())
            await rig.start()
            assert (await watcher.until_status("/healthz", 200))["still"] == []
            ready = await watcher.until_status("/readyz", 200)
            assert (ready["ready"], ready["answers"]) == (True, True)
            assert await home.ask("lease", power_w=200.0, ttl_s=300.0) == "accepted"
            body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
            async with client.post(
                "/v1/chat/completions", json=body, headers=watcher.headers
            ) as answer:
                assert answer.status == 200, await answer.text()
            shown = await watcher.until_metrics(queried() | DCGM)
            assert f'hashcenter_rig_info{{rig="{RIG}"' in shown["hashcenter_rig_info"]
            assert 'modelName="GeForce RTX 3090"' in shown["DCGM_FI_DEV_POWER_USAGE"]
            await rig.hashcenter("stop")
            assert (await watcher.until_status("/readyz", 503))["answers"] is False
            assert await rig.end(signal.SIGTERM) == 0
    finally:
        await rig.clean_up()
    lines = [line for line in rig.log.read_text().splitlines() if line.startswith("{")]
    said = [json.loads(line) for line in lines]
    assert any(one["part"] == "app" and one["text"].startswith("rig attic") for one in said)
    assert all(one.keys() >= {"time", "level", "part", "text"} for one in said)


def test_the_dashboard_asks_for_many_things_of_its_own() -> None:
    assert len(queried()) >= 25
