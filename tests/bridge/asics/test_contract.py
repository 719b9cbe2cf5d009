"""What every driver of an ASIC does, beside its simulated machine."""

import asyncio
import time
from pathlib import Path

import pytest

from hashcenter_bridge.devices.asic import AsicDriver, Setting
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import Activity, Capabilities, DeviceKind, PowerSource, Readings

from .machines import MAKES, Make, driver_for, loopback, paired, simulator_for

RESTING = {Activity.PAUSED, Activity.OFF, Activity.IDLE}


@pytest.fixture(params=sorted(MAKES))
def make(request: pytest.FixtureRequest) -> Make:
    return MAKES[request.param]


def places(can: Capabilities) -> list[Setting]:
    """Return the lowest and the highest place of the knob, if there is one."""
    if can.steps:
        return [can.steps[0].name, can.steps[-1].name]
    if can.percent:
        return [can.percent.min_percent, can.percent.max_percent]
    return [can.power_limit.min_w, can.power_limit.max_w] if can.power_limit else []


def has_verbs(device: Device) -> bool:
    can = device.capabilities
    return can.can_pause or can.can_restart or bool(places(can))


async def test_it_says_who_it_is_and_what_it_can(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        assert pair.device.uid == make.uid(pair.simulator)
        assert pair.device.mac == (pair.simulator.mac if make.has_mac else None)
        assert pair.device.kind is DeviceKind.ASIC
        assert pair.device.url == f"http://{pair.simulator.address}"
        assert pair.device.firmware
        assert pair.simulator.spec_now.model in (pair.device.model or "")
        can = pair.device.capabilities
        assert set(can.readings) <= set(Readings.model_fields)
        knobs = [can.power_limit is not None, can.percent is not None, bool(can.steps)]
        assert sum(knobs) <= 1
        assert [step.power_w for step in can.steps] == sorted(step.power_w for step in can.steps)
        again = await pair.driver.probe()
        assert again.uid == pair.device.uid


async def test_it_reads_the_numbers_of_the_machine(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, speed=1) as pair:
        sample = await pair.driver.read()
        readings, machine = sample.readings, pair.simulator.machine.look()
        assert sample.activity is Activity.HASHING
        assert sample.mac in (None, pair.simulator.mac)
        assert readings.hash_rate_mhs == pytest.approx(machine.hash_ths * 1e6, rel=0.02)
        can = pair.device.capabilities
        if can.power_source is PowerSource.NONE:
            assert readings.power_w is None
        else:
            close = 0.01 if can.power_source is PowerSource.MEASURED else 0.1
            assert readings.power_w == pytest.approx(machine.meter_w, rel=close, abs=1)
        hottest = max(filter(None, (readings.temp_c, readings.chip_temp_c)))
        assert hottest == pytest.approx(machine.chip_c, abs=1)
        if "shares_accepted_total" in can.readings:
            assert readings.shares_accepted_total == pytest.approx(machine.shares, abs=5)
        assert sample.uptime_s is None or sample.uptime_s == pytest.approx(machine.uptime_s, abs=9)
        (working,) = [pool for pool in sample.pools if pool.active]
        assert "pool.example" in working.url
        assert working.worker
        assert working.connected is not False
        said = {name for name, value in readings if value is not None and name != "missing"}
        assert said == set(can.readings), "it promises what it reads, and reads what it promises"


async def test_a_pause_is_a_pause_and_ends(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        can = pair.device.capabilities
        if not can.can_pause:
            with pytest.raises(DeviceFault) as refusal:
                await pair.driver.pause()
            assert refusal.value.code == "refused"
            return
        await pair.driver.pause()
        resting = await pair.until(
            lambda sample: sample.activity in RESTING and not sample.readings.hash_rate_mhs
        )
        assert pair.simulator.machine.paused
        if can.power_source is not PowerSource.NONE:
            idle_w = (can.idle_w or 0.0) * 1.5 + 5
            resting = await pair.until(lambda sample: (sample.readings.power_w or 0) <= idle_w)
        assert resting.activity is not Activity.HASHING
        await pair.driver.resume()
        await pair.until(lambda sample: sample.activity is Activity.HASHING, within_s=30)
        assert not pair.simulator.machine.paused


async def test_the_knob_turns_and_is_read_back(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        for place in places(pair.device.capabilities):
            await pair.driver.set(place)
            sample = await pair.until(lambda sample, place=place: sample.setting == place)  # type: ignore[misc]
            assert sample.setting == place
            if pair.device.capabilities.reboots_on_set:
                continue
            assert pair.simulator.machine.reboots == 0


async def test_lowest_and_highest_place_draw_what_was_promised(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, speed=400) as pair:
        can, machine = pair.device.capabilities, pair.simulator.machine
        promised = {step.name: step.power_w for step in can.steps}
        for place in places(can):
            await pair.driver.set(place)
            if can.percent:
                power_w = can.percent.full_w * float(place) / 100
            else:
                power_w = promised[place] if isinstance(place, str) else place
            async with asyncio.timeout(20):
                while abs(machine.look().power_w - power_w) > 0.06 * power_w + 2:
                    await asyncio.sleep(0.05)


async def test_a_lower_setting_is_no_new_limit(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, speed=200) as pair:
        found = places(pair.device.capabilities)
        if not found:
            return
        await pair.driver.set(found[0])
        await pair.until(lambda sample: sample.setting == found[0], within_s=20)
        assert places((await pair.driver.probe()).capabilities) == found
        await pair.driver.set(found[-1])
        await pair.until(lambda sample: sample.setting == found[-1], within_s=20)


async def test_a_setting_changes_nothing_else(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        before = pair.simulator.settings()
        assert any("pool" in str(value) for value in before.values()), "pools are watched"
        can = pair.device.capabilities
        for place in places(can):
            await pair.driver.set(place)
            await pair.until(lambda _: True, within_s=20)
        if can.can_pause:
            await pair.driver.pause()
            await pair.until(lambda sample: sample.activity in RESTING, within_s=20)
            await pair.driver.resume()
            await pair.until(lambda sample: sample.activity is Activity.HASHING, within_s=30)
        after = pair.simulator.settings()
        knob = pair.simulator.knob
        changed = {key for key in before if before[key] != after[key]}
        assert changed <= knob
        assert set(before) == set(after)


async def test_what_cannot_be_set_is_refused_and_not_tried(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        can = pair.device.capabilities
        wrong: list[Setting] = ["no such step"]
        if can.power_limit:
            wrong.append(can.power_limit.max_w + 1)
        if can.percent:
            wrong.append(can.percent.max_percent + 1)
        for place in wrong:
            with pytest.raises(DeviceFault) as refusal:
                await pair.driver.set(place)
            assert refusal.value.code == "refused"
        assert pair.simulator.writes == []


async def every_verb(driver: AsicDriver, device: Device) -> list[DeviceFault]:
    """Try each verb the device has, and return what each raised."""
    can = device.capabilities
    tries = [driver.pause, driver.resume] if can.can_pause else []
    tries += [driver.restart] if can.can_restart else []
    faults = []
    for verb in tries:
        with pytest.raises(DeviceFault) as raised:
            await verb()
        faults.append(raised.value)
    for place in places(can):
        with pytest.raises(DeviceFault) as raised:
            await driver.set(place)
        faults.append(raised.value)
    return faults


async def test_nothing_is_written_to_another_machine_at_the_address(
    make: Make, tmp_path: Path
) -> None:
    async with paired(make, tmp_path) as pair:
        await pair.driver.read()
        await pair.simulator.stop()
        stranger = simulator_for(make, pair.simulator.address, number=99)
        async with stranger:
            faults = await every_verb(pair.driver, pair.device)
            assert [fault.code for fault in faults] == ["other_device"] * len(faults)
            assert faults or not has_verbs(pair.device)
        assert stranger.writes == []


async def test_a_pinned_mac_is_never_another_machine(make: Make, tmp_path: Path) -> None:
    address = loopback()
    async with simulator_for(make, address) as simulator:
        driver = driver_for(make, address, tmp_path, mac="02:00:00:00:00:01")
        with pytest.raises(DeviceFault) as raised:
            await driver.probe()
        assert raised.value.code == "other_device"
        await driver.close()
    assert simulator.writes == []


async def test_nothing_is_written_before_it_said_who_it_is(make: Make, tmp_path: Path) -> None:
    address = loopback()
    async with simulator_for(make, address) as simulator:
        driver = driver_for(make, address, tmp_path)
        with pytest.raises(DeviceFault):
            await driver.pause()
        await driver.close()
    assert simulator.writes == []


async def test_its_own_driver_recognizes_it_and_no_other_does(make: Make) -> None:
    address = loopback()
    async with simulator_for(make, address) as simulator:
        port = simulator.options.http_port if make.http else make.plugin.ports[0]
        found = await make.plugin.recognize(address, port)
        assert found is not None
        assert found.uid == (make.uid(simulator) if make.tells_mac else address)
        assert make.plugin.ports
        for other in {one.plugin for one in MAKES.values()} - {make.plugin}:
            if set(other.ports) & set(make.plugin.ports):
                assert await other.recognize(address, port) is None, other.__module__
    began = time.monotonic()
    assert await make.plugin.recognize(address, port) is None
    assert time.monotonic() - began < 3
    assert simulator.writes == []
