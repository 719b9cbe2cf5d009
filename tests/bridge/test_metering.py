"""Looking at devices: unknown stays unknown, one slow or broken driver hides no other."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.arbiter.types import Rules
from hashcenter_bridge.devices import Sample
from hashcenter_bridge.errors import ConfigError, DeviceFault
from hashcenter_bridge.metering import Metering
from hashcenter_bridge.store import Store
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import DeviceKind, PowerSource
from tests.bridge.rigs import Devices, gpu, resting


class Meters:
    """Metering of some drivers with a clock."""

    def __init__(self, folder: Path, *drivers: Devices, **rules: Any) -> None:
        self.now = 100.0
        self.changes = 0
        self.drivers = drivers
        self.store = Store(folder, folder, lambda: self.now)
        owner = Rules(heater="attic", max_w=1000.0, **rules)
        self.metering = Metering(drivers, owner, self.store, lambda: self.now, self._change)

    def _change(self) -> None:
        self.changes += 1

    async def look(self, after_s: float = 1.0) -> None:
        self.now += after_s
        for driver in self.drivers:
            await self.metering.look(driver)


CPU = Device(uid="CPU-1", kind=DeviceKind.CPU, name="Processor")


async def test_devices_of_a_kind_are_numbered_and_keep_their_numbers(tmp_path: Path) -> None:
    first = Meters(tmp_path, Devices(gpu("a"), gpu("b")), Devices(CPU))
    await first.metering.probe()
    again = Meters(tmp_path, Devices(gpu("new")), Devices(CPU), Devices(gpu("b")))
    await again.metering.probe()
    numbers = {uid: one.device.ordinal for uid, one in again.metering.watched.items()}
    assert numbers == {"b": 1, "new": 2, "CPU-1": 0}


async def test_two_drivers_of_one_device_are_a_mistake(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices(gpu("a")), Devices(gpu("a")))
    with pytest.raises(ConfigError, match=r"two \[\[device\]\] blocks drive RTX a \(a\)"):
        await meters.metering.probe()


async def test_a_look_brings_readings_energy_and_age(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    await meters.look()
    await meters.look(after_s=10.0)
    watched = meters.metering.watched["GPU-0"]
    assert watched.readings.power_w == 20.0
    assert watched.readings.energy_kwh == pytest.approx(200.0 / 3.6e6)
    meters.now += 7.0
    assert meters.metering.seen(meters.now)[0].age_s == pytest.approx(7.0)
    assert meters.changes == 2


async def test_what_was_just_found_is_not_silent(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    seen = meters.metering.seen(meters.now)[0]
    assert seen.age_s == 0.0
    assert seen.power_w is None
    assert not seen.adjustable


async def test_a_fault_hides_readings_and_counts(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    await meters.look()
    meters.drivers[0].samples["GPU-0"] = DeviceFault("gpu_lost", "gone " * 200)
    await meters.look(after_s=40.0)
    watched = meters.metering.watched["GPU-0"]
    assert watched.readings.power_w is None
    assert watched.readings.missing["power_w"].startswith("gone")
    assert meters.metering.failures == 1
    seen = meters.metering.seen(meters.now)[0]
    assert seen.fault is not None
    assert seen.age_s == pytest.approx(40.0)
    meters.drivers[0].samples["GPU-0"] = Sample(resting())
    await meters.look()
    assert meters.metering.watched["GPU-0"].fault is None


async def test_a_driver_that_fails_whole_fails_its_own_devices_only(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices(gpu("a"), gpu("b")), Devices(gpu("c")))
    await meters.metering.probe()
    meters.drivers[0].fault = DeviceFault("driver_wedged", "it does not answer")
    await meters.look()
    faulty = {uid for uid, one in meters.metering.watched.items() if one.fault}
    assert faulty == {"a", "b"}


async def test_a_device_nobody_probed_is_ignored(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    meters.drivers[0].samples["stranger"] = Sample(resting())
    await meters.look()
    assert set(meters.metering.watched) == {"GPU-0"}


async def test_the_rig_draws_what_all_devices_with_a_meter_draw(tmp_path: Path) -> None:
    blind = gpu("blind", power_source=PowerSource.NONE)
    meters = Meters(tmp_path, Devices(gpu("a"), gpu("b"), blind))
    meters.drivers[0].samples["blind"] = Sample(resting(power_w=None))
    await meters.metering.probe()
    assert meters.metering.devices_w() is None
    await meters.look()
    assert meters.metering.devices_w() == 40.0
    meters.drivers[0].samples["b"] = Sample(resting(power_w=None))
    await meters.look()
    assert meters.metering.devices_w() is None


async def test_the_rigs_energy_is_counted_at_the_wall_and_survives(tmp_path: Path) -> None:
    def metered() -> Meters:
        return Meters(tmp_path, Devices(gpu("a"), gpu("b")), base_w=30.0, psu_efficiency=0.5)

    meters = metered()
    await meters.metering.probe()
    for _ in range(11):
        await meters.look()
    rig_j = meters.metering.rig_kwh * 3.6e6
    assert rig_j == pytest.approx(10 * (40.0 / 0.5 + 30.0))
    meters.store.save()
    again = metered()
    await again.metering.probe()
    assert again.metering.rig_kwh == pytest.approx(meters.metering.rig_kwh)


async def test_what_has_its_own_supply_is_added_as_it_is(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    before_kwh = meters.metering.rig_kwh
    meters.metering.count(0.5)
    assert meters.metering.rig_kwh == pytest.approx(before_kwh + 0.5)


@pytest.mark.parametrize(("idle_w", "reckoned_w"), [(None, 25.0), (9.0, 25.0), (60.0, 60.0)])
async def test_a_card_is_reckoned_with_a_quarter_of_its_lowest_limit_at_least(
    tmp_path: Path, idle_w: float | None, reckoned_w: float
) -> None:
    meters = Meters(tmp_path, Devices(gpu(idle_w=idle_w)))
    await meters.metering.probe()
    assert meters.metering.seen(meters.now)[0].idle_w == reckoned_w


async def test_a_card_whose_limit_cannot_be_read_cannot_be_adjusted(tmp_path: Path) -> None:
    meters = Meters(tmp_path, Devices())
    await meters.metering.probe()
    await meters.look()
    assert meters.metering.seen(meters.now)[0].adjustable
    meters.drivers[0].samples["GPU-0"] = Sample(resting(power_limit_w=None))
    await meters.look()
    assert not meters.metering.seen(meters.now)[0].adjustable


class Slow(Devices):
    """A driver whose read lasts until a test ends it."""

    def __init__(self, *devices: Device) -> None:
        super().__init__(*devices)
        self.gate = asyncio.Event()

    async def read(self) -> Mapping[str, Sample | DeviceFault]:
        await self.gate.wait()
        return await super().read()


async def test_a_slow_driver_stalls_nobody_else(tmp_path: Path) -> None:
    slow, quick = Slow(gpu("slow")), Devices(gpu("quick"))
    quick.interval_s = slow.interval_s = 0.01
    loop = asyncio.get_running_loop()
    store = Store(tmp_path, tmp_path, loop.time)
    looked = asyncio.Event()
    metering = Metering(
        (slow, quick), Rules(heater="attic", max_w=1.0), store, loop.time, looked.set
    )
    await metering.probe()
    running = asyncio.create_task(metering.run())
    async with asyncio.timeout(20):
        while quick.looks < 3:
            looked.clear()
            await looked.wait()
        assert slow.looks == 0
        slow.gate.set()
        while slow.looks < 2:
            looked.clear()
            await looked.wait()
    running.cancel()


async def test_what_was_set_is_looked_at_soon(tmp_path: Path) -> None:
    driver = Devices()
    driver.interval_s = 1000.0
    loop = asyncio.get_running_loop()
    looked = asyncio.Event()
    store = Store(tmp_path, tmp_path, loop.time)
    metering = Metering((driver,), Rules(heater="attic", max_w=1.0), store, loop.time, looked.set)
    await metering.probe()
    running = asyncio.create_task(metering.run())
    async with asyncio.timeout(20):
        await looked.wait()
        looked.clear()
        metering.look_soon("GPU-0")
        await looked.wait()
    assert driver.looks == 2
    running.cancel()
