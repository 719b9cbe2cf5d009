"""A lease has two ends; what runs at a start is kept; Stop all is above everything."""

from dataclasses import replace

from hashcenter_bridge.arbiter.asic.types import Verb
from tests.bridge.arbiter.asic.scene import WATTS, scene


def test_after_its_ttl_it_goes_to_its_lowest_running_setting() -> None:
    it = scene()
    it.heat(2500.0, 600)
    wanted = it.run(400)
    assert it.machine.watts(it.now) == 1000.0
    assert "fell silent" in wanted.reason


def test_after_its_ttl_nothing_is_started() -> None:
    it = scene(hashes=False, rules={"coast_s": 600.0})
    it.lease(2500.0, ttl_s=5.0)
    it.may_start = False
    it.run(10)
    it.may_start = True
    it.run(300)
    assert Verb.RESUME not in it.verbs()


def test_after_the_coast_the_owners_safe_state_follows() -> None:
    it = scene(rules={"coast_s": 300.0})
    it.heat(2500.0, 600)
    it.run(700)
    assert not it.machine.hashes
    warm = scene(hashes=False, rules={"coast_s": 300.0, "safe_w": 1200.0})
    warm.run(400)
    assert warm.machine.watts(warm.now) == 1200.0


def test_a_restarted_bridge_keeps_what_runs() -> None:
    it = scene()
    it.state = replace(it.state, adopted_until=it.now + 1800.0)
    it.run(1700)
    assert it.acts == []
    it.run(200)
    assert it.verbs() == [Verb.PAUSE]


def test_what_runs_at_a_start_is_still_held_to_its_owners_most() -> None:
    it = scene(rules={"max_w": 1500.0})
    it.state = replace(it.state, adopted_until=it.now + 1800.0)
    it.run(60)
    assert it.machine.watts(it.now) == 1500.0


def test_without_the_owners_yes_nothing_is_touched() -> None:
    it = scene(rules={"allow_control": False})
    wanted = it.heat(1000.0, 300)
    assert it.acts == []
    assert wanted.available_w == 0.0
    off = scene(rules={"hands_off": True})
    assert "hands off" in off.heat(1000.0, 300).reason
    assert off.acts == []


def test_stop_all_pauses_also_what_its_owner_keeps_to_himself() -> None:
    for rules in ({}, {"allow_control": False}, {"hands_off": True}):
        it = scene(rules=rules)
        it.stopped = True
        it.run(30)
        assert not it.machine.hashes


def test_what_stop_all_interrupted_goes_on_when_it_is_released() -> None:
    it = scene(rules={"allow_control": False})
    it.stopped = True
    it.run(60)
    it.stopped = False
    it.run(60)
    assert it.machine.hashes
    assert not it.state.interrupted
    leased = scene()
    leased.heat(2000.0, 300)
    leased.stopped = True
    leased.state = replace(leased.state, lease=None)
    leased.run(60)
    leased.stopped = False
    leased.run(60)
    assert not leased.machine.hashes


def test_stop_all_takes_what_cannot_be_paused_to_its_lowest_setting() -> None:
    it = scene(WATTS.model_copy(update={"can_pause": False}))
    it.stopped = True
    it.run(60)
    assert it.machine.watts(it.now) == 1000.0
