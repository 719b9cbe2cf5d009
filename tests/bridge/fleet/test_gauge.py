"""A meter that the owner names is the truth about watts; it is only read, and never invented."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from hashcenter_bridge.devices.asic import AsicConfig, AsicSample, MeterConfig
from hashcenter_bridge.fleet.gauge import Gauge, number_at
from hashcenter_bridge.fleet.readings import disagree, published, without_user
from hashcenter_bridge.wire.values import Activity, Capabilities, Readings

SHELLY = {"id": 0, "output": True, "apower": 2911.4, "aenergy": {"total": 1.0}}
TASMOTA = {"StatusSNS": {"ENERGY": {"Power": [1200, 7]}}}


@asynccontextmanager
async def plug(answer: Callable[[], web.Response], value: str) -> AsyncIterator[Gauge]:
    async def handle(_: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.add_routes([web.get("/rpc", handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = MeterConfig(url=f"http://127.0.0.1:{port}/rpc?id=0", value=value)
    gauge = Gauge(config.model_copy(update={"interval_s": 0.05}), time.monotonic)
    task = asyncio.create_task(gauge.run())
    try:
        yield gauge
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "value", "power_w"),
    [(SHELLY, "apower", 2911.4), (TASMOTA, "StatusSNS.ENERGY.Power.0", 1200.0)],
)
async def test_a_plug_is_read(answer: dict[str, Any], value: str, power_w: float) -> None:
    async with plug(lambda: web.json_response(answer), value) as gauge:
        await until(lambda: gauge.power_w(time.monotonic()) is not None)
        assert gauge.power_w(time.monotonic()) == power_w
        assert gauge.fault is None


async def test_what_it_said_is_forgotten_after_half_a_minute() -> None:
    async with plug(lambda: web.json_response(SHELLY), "apower") as gauge:
        await until(lambda: gauge.power_w(time.monotonic()) is not None)
        assert gauge.power_w(time.monotonic() + 29.0) is not None
        assert gauge.power_w(time.monotonic() + 31.0) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: web.Response(status=401), "it answers with status 401"),
        (lambda: web.Response(text="<html>"), "Expecting value"),
        (lambda: web.json_response({"other": 1}), "it has no 'apower'"),
        (lambda: web.json_response({"apower": True}), "which are no watts"),
        (lambda: web.json_response({"apower": -5}), "which are no watts"),
        (lambda: web.json_response({"apower": "12"}), "which are no watts"),
    ],
)
async def test_a_useless_answer_is_no_watts(answer: Callable[[], web.Response], said: str) -> None:
    async with plug(answer, "apower") as gauge:
        await until(lambda: gauge.fault is not None)
        assert gauge.fault is not None
        assert said in gauge.fault
        assert gauge.power_w(time.monotonic()) is None


async def test_a_dead_plug_is_no_watts_and_its_address_tells_no_secret() -> None:
    config = MeterConfig(url="http://127.0.0.1:9/cm?user=admin&password=canary", value="x")
    gauge = Gauge(config, time.monotonic)
    task = asyncio.create_task(gauge.run())
    await until(lambda: gauge.fault is not None)
    task.cancel()
    assert gauge.fault is not None
    assert "127.0.0.1:9" in gauge.fault
    assert "canary" not in gauge.fault


@pytest.mark.parametrize("path", ["a", "a.b.c", "list.5", "list.x"])
def test_a_path_that_leads_nowhere_is_said(path: str) -> None:
    with pytest.raises(ValueError, match="it has no"):
        number_at({"a.b": 1, "list": [1]}, path)


def test_the_meter_counts_and_the_machines_own_watts_stay_visible() -> None:
    own = AsicSample(Readings(power_w=2400.0, hash_rate_mhs=1e8), Activity.HASHING, setting=80.0)
    told = published(own, Capabilities(), 2500.0)
    assert (told.power_w, told.reported_power_w) == (2500.0, 2400.0)
    assert told.joules_per_terahash == 25.0


@pytest.mark.parametrize(
    ("said_w", "true_w", "differs"),
    [
        (1000.0, 1090.0, False),
        (1000.0, 1120.0, True),
        (12.0, 16.0, False),
        (None, 5.0, False),
        (5.0, None, False),
    ],
)
def test_more_than_ten_percent_is_a_disagreement(
    said_w: float | None, true_w: float | None, differs: bool
) -> None:
    assert disagree(said_w, true_w) is differs


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("stratum+tcp://me:secret@pool.example:3333", "stratum+tcp://pool.example:3333"),
        ("pool.example:3333", "pool.example:3333"),
        ("me@pool.example", "pool.example"),
    ],
)
def test_a_pool_is_told_without_its_user(url: str, told: str) -> None:
    assert without_user(url) == told


@pytest.mark.parametrize(
    "block",
    [
        {"mac": "nonsense"},
        {"address": "http://192.168.1.20"},
        {"address": ""},
        {"meter": {"url": "http://user:secret@plug/x", "value": "a"}},
        {"meter": {"url": "ftp://plug/x", "value": "a"}},
        {"interval_s": 60},
        {"pool": "stratum+tcp://thief"},
    ],
)
def test_a_block_that_makes_no_sense_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AsicConfig(**{"plugin": "x", "address": "192.168.1.20", **block})


def test_a_mac_may_be_written_as_vendors_do() -> None:
    for text in ("AA-BB-CC-00-11-22", "aabbcc001122", "AA:bb:CC:00:11:22"):
        assert AsicConfig(plugin="x", address="h", mac=text).mac == "aa:bb:cc:00:11:22"
