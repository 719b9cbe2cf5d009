"""What powerd does with limits when a bridge renews, falls silent, or was never there."""

from hashcenter_bridge.powerd.decide import GpuRules, GpuSeen, State, clamp, decide

RULES = {"GPU-0": GpuRules(safe_w=150.0, max_w=300.0)}


def card(limit_w: float | None = 350.0) -> GpuSeen:
    return GpuSeen("GPU-0", min_w=100.0, max_w=350.0, default_w=350.0, limit_w=limit_w)


def test_after_a_boot_the_factory_default_goes_down_to_the_safe_limit() -> None:
    state, wanted = decide(State(), [card()], RULES, now=10.0)

    assert wanted == {"GPU-0": 150.0}
    assert decide(state, [card(150.0)], RULES, now=11.0)[1] == {}


def test_while_a_bridge_renews_its_limits_are_left_alone() -> None:
    state = State(held_until=16.0).with_grant("GPU-0", 280.0)

    assert decide(state, [card(280.0)], RULES, now=15.9)[1] == {}
    assert decide(state, [card(200.0)], RULES, now=15.9)[1] == {}
    assert decide(state, [card(280.0)], RULES, now=16.0)[1] == {"GPU-0": 150.0}


def test_more_than_was_granted_is_taken_back_at_once() -> None:
    state = State(held_until=16.0).with_grant("GPU-0", 200.0)

    assert decide(state, [card(350.0)], RULES, now=1.0)[1] == {"GPU-0": 200.0}


def test_a_silent_bridge_never_leaves_more_than_it_was_granted_last() -> None:
    state = State().with_grant("GPU-0", 120.0)

    _, wanted = decide(state, [card(350.0)], RULES, now=99.0)

    assert wanted == {"GPU-0": 120.0}  # not the safe 150 W, which is more


def test_a_bridge_that_returns_finds_the_safe_limit_until_it_asks() -> None:
    state, _ = decide(State().with_grant("GPU-0", 280.0), [card(280.0)], RULES, now=99.0)

    assert state.granted == {"GPU-0": 150.0}


def test_a_limit_that_cannot_be_read_is_set_again() -> None:
    assert decide(State(), [card(None)], RULES, now=0.0)[1] == {"GPU-0": 150.0}


def test_released_limits_are_not_touched_until_a_bridge_asks() -> None:
    released = State(released=True)

    assert decide(released, [card()], RULES, now=0.0)[1] == {}
    assert not released.with_grant("GPU-0", 200.0).released


def test_the_owners_range_wins_over_what_is_asked_and_the_cards_over_the_owners() -> None:
    assert clamp(card(), RULES["GPU-0"], 350.0) == 300.0
    assert clamp(card(), RULES["GPU-0"], 20.0) == 100.0
    assert clamp(card(), GpuRules(safe_w=50.0, max_w=60.0), 200.0) == 100.0
