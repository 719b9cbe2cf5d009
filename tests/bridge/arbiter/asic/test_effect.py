"""What the machine says is no effect: watts and hash rate are."""

from hashcenter_bridge.arbiter.asic.types import Verb
from hashcenter_bridge.arbiter.effect import OFTEN, recent_failures
from hashcenter_bridge.wire.values import Effect
from tests.bridge.arbiter.asic.scene import BITAXE, WATTS, scene


def test_a_success_without_effect_is_seen_and_said_again() -> None:
    it = scene(deaf=True)
    wanted = it.heat(0.0, 300)
    assert wanted.effect is Effect.NO_EFFECT
    assert it.verbs().count(Verb.PAUSE) >= 3
    it.machine.deaf = False
    wanted = it.heat(0.0, 180)
    assert wanted.effect is Effect.REACHED


def test_three_failures_within_a_day_are_often() -> None:
    it = scene(deaf=True)
    it.heat(0.0, 900)
    assert it.state.track is not None
    assert recent_failures(it.state.track, it.now) >= OFTEN


def test_one_whose_watts_do_not_follow_its_setting_rests_for_an_hour() -> None:
    it = scene()
    it.heat(3000.0, 300)
    it.machine.ratio = 3.0
    wanted = it.heat(1500.0, 250)
    assert wanted.effect is Effect.NO_EFFECT
    assert it.machine.hashes
    wanted = it.heat(1500.0, 3000)
    assert it.verbs()[-1] is Verb.PAUSE
    assert "do not follow its setting" in wanted.available_why
    assert it.state.ratios.keys() == {"10"}


def test_a_machine_of_a_few_watts_is_held_to_a_few_watts() -> None:
    it = scene(BITAXE, deaf=True)
    wanted = it.heat(0.0, 60)
    assert wanted.effect is Effect.NO_EFFECT


def test_without_a_meter_it_is_unverified_unless_the_hash_rate_objects() -> None:
    it = scene(meter=False)
    wanted = it.heat(2000.0, 300)
    assert wanted.effect is Effect.UNVERIFIED
    wanted = it.heat(0.0, 300)
    assert wanted.effect is Effect.UNVERIFIED
    deaf = scene(meter=False, deaf=True)
    wanted = deaf.heat(0.0, 300)
    assert wanted.effect is Effect.NO_EFFECT


def test_a_lost_pool_can_deliver_nothing_at_once_and_no_setting_is_touched() -> None:
    it = scene()
    it.heat(2000.0, 300)
    done = len(it.acts)
    it.machine.pool_connected = False
    wanted = it.heat(2000.0, 20)
    assert (wanted.available_w, wanted.available_why) == (0.0, "it has lost its pool")
    assert len(it.acts) == done


def test_a_silent_machine_can_deliver_nothing_and_is_still_told_to_stop() -> None:
    it = scene()
    it.heat(2000.0, 300)
    it.machine.reachable = False
    wanted = it.heat(2500.0, 60)
    assert wanted.available_w == 0.0
    assert wanted.available_why.startswith("silent")
    done = len(it.acts)
    it.lease(0.0)
    it.step()
    assert it.verbs()[done:] == [Verb.PAUSE]
    it.machine.reachable = True
    it.heat(0.0, 60)
    assert not it.machine.hashes


def test_a_stop_that_did_not_get_through_is_said_again_soon() -> None:
    it = scene(refuses=frozenset({Verb.PAUSE}))
    it.heat(2000.0, 300)
    it.heat(0.0, 30)
    assert it.verbs().count(Verb.PAUSE) >= 3
    it.machine.refuses = frozenset()
    it.heat(0.0, 20)
    assert not it.machine.hashes


def test_what_takes_no_setting_while_paused_is_started_and_then_set() -> None:
    it = scene(hashes=False, refuses=frozenset({Verb.SET}))
    it.heat(2000.0, 30)
    it.machine.refuses = frozenset()
    it.heat(2000.0, 300)
    assert it.verbs()[:3] == [Verb.SET, Verb.RESUME, Verb.SET]
    assert it.machine.watts(it.now) == 2000.0


def test_but_not_above_what_the_circuit_has() -> None:
    it = scene(hashes=False, refuses=frozenset({Verb.SET}))
    wanted = it.heat(2000.0, 300, cap_w=2200.0)
    assert not it.machine.hashes
    assert "does not take a lower setting while it is paused" in wanted.reason


def test_a_machine_that_does_not_tell_its_setting_is_set_once() -> None:
    it = scene()
    it.machine.setting = None
    it.look()
    original = it.look

    def blind() -> None:
        original()
        assert it.seen is not None
        it.seen = it.seen.__class__(**{**it.seen.__dict__, "setting": None})

    it.look = blind  # type: ignore[method-assign]
    it.heat(2000.0, 300)
    assert it.machine.sets == [2000.0]
    assert it.machine.watts(it.now) == 2000.0
    assert WATTS.can_pause
