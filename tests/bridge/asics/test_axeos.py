"""What AxeOS sends, and what is made of it."""

from pathlib import Path

import pytest

from hashcenter_bridge.devices.asic import HasScreen
from hashcenter_bridge.devices.asics import axeos
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity

from .machines import MAKES, paired
from .recorded import Recorded


def test_a_real_bitaxe_just_started(shared_fixtures: Path) -> None:
    replies = Recorded(shared_fixtures / "asic/bitaxe/v2_0_0")
    assert replies.names() == {"system_info"}
    info = replies["system_info"]
    device = axeos.device("10.0.0.5", info, None)
    assert device.uid == "aa:bb:cc:dd:ee:ff"
    assert device.model == "Bitaxe BM1368"
    assert device.firmware == "v2.4.5-3-gb5d1e36-dirty"
    # This firmware knows no pause, and says no other frequency than the one it runs at.
    assert not device.capabilities.can_pause
    assert [step.name for step in device.capabilities.steps] == ["490 MHz"]
    sample = axeos.sample(info)
    readings = sample.readings
    assert readings.power_w == pytest.approx(2.65, abs=1e-6)
    assert readings.temp_c == readings.chip_temp_c == 59.875
    assert readings.regulator_temp_c == 78
    assert readings.fan_percent == 35
    assert readings.fan_rpm == 3517
    assert readings.clock_mhz == 490
    assert readings.hash_rate_mhs == 1_000_000
    assert readings.expected_hash_rate_mhs is None
    assert (readings.shares_accepted_total, readings.shares_rejected_total) == (0, 0)
    assert readings.best_share == 483_000
    assert sample.setting == "490 MHz"
    assert sample.uptime_s == 4
    first, fallback = sample.pools
    assert (first.url, first.worker) == ("btc.example.pool:3333", "asic-rs.test")
    assert fallback.url == "btc2.example.pool:3333"
    assert (first.active, fallback.active) == (True, False)
    assert first.connected is None
    # 2.65 W just after a start are no measure of what it draws at work.
    assert device.capabilities.nominal_w == 16.0


INFO = {
    "ASICModel": "BM1370", "macAddr": "02:00:00:00:00:07", "frequency": 500, "power": 17.0,
    "hashRate": 1010.0, "expectedHashrate": 1020.0, "uptimeSeconds": 900, "miningPaused": False,
}  # fmt: skip
ASIC = {"defaultFrequency": 525, "frequencyOptions": [400, 490, 525, 550, 600], "asicCount": 1}


def test_no_frequency_above_what_it_was_built_or_set_for() -> None:
    assert axeos.frequencies(INFO, ASIC) == [400, 490, 500, 525]
    assert axeos.frequencies({**INFO, "frequency": 575}, ASIC) == [400, 490, 525, 550, 575]
    assert axeos.frequencies({}, {"frequencyOptions": "none"}) == []


def test_watts_of_a_frequency_come_from_what_it_draws_now() -> None:
    assert axeos.watts(INFO, ASIC, 500) == 17.0
    assert axeos.watts(INFO, ASIC, 400) == pytest.approx(14.3, abs=0.05)
    cold = {**INFO, "uptimeSeconds": 5, "power": 2.5}
    assert axeos.watts(cold, ASIC, 525) == 18.0


@pytest.mark.parametrize(
    ("changes", "activity"),
    [
        ({}, Activity.HASHING),
        ({"miningPaused": True, "hashRate": 0}, Activity.PAUSED),
        ({"shutdown": True}, Activity.OFF),
        ({"hashRate": 0, "uptimeSeconds": 10}, Activity.STARTING),
        ({"hashRate": 0}, Activity.IDLE),
        ({"hashRate": 0, "overheat_mode": 1}, Activity.FAULT),
    ],
)
def test_what_it_does(changes: dict[str, object], activity: Activity) -> None:
    assert axeos.sample({**INFO, **changes}).activity is activity


def test_what_is_not_known_is_not_zero() -> None:
    sample = axeos.sample({"macAddr": "02:00:00:00:00:07", "power": "inf", "temp": -1})
    known = {name: value for name, value in sample.readings if value is not None}
    assert known == {"missing": {}}
    assert sample.setting is None
    assert sample.pools == ()


@pytest.mark.parametrize(
    "answer", [None, [], "no", {"macAddr": 5}, {"macAddr": "00:00:00:00:00:00"}]
)
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    assert not axeos.is_axeos(answer)
    axeos.sample(answer)
    with pytest.raises(DeviceFault):
        axeos.device("10.0.0.5", answer, answer)


async def test_overheating_lowers_the_stored_frequency_and_says_so(tmp_path: Path) -> None:
    async with paired(MAKES["axeos"], tmp_path, speed=60) as pair:
        assert (await pair.driver.read()).protecting is None
        pair.simulator.machine.room_c = 45.0
        hot = await pair.until(lambda sample: sample.protecting is not None)
        assert [fault.code for fault in hot.faults] == ["too_hot"]
        pair.simulator.machine.room_c = 20.0
        after = await pair.until(lambda sample: sample.activity is Activity.HASHING)
        assert after.setting != "525 MHz"


async def test_its_screen_goes_dark_and_comes_back_and_nothing_else_is_changed(
    tmp_path: Path,
) -> None:
    async with paired(MAKES["axeos"], tmp_path, speed=60) as pair:
        assert (await pair.driver.probe()).capabilities.can_darken
        assert isinstance(pair.driver, HasScreen)
        before = pair.simulator.settings()
        assert (await pair.driver.read()).display == before["displayTimeout"] == -1
        await pair.driver.show(0)
        assert (await pair.driver.read()).display == 0
        assert pair.simulator.settings() == {**before, "displayTimeout": 0}
        await pair.driver.show(-1)
        assert pair.simulator.settings() == before


def test_a_firmware_that_says_nothing_of_its_screen_has_none() -> None:
    assert axeos.display(INFO) is None
    assert not axeos.capabilities(INFO, ASIC).can_darken
