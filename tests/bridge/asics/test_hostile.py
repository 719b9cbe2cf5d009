"""What every driver of an ASIC survives: slow, broken, deaf and rebooting machines."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity

from .machines import CANARY, MAKES, Make, driver_for, loopback, paired, simulator_for
from .test_contract import RESTING, places

KNOWN = {"unreachable", "unreadable", "login_failed", "refused", "other_device", "busy"}


@pytest.fixture(params=sorted(MAKES))
def make(request: pytest.FixtureRequest) -> Make:
    return MAKES[request.param]


async def test_nobody_there_is_a_fault_with_the_address(make: Make, tmp_path: Path) -> None:
    address = loopback()
    driver = driver_for(make, address, tmp_path)
    for call in (driver.probe, driver.read):
        with pytest.raises(DeviceFault) as raised:
            await call()
        assert raised.value.code == "unreachable"
        assert address in raised.value.text
    await driver.close()


@pytest.mark.parametrize("how", ["broken", "hangs_up"])
async def test_half_an_answer_is_a_fault_and_never_a_reading(
    make: Make, tmp_path: Path, how: str
) -> None:
    async with paired(make, tmp_path) as pair:
        setattr(pair.simulator.hostile, how, True)
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.read()
        assert raised.value.code in {"unreachable", "unreadable"}
        assert pair.simulator.address in raised.value.text
        setattr(pair.simulator.hostile, how, False)
        assert (await pair.driver.read()).activity is Activity.HASHING


async def test_stray_commas_and_nuls_are_read(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, dirty=True) as pair:
        assert (await pair.driver.read()).activity is Activity.HASHING


async def test_a_success_without_effect_is_seen_as_such(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, deaf=True) as pair:
        before = await pair.driver.read()
        if pair.device.capabilities.can_pause:
            await pair.driver.pause()
        for place in places(pair.device.capabilities)[:1]:
            await pair.driver.set(place)
        after = await pair.driver.read()
        assert after.activity is Activity.HASHING
        assert after.setting == before.setting


async def test_a_slow_look_can_be_cancelled_for_a_verb(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        if not pair.device.capabilities.can_pause:
            return
        pair.simulator.hostile.delay_s, pair.simulator.hostile.delays = 21, 1
        look = asyncio.create_task(pair.driver.read())
        await asyncio.sleep(0.2)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        began = time.monotonic()
        await pair.driver.pause()
        assert pair.simulator.writes[0].at - began < 2
        await pair.until(lambda sample: sample.activity in RESTING)


async def test_a_lost_pool_is_said(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path) as pair:
        pair.simulator.hostile.pools_lost = True
        sample = await pair.until(
            lambda sample: (
                not any(pool.active and pool.connected is not False for pool in sample.pools)
            )
        )
        assert sample.activity is not Activity.PAUSED


async def test_a_reboot_because_of_a_setting_is_told_by_its_uptime(
    make: Make, tmp_path: Path
) -> None:
    async with paired(make, tmp_path, reboots_on_set=True) as pair:
        before = await pair.driver.read()
        for place in places(pair.device.capabilities)[:1]:
            await pair.driver.set(place)
            after = await pair.until(lambda _: True, within_s=20)
            if before.uptime_s is not None:
                assert after.uptime_s is not None
                assert after.uptime_s < before.uptime_s
            assert after.activity in {Activity.STARTING, Activity.HASHING, Activity.IDLE}


async def test_a_restart_is_survived(make: Make, tmp_path: Path) -> None:
    async with paired(make, tmp_path, speed=200) as pair:
        if not pair.device.capabilities.can_restart:
            with pytest.raises(DeviceFault):
                await pair.driver.restart()
            return
        await pair.driver.restart()
        assert pair.simulator.machine.reboots == 1
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.read()
        assert raised.value.code in KNOWN
        await pair.until(lambda sample: sample.activity is Activity.HASHING, within_s=30)
        assert (await pair.driver.probe()).uid == pair.device.uid


async def test_no_fault_and_no_log_carries_a_secret(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{CANARY}\n")
    address = loopback()
    caplog.set_level(logging.DEBUG)
    texts = []
    async with simulator_for(make, address) as simulator:
        driver = driver_for(make, address, tmp_path, password_file=secret)
        for call in (driver.probe, driver.read, driver.pause, driver.resume, driver.restart):
            try:
                await call()
            except DeviceFault as fault:
                texts.append(f"{fault.code}: {fault.text}")
        await driver.close()
    assert {text.partition(":")[0] for text in texts} <= KNOWN
    said = " ".join([*texts, caplog.text])
    assert CANARY not in said
    assert "owner." not in said, "no worker either"
    assert simulator.mac
