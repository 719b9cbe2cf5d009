"""The nvml plugin on the fake library, in this process: the ordinary driver, unmodified."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.devices import Sample
from hashcenter_bridge.devices.nvml import Plugin
from hashcenter_bridge.devices.nvml.events import sentence
from hashcenter_bridge.devices.nvml.idle import IdleWatts
from hashcenter_bridge.devices.nvml.sources import Implausible, plausible_w, throttle_of
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.wire.values import PowerSource, Throttle
from tests.simulators.fake_nvml import RTX_3090, RTX_A4000, TESLA_P40, FakeGpus, Gpu

DEADLINE_S = 60
FORGOTTEN_S = 11.0  # a lost card is looked for again after 10 s


@pytest.fixture
def fake(gpu_folder: Path, fake_nvml: Path) -> Callable[..., FakeGpus]:
    """Put new cards into the folder; a new UUID is a new card."""

    def make(*specs: Gpu) -> FakeGpus:
        cards = [replace(spec, uuid=f"GPU-{uuid.uuid4()}") for spec in specs]
        return FakeGpus(gpu_folder, cards, library=fake_nvml)

    return make


class Clock:
    """Real time, with jumps."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


@asynccontextmanager
async def running(
    tmp_path: Path, clock: Callable[[], float] = time.monotonic, **settings: Any
) -> AsyncIterator[Plugin]:
    plugin = Plugin(
        Plugin.Config(plugin="nvml", **settings), PluginContext(tmp_path, tmp_path), clock
    )
    try:
        yield plugin
    finally:
        await plugin.close()


@contextmanager
def users_of(gpus: FakeGpus) -> Iterator[list[int]]:
    """Run a program on each card that does nothing; yield their pids."""
    users = [
        subprocess.Popen(
            [sys.executable, "-c", "print('here', flush=True)\ninput()"],
            env={**os.environ, **gpus.environment, "CUDA_VISIBLE_DEVICES": uid},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for uid in gpus.uuids
    ]
    try:
        for user in users:
            assert user.stdout is not None
            user.stdout.readline()
        yield [user.pid for user in users]
    finally:
        for user in users:
            user.kill()
            user.communicate()


def sample_of(seen: Mapping[str, Sample | DeviceFault], uid: str) -> Sample:
    sample = seen[uid]
    assert isinstance(sample, Sample), sample
    return sample


def fault_of(seen: Mapping[str, Sample | DeviceFault], uid: str) -> DeviceFault:
    fault = seen[uid]
    assert isinstance(fault, DeviceFault), fault
    return fault


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await reached():
            await asyncio.sleep(0.05)


async def test_capabilities_are_what_each_card_has(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    fake(RTX_3090, TESLA_P40, RTX_A4000)
    async with running(tmp_path) as plugin:
        rtx, p40, a4000 = await plugin.probe()
    assert rtx.model == "GeForce RTX 3090"
    assert rtx.firmware == "595.71.05"
    can = rtx.capabilities
    assert can.power_source is PowerSource.MEASURED
    assert can.idle_w == 22
    assert can.power_limit is not None
    assert (can.power_limit.min_w, can.power_limit.max_w) == (100, 350)
    assert set(can.readings) == {
        "power_w", "power_limit_w", "energy_kwh", "temp_c", "fan_percent", "utilization_percent",
        "memory_used_mib", "memory_total_mib", "clock_mhz", "memory_clock_mhz", "throttle",
        "foreign_processes",
    }  # fmt: skip
    assert set(can.readings) - set(p40.capabilities.readings) == {"fan_percent"}
    assert a4000.capabilities.readings == can.readings


async def test_a_look_tells_what_the_card_does(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, load=1.0), TESLA_P40)
    async with running(tmp_path) as plugin:
        await plugin.probe()

        async def at_full_power() -> bool:
            readings = sample_of(await plugin.read(), gpus.uuids[0]).readings
            return readings.power_w is not None and readings.power_w > 345

        await until(at_full_power)
        seen = await plugin.read()
    busy, idle = (sample_of(seen, uid) for uid in gpus.uuids)
    assert busy.energy_counter_j is not None
    assert busy.energy_counter_j > 100
    assert busy.readings.power_limit_w == 350
    assert busy.readings.utilization_percent == 100
    assert busy.readings.temp_c is not None
    assert busy.readings.throttle is Throttle.NONE
    assert busy.readings.memory_total_mib == 24576
    assert busy.readings.missing == {}
    assert idle.energy_counter_j is None
    assert idle.readings.power_w == 9
    assert idle.readings.fan_percent is None
    assert idle.readings.missing == {}


async def test_an_unsupported_reading_is_no_capability_and_a_failing_one_is_absent_with_a_reason(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, missing="utilization memory_temperature"))
    async with running(tmp_path) as plugin:
        (device,) = await plugin.probe()
        gpus.set(0, failing="temperature power memory")
        readings = sample_of(await plugin.read(), device.uid).readings
    assert "utilization_percent" not in device.capabilities.readings
    assert readings.utilization_percent is None
    assert readings.temp_c is None
    assert readings.power_w is None
    assert readings.memory_used_mib is None
    assert set(readings.missing) == {"temp_c", "power_w", "memory_used_mib", "memory_total_mib"}
    assert all("the driver answered" in reason for reason in readings.missing.values())
    assert readings.power_limit_w == 350


