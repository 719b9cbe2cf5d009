"""A day without a broker, tick by tick: what waits to be said takes no more and more memory."""

import gc
from pathlib import Path

import pytest

from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.mqtt import Line
from tests.bridge.rigs import Bench, Devices, Hasher, gpu
from tests.brokers import HOST, free_port
from tests.chaos.scene import Figure

MOST_MB = 10.0
DAY_S = 86_400


@pytest.mark.timeout(1800)
async def test_a_day_without_a_broker_takes_ten_megabytes_at_most(
    tmp_path: Path, figure: Figure, long: bool
) -> None:
    bench = Bench(tmp_path)
    bench.devices = Devices(*(gpu(f"GPU-{number}") for number in range(4)))
    bench.miners = [Hasher(gpus=tuple(f"GPU-{number}" for number in range(4)))]
    await bench.start()
    line = Line(
        MqttConfig(host=HOST, port=free_port()), "attic", "boot",
        heard=lambda _payload, _retained: None, connected=lambda: None, born=lambda: None,
    )  # fmt: skip
    bench.loop.line = line
    await _ticks(bench, 1000)
    before_mb = _rss_mb()
    ticks = DAY_S if long else DAY_S // 40
    await _ticks(bench, ticks)
    figure("outage_ticks", ticks)
    figure("outage_rss_mb_max", grown_mb := _rss_mb() - before_mb)
    assert grown_mb <= MOST_MB


async def _ticks(bench: Bench, count: int) -> None:
    for number in range(count):
        for device in bench.devices.devices:
            bench.devices.change(device.uid, temp_c=40.0 + number % 30)
        if number % 60 == 0:
            bench.loop.tell("told", f"news {number}")
        await bench.step()


def _rss_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
