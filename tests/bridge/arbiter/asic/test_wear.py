"""Starts are few, kept apart, and never at the expense of a stop."""

from dataclasses import replace

from hashcenter_bridge.arbiter.asic import starts
from hashcenter_bridge.arbiter.asic.types import AsicState, Verb
from tests.bridge.arbiter.asic.scene import WATTS, Scene, scene

DAY_S = 86_400.0


def cycled(it: Scene, times: int, pause_s: float = 700.0) -> Scene:
    """Start and stop it so often, with a rest."""
    for _ in range(times):
        it.heat(1500.0, 300)
        it.heat(0.0, pause_s)
    return it


def test_no_more_starts_than_the_owner_allows() -> None:
    it = cycled(scene(hashes=False, rules={"starts_per_day": 3}), 5)
    assert it.machine.starts == 3
    wanted = it.heat(1500.0, 60)
    assert not it.machine.hashes
    assert wanted.available_w == 0.0
    assert wanted.available_why.startswith("started 3 times today; again in ")
    assert wanted.starts_left == 0
    assert wanted.target_w is None


def test_a_day_later_it_may_start_again() -> None:
    it = cycled(scene(hashes=False, rules={"starts_per_day": 1}), 2)
    assert it.machine.starts == 1
    it.run(DAY_S, step_s=30.0)
    it.heat(1500.0, 300)
    assert it.machine.starts == 2


def test_frost_may_use_the_reserve() -> None:
    it = cycled(scene(hashes=False, rules={"starts_per_day": 2, "spare_starts": 1}), 3)
    assert it.machine.starts == 2
    it.heat(1500.0, 120, urgent=True)
    assert it.machine.starts == 3
    it.heat(0.0, 700)
    it.heat(1500.0, 120, urgent=True)
    assert it.machine.starts == 3


def test_a_power_cut_may_use_the_reserve() -> None:
    it = cycled(scene(hashes=False, rules={"starts_per_day": 2, "spare_starts": 1}), 2)
    it.machine.can = it.machine.can.model_copy(update={"keeps_pause": True})
    it.machine.reboot(it.now)
    it.run(20)
    it.heat(1500.0, 120)
    assert it.machine.starts == 3


def test_it_rests_between_a_stop_and_the_next_start() -> None:
    it = scene()
    it.heat(2000.0, 300)
    it.heat(0.0, 60)
    wanted = it.heat(2000.0, 120)
    assert not it.machine.hashes
    assert wanted.available_why.startswith("rests for another ")
    it.heat(2000.0, 700)
    assert it.machine.hashes


def test_frost_does_not_wait_for_the_rest() -> None:
    it = scene()
    it.heat(2000.0, 300)
    it.heat(0.0, 60)
    it.heat(2000.0, 60, urgent=True)
    assert it.machine.hashes


def test_a_start_waits_for_its_turn() -> None:
    it = scene(hashes=False)
    it.may_start = False
    wanted = it.heat(2000.0, 60)
    assert not it.machine.hashes
    assert "waits until another machine has started" in wanted.reason
    assert wanted.available_w == 3000.0
    it.may_start = True
    it.heat(2000.0, 60)
    assert it.machine.hashes


def test_one_that_will_not_start_is_left_for_an_hour_and_counts_once() -> None:
    it = scene(hashes=False, deaf=True)
    wanted = it.heat(2000.0, 1800)
    assert it.verbs().count(Verb.RESUME) == 3
    assert wanted.starts_left == 5
    assert (wanted.available_w, wanted.available_why[:13]) == (0.0, "did not start")


def test_a_start_is_remembered_for_a_day_and_no_longer() -> None:
    state = AsicState(starts=(0.0, 50_000.0))
    assert starts.recent(state, 80_000.0) == (0.0, 50_000.0)
    assert starts.recent(state, DAY_S + 1.0) == (50_000.0,)


def test_where_turning_the_knob_is_a_start_less_is_nothing_when_none_is_left() -> None:
    it = scene(
        WATTS.model_copy(update={"reboots_on_set": True}),
        rules={"starts_per_day": 1, "spare_starts": 0},
    )
    it.state = replace(it.state, starts=(it.now - 100.0,))
    it.heat(1500.0, 120)
    assert it.verbs() == [Verb.PAUSE]


def test_durations_are_told_in_steps_that_do_not_flicker() -> None:
    told = [starts.in_words(s) for s in (1.0, 540.0, 1000.0, 1080.0, 3600.0, 20_000.0)]
    assert told == ["1 min", "9 min", "15 min", "20 min", "1 h", "5 h 35 min"]
