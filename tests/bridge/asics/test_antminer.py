"""What stock Antminers send, and what is made of it."""

import re
from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import antminer
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity, PowerSource
from tests.simulators.asic.antminer import Antminer

from .machines import MAKES, driver_for, paired
from .recorded import Recorded

CONF = {
    "bitmain-fan-ctrl": False, "bitmain-fan-pwm": "80", "bitmain-freq-level": "100",
    "bitmain-work-mode": "0",
    "pools": [{"url": "a", "user": "b", "pass": "c"}, {"url": "", "user": "", "pass": ""}],
}  # fmt: skip


@pytest.fixture
def replies(shared_fixtures: Path) -> Recorded:
    found = Recorded(shared_fixtures / "asic/antminer/v2020")
    # `devs` and `version` say nothing that is not in the others.
    assert found.names() == {"devs", "pools", "stats", "summary", "system_info", "version"}
    return found


def test_a_real_machine(replies: Recorded) -> None:
    info, row = replies["system_info"], replies["stats"]["STATS"][1]
    device = antminer.device("10.0.0.3", info, CONF, None, None)
    # The recorded MAC was made unreadable (02:55:97:22:3M:72), so its serial number is its name.
    assert device.uid == "THQING0BDJAB024NF"
    assert device.mac is None
    assert device.model == "Antminer S21"
    assert device.firmware == "FR-1.12(251009-S21)"
    assert device.capabilities.power_source is PowerSource.ESTIMATED
    sample = antminer.sample(info, CONF, replies["stats"], replies["summary"], replies["pools"])
    readings = sample.readings
    assert sample.activity is Activity.HASHING
    assert readings.hash_rate_mhs == pytest.approx(110_566_890)
    assert readings.expected_hash_rate_mhs == row["total_rateideal"] * 1000 == 110_000_000
    assert readings.chip_temp_c == 78
    assert readings.temp_c == 73
    assert readings.fan_rpm == 6000
    assert (readings.shares_accepted_total, readings.shares_rejected_total) == (4057, 11)
    assert readings.best_share == 12_904_207_043
    assert sample.mining_s == 50474
    assert [pool.active for pool in sample.pools] == [True, False, False]
    assert sample.pools[0].url == "stratum+tcp://btc.global.luxor.tech:700"
    # 110.6 TH/s of an S21's 200 TH/s at 3500 W.
    assert readings.power_w == pytest.approx(20 + 3480 * 110.566_89 / 200, abs=1)


def test_a_model_without_a_nameplate_has_no_watts(replies: Recorded) -> None:
    info = {**replies["system_info"], "minertype": "Antminer Z9"}
    device = antminer.device("10.0.0.3", info, CONF, None, None)
    assert device.capabilities.power_source is PowerSource.NONE
    assert "power_w" not in device.capabilities.readings
    sample = antminer.sample(info, CONF, replies["stats"], replies["summary"], replies["pools"])
    assert sample.readings.power_w is None


@pytest.mark.parametrize(
    ("model", "watts"),
    [("Antminer S19j Pro+", 3355), ("Antminer S19j Pro", 3068), ("Antminer S21", 3500),
     ("Antminer S21 Pro", 3510), ("Antminer S9", None), (None, None)],
)  # fmt: skip
def test_nameplates_are_found_by_the_longest_name(model: str | None, watts: float | None) -> None:
    found = antminer.nameplate(model)
    assert (found[0] if found else None) == watts


def test_everything_is_sent_back_as_it_was() -> None:
    body = antminer.with_mode("10.0.0.3", CONF, 1)
    assert body == {
        "bitmain-fan-ctrl": False, "bitmain-fan-pwm": "80", "freq-level": "100", "miner-mode": 1,
        "pools": CONF["pools"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "conf", [None, {}, {"pools": []}, {"pools": [{"url": "a", "user": "b"}]}, {"pools": "none"}]
)
def test_pools_that_cannot_be_sent_back_are_never_risked(conf: object) -> None:
    with pytest.raises(DeviceFault, match=re.escape("its pools")):
        antminer.with_mode("10.0.0.3", conf, 1)


def test_firmware_without_modes_is_only_read() -> None:
    conf = {name: value for name, value in CONF.items() if name != "bitmain-work-mode"}
    info = {"serinum": "S1", "minertype": "Antminer S19"}
    can = antminer.device("10.0.0.3", info, conf, None, 2000.0).capabilities
    assert not can.can_pause
    assert can.steps == ()


@pytest.mark.parametrize("answer", [None, [], "no", {"macaddr": 5}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    antminer.sample(answer, answer, answer, answer, answer)
    with pytest.raises(DeviceFault):
        antminer.device("10.0.0.3", answer, answer, None, None)


async def test_a_sleep_outlasts_a_reboot_and_it_wakes_in_the_mode_it_had(tmp_path: Path) -> None:
    async with paired(MAKES["antminer"], tmp_path, speed=200) as pair:
        await pair.driver.set("low")
        await pair.until(lambda sample: sample.activity is Activity.HASHING, within_s=20)
        await pair.driver.pause()
        await pair.driver.restart()
        asleep = await pair.until(lambda sample: sample.activity is Activity.PAUSED, within_s=20)
        assert asleep.readings.hash_rate_mhs == 0
        await pair.driver.resume()
        assert isinstance(pair.simulator, Antminer)
        assert pair.simulator.stored["bitmain-work-mode"] == "3"


async def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    async with paired(MAKES["antminer"], tmp_path) as pair:
        address = pair.simulator.address
        driver = driver_for(MAKES["antminer"], address, tmp_path, password_file=wrong)
        with pytest.raises(DeviceFault) as raised:
            await driver.probe()
        await driver.close()
    assert raised.value.code == "login_failed"
