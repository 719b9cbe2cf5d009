"""What VNish sends by its description, and what is made of it: no real replies were at hand."""

from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import vnish
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity
from tests.simulators.asic import Options
from tests.simulators.asic.machine import Spec
from tests.simulators.asic.vnish import Vnish

from .machines import MAKES, driver_for, loopback, paired

INFO = {
    "fw_version": "1.3.4",
    "system": {"network_status": {"mac": "02:00:00:00:00:0A"}, "uptime": "1 day, 2:03:04"},
}
PERFORMANCE = {"current_preset": {"name": "3250"}}


def test_the_percent_is_of_the_preset() -> None:
    percent = vnish.device("10.0.0.8", INFO, None, PERFORMANCE, None).capabilities.percent
    assert percent is not None
    assert (percent.min_percent, percent.max_percent, percent.full_w) == (20, 100, 3250)


def test_older_firmware_has_the_presets_that_were_tuned() -> None:
    presets = [
        {"name": "1500", "status": "tuned"}, {"name": "2900", "status": "untuned"},
        {"name": "3250", "status": "tuned"},
        {"name": "3600", "status": "tuned", "modded_psu_required": True},
        {"name": "disabled", "status": "tuned"},
    ]  # fmt: skip
    old = {**INFO, "fw_version": "1.2.6"}
    can = vnish.device("10.0.0.8", old, None, PERFORMANCE, presets).capabilities
    assert can.percent is None
    assert [step.name for step in can.steps] == ["1500", "3250"]
    assert can.reboots_on_set
    assert can.stored


@pytest.mark.parametrize(
    ("state", "activity"),
    [
        ("mining", Activity.HASHING), ("auto-tuning", Activity.HASHING),
        ("starting", Activity.STARTING), ("stopped", Activity.PAUSED),
        ("paused", Activity.PAUSED), ("failure", Activity.FAULT), ("new word", Activity.HASHING),
    ],
)  # fmt: skip
def test_what_it_does(state: str, activity: Activity) -> None:
    summary = {"miner": {"hr_realtime": 90_000.0, "miner_status": {"miner_state": state}}}
    assert vnish.sample(INFO, summary).activity is activity


def test_the_vendors_failure_is_told_with_its_code() -> None:
    status = {"miner_state": "failure", "failure_code": 36, "description": "Chain 2 is broken"}
    (fault,) = vnish.sample(INFO, {"miner": {"miner_status": status}}).faults
    assert (fault.code, fault.text) == ("vendor_36", "Chain 2 is broken (36)")


def test_hash_rates_come_in_the_unit_it_says() -> None:
    summary = {"miner": {"hr_realtime": 9.5}}
    assert vnish.sample({**INFO, "hr_measure": "MH/s"}, summary).readings.hash_rate_mhs == 9.5
    assert vnish.sample({**INFO, "hr_measure": "GH/s"}, summary).readings.hash_rate_mhs == 9500


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1 day, 2:03:04", 93784), ("3:04", 11040), ("2 days", 172800), (77, 77), ("soon", None)],
)
def test_uptimes_are_written_in_many_ways(text: object, seconds: float | None) -> None:
    assert vnish.uptime_s(text) == seconds


def test_the_firmwares_own_fee_is_no_pool_of_the_owner() -> None:
    listed = [
        {"url": "a", "user": "me", "status": "active", "pool_type": "UserPool"},
        {"url": "b", "user": "they", "status": "active", "pool_type": "DevFee"},
    ]
    (pool,) = vnish.pools({"pools": listed})
    assert (pool.url, pool.active, pool.connected) == ("a", True, True)


@pytest.mark.parametrize("answer", [None, [], "no", {"system": {"network_status": 5}}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    vnish.sample(answer, answer)
    with pytest.raises(DeviceFault):
        vnish.device("10.0.0.8", answer, answer, answer, answer)


async def test_a_preset_is_sent_with_the_rest_as_it_was(tmp_path: Path) -> None:
    old = Spec(**{**vars(Vnish.spec), "firmware": "1.2.6"})
    address = loopback()
    async with Vnish(Options(address, http_port=18_080, speed=60), old) as simulator:
        driver = driver_for(MAKES["vnish"], address, tmp_path)
        await driver.probe()
        before = simulator.settings()
        await driver.set("1500")
        assert simulator.settings() == {**before, "preset": "1500"}
        assert (await driver.read()).setting == "1500"
        with pytest.raises(DeviceFault):
            await driver.set("2900")
        await driver.close()


async def test_another_machine_is_not_told_the_password(tmp_path: Path) -> None:
    async with paired(MAKES["vnish"], tmp_path) as pair:
        await pair.simulator.stop()
        other = Vnish(Options(pair.simulator.address, number=99, http_port=18_080))
        other.password = "another"
        async with other:
            with pytest.raises(DeviceFault) as raised:
                await pair.driver.pause()
        assert raised.value.code == "other_device"