async def test_a_card_without_power_says_that_it_has_none(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, missing="power limit"))
    async with running(tmp_path) as plugin:
        (device,) = await plugin.probe()
        readings = sample_of(await plugin.read(), device.uid).readings
        with pytest.raises(DeviceFault, match="has no power limit to set"):
            await plugin.set_power_limit(gpus.uuids[0], 200)
    assert device.capabilities.power_source is PowerSource.NONE
    assert device.capabilities.power_limit is None
    assert readings.power_w is None
    assert readings.missing == {}


async def test_a_limit_is_set_and_read_back_and_the_watts_follow(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, replace(RTX_3090, load=1.0))
    async with running(tmp_path) as plugin:
        await plugin.probe()
        await plugin.set_power_limit(gpus.uuids[1], 200)

        async def at_the_limit() -> bool:
            readings = sample_of(await plugin.read(), gpus.uuids[1]).readings
            return readings.throttle is Throttle.POWER_LIMIT and (readings.power_w or 0) > 199.5

        await until(at_the_limit)
        seen = await plugin.read()
    assert sample_of(seen, gpus.uuids[0]).readings.power_limit_w == 350
    assert sample_of(seen, gpus.uuids[1]).readings.power_limit_w == 200
    assert sample_of(seen, gpus.uuids[1]).readings.power_w == pytest.approx(200, abs=1)


async def test_idle_watts_are_kept_for_a_start_with_a_busy_card(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, replace(RTX_3090, load=1.0))
    async with running(tmp_path) as plugin:
        devices = await plugin.probe()
        assert [device.capabilities.idle_w for device in devices] == [22, None]
    gpus.set(0, load=1.0)
    async with running(tmp_path) as plugin:
        devices = await plugin.probe()
    assert [device.capabilities.idle_w for device in devices] == [22, None]


async def test_a_refused_limit_says_what_to_do(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, limit_permission=False))
    async with running(tmp_path) as plugin:
        await plugin.probe()
        with pytest.raises(DeviceFault, match="hashcenter powerd") as not_permitted:
            await plugin.set_power_limit(gpus.uuids[0], 200)
        with pytest.raises(DeviceFault, match="takes 100 to 350 W, not 90 W"):
            await plugin.set_power_limit(gpus.uuids[0], 90)
    assert not_permitted.value.code == "limit_not_permitted"


async def test_a_lost_card_hides_no_other_and_is_found_again(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_A4000)
    clock = Clock()
    async with running(tmp_path, clock) as plugin:
        await plugin.probe()
        gpus.set(0, lost=True)
        seen = await plugin.read()
        assert fault_of(seen, gpus.uuids[0]).code == "gpu_lost"
        assert sample_of(seen, gpus.uuids[1]).readings.power_w == 15
        gpus.set(0, lost=False)
        assert fault_of(await plugin.read(), gpus.uuids[0]).code == "gpu_lost"
        clock.ahead_s += FORGOTTEN_S
        assert sample_of(await plugin.read(), gpus.uuids[0]).readings.power_w is not None


async def test_a_card_lost_at_the_start_is_left_out(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, lost=True), RTX_A4000)
    async with running(tmp_path) as plugin:
        devices = await plugin.probe()
        assert [device.uid for device in devices] == [gpus.uuids[1]]
        assert set(await plugin.read()) == {gpus.uuids[1]}


