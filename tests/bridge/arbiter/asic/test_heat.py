"""An ASIC follows its lease: highest setting that fits, paused below its lowest, gently."""

import pytest

from hashcenter_bridge.arbiter.asic.types import Verb
from hashcenter_bridge.wire.values import Capabilities, Effect
from tests.bridge.arbiter.asic.scene import BITAXE, PERCENT, PLAIN, STEPS, WATTS, scene


@pytest.mark.parametrize(
    ("can", "asked_w", "draws_w"),
    [
        (WATTS, 2000.0, 2000.0),
        (WATTS, 2030.0, 2000.0),
        (PERCENT, 2000.0, 1972.0),
        (STEPS, 2000.0, 1500.0),
        (STEPS, 950.0, 900.0),
        (PLAIN, 1300.0, 1300.0),
        (BITAXE, 18.0, 17.0),
    ],
)
def test_it_draws_what_fits(can: Capabilities, asked_w: float, draws_w: float) -> None:
    it = scene(can)
    wanted = it.heat(asked_w, 600)
    assert it.machine.watts(it.now) == pytest.approx(draws_w, abs=1.0)
    assert wanted.effect is Effect.REACHED
    assert wanted.hashes


def test_a_paused_one_is_set_down_before_it_starts() -> None:
    it = scene(hashes=False)
    it.heat(1500.0, 400)
    assert it.verbs()[:2] == [Verb.SET, Verb.RESUME]
    assert it.machine.watts(it.now) == 1500.0


def test_below_its_lowest_setting_it_is_paused() -> None:
    it = scene()
    wanted = it.heat(400.0, 120)
    assert it.verbs() == [Verb.PAUSE]
    assert wanted.target_w == 30.0
    assert "its lowest setting draws 1000 W" in wanted.reason


def test_a_stop_comes_within_the_same_second() -> None:
    it = scene()
    it.heat(2500.0, 300)
    it.lease(0.0)
    it.step()
    assert it.verbs()[-1] is Verb.PAUSE
    assert it.acts[-1][1].lowers


def test_what_runs_is_not_stopped_for_a_few_watts() -> None:
    it = scene(ratio=1.03)
    it.heat(1030.0, 1200)
    assert it.verbs().count(Verb.PAUSE) == 0
    it.heat(1000.0, 600)
    assert it.verbs().count(Verb.PAUSE) == 0


def test_a_limit_is_no_draw_and_that_is_learned() -> None:
    it = scene(ratio=1.08)
    wanted = it.heat(2000.0, 3600)
    assert it.machine.watts(it.now) == pytest.approx(2000.0, rel=0.03)
    assert wanted.max_w == pytest.approx(3240.0, rel=0.02)


def test_a_setting_near_enough_is_left_alone() -> None:
    it = scene()
    it.heat(2000.0, 300)
    done = len(it.acts)
    for asked_w in (2020.0, 1985.0, 2040.0, 1990.0):
        it.heat(asked_w, 120)
    assert len(it.acts) == done


def test_the_owners_most_is_never_exceeded() -> None:
    it = scene(rules={"max_w": 1800.0})
    wanted = it.heat(3000.0, 600)
    assert it.machine.watts(it.now) <= 1800.0
    assert (wanted.available_w, wanted.available_why) == (1800.0, "its owner allows no more")


def test_a_circuit_cap_bounds_a_lease() -> None:
    it = scene()
    it.heat(3000.0, 600, cap_w=1250.0)
    assert it.machine.watts(it.now) <= 1250.0


def test_raises_wait_until_the_watts_have_settled_and_reductions_do_not() -> None:
    it = scene()
    it.heat(1000.0, 300)
    it.heat(1500.0, 20)
    it.heat(2500.0, 20)
    assert it.machine.setting == 1500.0
    it.heat(1200.0, 2)
    assert it.machine.setting == 1200.0
    it.heat(2500.0, 70)
    assert it.machine.setting == 2500.0


def test_one_without_pause_goes_to_its_lowest_setting() -> None:
    it = scene(WATTS.model_copy(update={"can_pause": False}))
    it.heat(0.0, 60)
    assert it.machine.watts(it.now) == 1000.0


def test_one_that_can_only_be_read_is_only_read() -> None:
    it = scene(PLAIN.model_copy(update={"can_pause": False}))
    wanted = it.heat(0.0, 60)
    assert it.acts == []
    assert (wanted.available_w, wanted.available_why) == (0.0, "this firmware can only be read")


def test_where_turning_the_knob_is_a_start_a_small_turn_is_not_worth_it() -> None:
    it = scene(WATTS.model_copy(update={"reboots_on_set": True}))
    it.heat(2000.0, 900)
    started = it.machine.starts
    it.heat(2150.0, 900)
    assert it.machine.starts == started
    it.heat(2600.0, 900)
    assert it.machine.starts == started + 1
