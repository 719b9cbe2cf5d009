"""What Avalons send, and what is made of it."""

from pathlib import Path

import pytest

from hashcenter_bridge.devices.asics import avalon
from hashcenter_bridge.devices.transports import cgminer
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.wire.values import Activity

from .machines import MAKES, paired
from .recorded import Recorded

#: Replies that say whether something was done, and those that tell nothing of use.
DONE = {"ascset_softoff", "ascset_softon", "ascset_workmode"}
LEFT = {"check", "coin", "config", "devdetails"}


@pytest.fixture
def replies(shared_fixtures: Path) -> Recorded:
    found = Recorded(shared_fixtures / "asic/avalonminer")
    known = DONE | LEFT | {"ascset_help", "avalon_a_stats", "avalon_a_stats_parsed"}
    assert found.names() == known
    return found


def test_a_real_machine_twice(replies: Recorded) -> None:
    """Once in its own words, once as another project has read the same reply."""
    for name in ("avalon_a_stats", "avalon_a_stats_parsed"):
        sample = avalon.sample(None, replies[name], None, None)
        readings = sample.readings
        assert sample.activity is Activity.HASHING
        assert readings.power_w == 3189
        assert readings.hash_rate_mhs == pytest.approx(81_072_680)
        assert readings.chip_temp_c == 77
        assert readings.inlet_temp_c == 30
        assert readings.fan_percent == 72
        assert readings.fan_rpm == 5392
        assert sample.mining_s == 24684
        assert sample.faults == ()


def test_every_field_reads_the_same_in_both(replies: Recorded) -> None:
    own = avalon.fields(replies["avalon_a_stats"])
    theirs = avalon.fields(replies["avalon_a_stats_parsed"])
    for name in ("Elapsed", "TMax", "TAvg", "Temp", "Fan1", "PS", "MGHS", "SoftOFF", "WORKMODE"):
        assert own[name].split() == theirs[name].split(), name


def test_the_home_models_write_it_in_another_way() -> None:
    words = "'STATS':{Ver[Q-25052801] TMax[77] PS[0 1215 2231 58 1290 2231 1320] SoftOFF[0]}"
    found = avalon.fields({"STATS": [{"MM ID0:Summary": words}]})
    assert (found["TMax"], avalon.power_w(found)) == ("77", 1290)


def test_what_it_takes_is_asked_of_it(replies: Recorded) -> None:
    known = avalon.accepts(replies["ascset_help"])
    assert {"workmode", "softon", "softoff", "reboot", "frequency"} <= known
    version = {"VERSION": [{"MAC": "b4a2eb123456", "PROD": "Avalon Q", "MODEL": "Q"}]}
    can = avalon.device("10.0.0.4", version, replies["ascset_help"]).capabilities
    assert [step.name for step in can.steps] == ["eco", "standard", "super"]
    assert can.can_pause
    mute = avalon.device("10.0.0.4", version, None).capabilities
    assert not mute.can_pause
    assert mute.steps == ()


@pytest.mark.parametrize("name", sorted(DONE))
def test_what_counts_as_done(replies: Recorded, name: str) -> None:
    assert cgminer.succeeded("10.0.0.4", "set", replies[name])


def test_a_model_whose_modes_are_not_known_has_no_knob(replies: Recorded) -> None:
    version = {"VERSION": [{"MAC": "b4a2eb123456", "PROD": "AvalonMiner 1246", "MODEL": "1246"}]}
    assert avalon.is_avalon(version)
    assert avalon.device("10.0.0.4", version, replies["ascset_help"]).capabilities.steps == ()


def test_the_watts_at_the_wall_come_first() -> None:
    assert avalon.power_w({"WALLPOWER": "812", "PS": "0 1 2 3 790 5 6"}) == 812
    assert avalon.power_w({"PS": "0 1 2"}) is None


def test_errors_carry_the_vendors_words() -> None:
    found = avalon.faults({"ECHU": "0 512 0", "ECMM": "0", "FanErr": "1"})
    assert [fault.code for fault in found] == ["board_error", "fan_failed"]
    assert "ECHU 0 512 0" in found[0].text


@pytest.mark.parametrize("answer", [None, [], "no", {"VERSION": [{"MAC": 5}]}])
def test_an_answer_of_any_shape_is_understood_or_refused(answer: object) -> None:
    avalon.sample(answer, answer, answer, answer)
    assert not avalon.is_avalon(answer)
    with pytest.raises(DeviceFault):
        avalon.device("10.0.0.4", answer, answer)


async def test_it_goes_off_by_its_own_clock(tmp_path: Path) -> None:
    """The simulated one's clock is a day behind; off and on at our time would never happen."""
    async with paired(MAKES["avalon"], tmp_path) as pair:
        await pair.driver.pause()
        assert pair.simulator.machine.paused