async def test_a_stuck_driver_is_a_fault_and_never_stalls_the_loop(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_A4000)
    async with running(tmp_path, timeout_s=0.5) as plugin:
        await plugin.probe()
        gpus.set(0, hang_s=3600)
        ticks = 0

        async def count() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        counting = asyncio.create_task(count())
        seen = await plugin.read()
        assert {fault_of(seen, uid).code for uid in gpus.uuids} == {"driver_wedged"}
        assert ticks > 5
        with pytest.raises(DeviceFault, match="has not answered"):
            await plugin.set_power_limit(gpus.uuids[1], 120)
        gpus.set(0, hang_s=0)

        async def answers() -> bool:
            return isinstance((await plugin.read())[gpus.uuids[0]], Sample)

        await until(answers)
        counting.cancel()


async def test_an_xid_is_told_in_a_sentence_also_after_a_card_was_lost(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_A4000)
    told: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()
    clock = Clock()
    async with running(tmp_path, clock) as plugin:
        plugin.on_event(lambda *event: told.put_nowait(event))
        await plugin.probe()

        async def heard() -> bool:
            gpus.set(1, xid=31)  # again, until the other thread listens
            await asyncio.sleep(0.2)
            return not told.empty()

        await until(heard)
        uid, code, text = told.get_nowait()
        assert (uid, code) == (gpus.uuids[1], "xid_31")
        assert "RTX A4000 (02:00.0) reported XID 31" in text
        gpus.set(0, lost=True)
        await plugin.read()
        gpus.set(0, lost=False)
        clock.ahead_s += FORGOTTEN_S
        await plugin.read()
        while not told.empty():
            told.get_nowait()
        await until(heard)


async def test_only_strangers_who_hold_memory_count_as_foreign(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(*(replace(RTX_3090, process_memory_mib=mib) for mib in (4000.0, 4000.0, 100.0)))
    with users_of(gpus) as users:
        clock = Clock()
        async with running(tmp_path, clock) as plugin:
            plugin.own_processes(lambda: frozenset({users[1]}))
            await plugin.probe()

            async def noticed() -> bool:
                clock.ahead_s += 16  # processes are listed every 15 s
                return sample_of(await plugin.read(), gpus.uuids[0]).foreign != ()

            await until(noticed)
            seen = await plugin.read()
    strange, own, small = (sample_of(seen, uid) for uid in gpus.uuids)
    assert strange.foreign == (users[0],)
    assert strange.readings.foreign_processes == 1
    assert own.foreign == small.foreign == ()
    assert own.readings.foreign_processes == 0


@pytest.mark.parametrize(
    ("reasons", "throttle"),
    [
        (0x0, Throttle.NONE),
        (0x1, Throttle.NONE),
        (0x2, Throttle.NONE),
        (0x4, Throttle.POWER_LIMIT),
        (0x4 | 0x20, Throttle.THERMAL),
        (0x8 | 0x40, Throttle.THERMAL),
        (0x8 | 0x80 | 0x40, Throttle.POWER_BRAKE),
        (0x8, Throttle.OTHER),
        (0x10, Throttle.OTHER),
    ],
)
def test_the_most_serious_reason_to_run_slowly_is_told(reasons: int, throttle: Throttle) -> None:
    assert throttle_of(reasons) is throttle


@pytest.mark.parametrize("power_w", [-1.0, 3_700_000.0, float("nan")])
def test_impossible_watts_are_no_reading(power_w: float) -> None:
    with pytest.raises(Implausible):
        plausible_w(power_w)


@pytest.mark.parametrize("text", ["", "[]", '{"GPU-1": null}', '{"GPU-1": "much"}'])
def test_a_spoiled_file_of_idle_watts_is_started_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "idle.json"
    file.write_text(text)
    idle = IdleWatts(file)
    assert idle.get("GPU-1") is None
    idle.note("GPU-1", 20)
    assert IdleWatts(file).get("GPU-1") == 20


def test_an_unknown_xid_still_is_a_sentence() -> None:
    assert sentence("GPU", 4711) == (
        "GPU reported XID 4711: the driver's manual of XID errors says what it means"
    )
