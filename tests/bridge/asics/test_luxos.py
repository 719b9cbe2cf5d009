"""What LuxOS sends, and what is made of it."""

from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import luxos
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity, PowerSource
from tests.simulators.asic.luxos import Luxos

from .machines import MAKES, driver_for, paired
from .recorded import Recorded

READ = {"config", "summary", "power", "temps", "fans", "pools", "profiles", "events", "version"}
#: Recorded as well: single boards and chips, which nobody asked for yet.
LEFT = {"devs", "stats"} | {
    f"{name}_{board}" for name in ("healthchipget", "voltageget") for board in range(3)
}


@pytest.fixture
def replies(shared_fixtures: Path) -> Recorded:
    found = Recorded(shared_fixtures / "asic/luxminer/v1")
    assert found.names() == READ | LEFT
    return found


def test_a_real_machine(replies: Recorded) -> None:
    config, version = replies["config"], replies["version"]
    device = luxos.device(
        "10.0.0.7", config, replies["profiles"], replies["power"], version, knob=True
    )
    assert device.uid == "62:f7:5e:b7:10:46"
    assert device.model == "Antminer S19k Pro"
    assert device.firmware == "2025.4.8.220305-57b389c7"
    can = device.capabilities
    assert can.power_source is PowerSource.ESTIMATED
    listed = {row["Profile Name"]: row["Watts"] for row in replies["profiles"]["PROFILES"]}
    assert {step.name: step.power_w for step in can.steps} == {
        name: watts for name, watts in listed.items() if watts <= listed["default"]
    }
    assert (can.steps[0].name, can.steps[-1].name) == ("190MHz", "default")
    assert can.nominal_w == listed["290MHz"] == 1188

    sample = luxos.sample(
        config, replies["summary"], replies["power"], replies["temps"], replies["fans"],
        replies["pools"], replies["events"],
    )  # fmt: skip
    readings = sample.readings
    assert sample.activity is Activity.HASHING
    assert sample.setting is None, "its thermal management (ATM) chooses the profile"
    assert readings.power_w == 1051
    assert readings.hash_rate_mhs == pytest.approx(59_756_060)
    assert readings.expected_hash_rate_mhs == pytest.approx(121_800_000)
    assert readings.temp_c == 47
    assert readings.inlet_temp_c == 34
    assert (readings.fan_rpm, readings.fan_percent) == (2340, 20)
    assert (readings.shares_accepted_total, readings.shares_rejected_total) == (1483, 1)
    assert readings.best_share == 32768
    assert sample.mining_s == 3453
    assert sample.mac == device.uid
    assert [pool.connected for pool in sample.pools] == [True, False, True, False]
    # It works in two groups at once.
    assert [pool.active for pool in sample.pools] == [True, False, True, False]
    config["CONFIG"][0]["IsAtmEnabled"] = False
    told = [replies[name] for name in ("summary", "power", "temps", "fans", "pools")]
    assert luxos.sample(config, *told).setting == "290MHz"


def test_its_events_carry_the_vendors_codes(replies: Recorded) -> None:
    first, second = luxos.faults(replies["events"])
    assert first.code == "vendor_reboot_not_hashing"
    assert second.text == "Miner shutdown due to NOPIC protection. (NOPIC_PROTECTION)"


def test_a_profile_above_the_default_is_no_place_unless_it_is_set(replies: Recorded) -> None:
    config = replies["config"]
    assert max(step.power_w for step in luxos.steps(config, replies["profiles"])) == 2794
    config["CONFIG"][0]["Profile"] = "640MHz"
    assert max(step.power_w for step in luxos.steps(config, replies["profiles"])) == 3119


@pytest.mark.parametrize("answer", [None, [], "no", {"CONFIG": [{"MACAddr": 5}]}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    luxos.sample(answer, answer, answer, answer, answer, answer, answer)
    with pytest.raises(DeviceFault):
        luxos.device("10.0.0.7", answer, answer, answer, answer, knob=True)


async def test_a_session_that_somebody_else_holds_is_not_taken_away(tmp_path: Path) -> None:
    async with paired(MAKES["luxos"], tmp_path) as pair:
        pair.simulator.hostile.session_taken = True
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.pause()
        assert raised.value.code == "busy"
        assert pair.simulator.writes == []
        pair.simulator.hostile.session_taken = False
        await pair.driver.pause()
        assert isinstance(pair.simulator, Luxos)
        assert pair.simulator.session is None, "it logs off again"


async def test_thermal_management_stays_on_unless_its_owner_allows_it(tmp_path: Path) -> None:
    async with paired(MAKES["luxos"], tmp_path) as pair:
        simulator = pair.simulator
        assert isinstance(simulator, Luxos)
        simulator.stored["atm"] = True
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.set("290MHz")
        assert raised.value.code == "refused"
        assert (await pair.driver.probe()).capabilities.steps == ()
        assert simulator.writes == []
        allowed = driver_for(MAKES["luxos"], simulator.address, tmp_path, turn_off_atm=True)
        await allowed.probe()
        await allowed.set("290MHz")
        assert [write.what for write in simulator.writes] == ["atm off", "profile 290MHz"]


async def test_a_sleep_outlasts_a_reboot(tmp_path: Path) -> None:
    async with paired(MAKES["luxos"], tmp_path) as pair:
        await pair.driver.pause()
        await pair.driver.restart()
        await pair.until(lambda sample: sample.activity is Activity.PAUSED, within_s=20)
        assert pair.device.capabilities.keeps_pause
