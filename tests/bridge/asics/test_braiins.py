"""What Braiins OS sends, and what is made of it."""

import asyncio
from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import braiins
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity

from .machines import MAKES, paired
from .recorded import Recorded

READ = {
    "miner_details", "miner_stats", "performance_tuner_state", "configuration_miner",
    "cooling_state", "pools",
}  # fmt: skip
#: Recorded as well: what the driver has no use for.
LEFT = {"actions_locate", "miner_hw_hashboards", "network", "version", "miner_errors"}


@pytest.fixture(params=["v25_11", "v26_04"])
def replies(request: pytest.FixtureRequest, shared_fixtures: Path) -> Recorded:
    found = Recorded(shared_fixtures / "asic/braiins" / request.param)
    assert found.names() == READ | LEFT
    return found


def test_real_machines(replies: Recorded) -> None:
    details, stats, cooling = (
        replies["miner_details"], replies["miner_stats"], replies["cooling_state"],
    )  # fmt: skip
    configuration, tuner = replies["configuration_miner"], replies["performance_tuner_state"]
    sample = braiins.sample(details, stats, tuner, configuration, cooling, replies["pools"])
    readings, work = sample.readings, stats["miner_stats"]
    assert sample.activity is Activity.HASHING
    assert sample.mac == details["mac_address"] == replies["network"]["mac_address"]
    assert sample.uptime_s == details["system_uptime_s"]
    assert sample.setting == configuration["tuner"]["power_target"]["watt"]
    assert readings.power_w == stats["power_stats"]["approximated_consumption"]["watt"]
    rate = work["real_hashrate"]["last_15s"]["gigahash_per_second"] * 1000
    assert readings.hash_rate_mhs == rate
    nominal = work["nominal_hashrate"]["gigahash_per_second"] * 1000
    assert readings.expected_hash_rate_mhs == nominal
    assert readings.chip_temp_c == readings.temp_c
    assert readings.temp_c == cooling["highest_temperature"]["temperature"]["degree_c"]
    assert readings.fan_rpm == max(fan["rpm"] for fan in cooling["fans"])
    assert readings.fan_percent == cooling["fans"][0]["target_speed_ratio"] * 100
    assert readings.shares_accepted_total == stats["pool_stats"]["accepted_shares"]
    assert readings.shares_rejected_total == stats["pool_stats"]["rejected_shares"]
    assert readings.best_share == stats["pool_stats"]["best_share"]
    listed = replies["pools"][0]["pools"]
    assert [pool.url for pool in sample.pools] == [pool["url"] for pool in listed]
    assert [pool.active for pool in sample.pools] == [pool["active"] for pool in listed]
    assert sample.faults == ()


def test_one_that_scales_itself_down_says_so(shared_fixtures: Path) -> None:
    replies = Recorded(shared_fixtures / "asic/braiins/v25_11")
    sample = braiins.sample(
        replies["miner_details"], replies["miner_stats"], replies["performance_tuner_state"],
        replies["configuration_miner"], replies["cooling_state"], replies["pools"],
    )  # fmt: skip
    assert sample.setting == 3031
    assert sample.protecting is not None
    assert "2431 W" in sample.protecting


def test_its_long_list_of_errors_becomes_a_few_with_codes(replies: Recorded) -> None:
    told = replies["miner_errors"]
    codes = {code["code"].lower() for error in told["errors"] for code in error["error_codes"]}
    found = braiins.errors(told)
    assert len(found) == min(3, len(codes))
    assert {fault.code.removeprefix("vendor_") for fault in found} <= codes
    assert all(fault.text for fault in found)


CONSTRAINTS = {
    "tuner_constraints": {
        "power_target": {"min": {"watt": 900}, "default": {"watt": 3068}, "max": {"watt": 5000}}
    }
}
DETAILS = {"mac_address": "02:00:00:00:00:09", "status": 2, "bosminer_uptime_s": 9000}


def test_no_target_above_what_it_was_built_or_set_for() -> None:
    def limits(**tuner: object) -> object:
        told = {"tuner": {"enabled": True, **tuner}}
        return braiins.device("10.0.0.6", DETAILS, told, CONSTRAINTS).capabilities.power_limit

    built = limits(power_target={"watt": 2500})
    assert built is not None
    assert (built.min_w, built.max_w) == (900, 3068)  # type: ignore[attr-defined]
    tuned = limits(power_target={"watt": 3600})
    assert tuned.max_w == 3600  # type: ignore[attr-defined]
    assert limits(power_target=None, hashrate_target={"terahash_per_second": 90}) is None
    assert limits(enabled=False, power_target={"watt": 2500}) is None


@pytest.mark.parametrize(
    ("status", "activity"),
    [(1, Activity.OFF), (2, Activity.IDLE), (3, Activity.PAUSED), (4, Activity.FAULT)],
)
def test_what_it_does(status: int, activity: Activity) -> None:
    dead = [{"pools": [{"url": "a", "user": "b", "alive": False, "active": False}]}]
    sample = braiins.sample({**DETAILS, "status": status}, {}, {}, {}, {}, dead)
    assert sample.activity is activity


@pytest.mark.parametrize("answer", [None, [], "no", {"mac_address": 5}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    braiins.sample(answer, answer, answer, answer, answer, answer)
    assert braiins.errors(answer) == ()
    with pytest.raises(DeviceFault):
        braiins.device("10.0.0.6", answer, answer, answer)


async def test_an_expired_token_is_renewed(tmp_path: Path) -> None:
    async with paired(MAKES["braiins"], tmp_path) as pair:
        await pair.driver.read()
        # From now on each token is too old when it comes back: this is no password problem of ours
        # to solve, but it has to be said.
        pair.simulator.hostile.token_ttl_s = 0.0
        with pytest.raises(DeviceFault) as raised:
            await pair.driver.read()
        assert raised.value.code == "login_failed"
        pair.simulator.hostile.token_ttl_s = 0.3
        await pair.driver.pause()
        await asyncio.sleep(0.4)
        await pair.driver.resume()
        assert [write.what for write in pair.simulator.writes] == [
            "actions/pause",
            "actions/resume",
        ]
