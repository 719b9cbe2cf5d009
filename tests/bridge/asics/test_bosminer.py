"""What an older Braiins OS sends by its description, and what is made of it."""

from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import bosminer
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity

from .machines import MAKES, driver_for, paired

ALIVE = {"POOLS": [{"URL": "a", "User": "b", "Status": "Alive", "Stratum Active": True}]}
DEAD = {"POOLS": [{"URL": "a", "User": "b", "Status": "Dead", "Stratum Active": False}]}


@pytest.mark.parametrize(
    ("rate", "elapsed", "pools", "activity"),
    [
        (1e7, 9000, ALIVE, Activity.HASHING), (0, 9000, ALIVE, Activity.PAUSED),
        (0, 30, ALIVE, Activity.STARTING), (0, 9000, DEAD, Activity.IDLE),
    ],
)  # fmt: skip
def test_it_never_says_that_it_is_paused(
    rate: float, elapsed: int, pools: object, activity: Activity
) -> None:
    summary = {"SUMMARY": [{"MHS 5s": rate, "Elapsed": elapsed}]}
    assert bosminer.sample(None, summary, None, None, None, pools).activity is activity


def test_one_that_does_not_tune_has_no_knob() -> None:
    interfaces = [{"macaddr": "02:00:00:00:00:09"}]
    can = bosminer.device("10.0.0.9", interfaces, None, None, None, 700.0).capabilities
    assert can.power_limit is None
    assert can.can_pause


@pytest.mark.parametrize("answer", [None, {}, "no", [{"macaddr": 5}]])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    bosminer.sample(answer, answer, answer, answer, answer, answer)
    with pytest.raises(DeviceFault):
        bosminer.device("10.0.0.9", answer, answer, answer, answer, 700.0)


async def test_what_was_set_lower_can_be_set_higher_again(tmp_path: Path) -> None:
    async with paired(MAKES["bosminer"], tmp_path, speed=200) as pair:
        await pair.driver.set(800)
        limits = (await pair.driver.probe()).capabilities.power_limit
        assert limits is not None
        assert limits.max_w == 1100
        await pair.driver.set(1100)


async def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("guess")
    async with paired(MAKES["bosminer"], tmp_path) as pair:
        address = pair.simulator.address
        driver = driver_for(MAKES["bosminer"], address, tmp_path, password_file=wrong)
        with pytest.raises(DeviceFault) as raised:
            await driver.probe()
        await driver.close()
    assert raised.value.code == "login_failed"


async def test_its_owner_says_its_most_where_it_was_left_low(tmp_path: Path) -> None:
    async with paired(MAKES["bosminer"], tmp_path, speed=200) as pair:
        await pair.driver.set(700)
        address = pair.simulator.address
        for highest_w, most_w in ((None, None), (1100.0, 1100.0)):
            driver = driver_for(MAKES["bosminer"], address, tmp_path, highest_w=highest_w)
            limits = (await driver.probe()).capabilities.power_limit
            assert (limits.max_w if limits else None) == most_w
            await driver.close()
