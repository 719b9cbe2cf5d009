"""Which lease each heater should have, and what of it has to be said when."""

from dataclasses import replace

from hypothesis import given, strategies as st

from custom_components.hashcenter.control.requests import (
    RENEW_S,
    RETRY_S,
    TTL_S,
    Action,
    HeaterKey,
    HeaterSeen,
    HeatRequest,
    RigSeen,
    Said,
    State,
    Want,
    decide,
    due,
)
from custom_components.hashcenter.wire.values import Favor

NOW = 1_800_000_000.0
KEY = HeaterKey("attic", "machine")
HEATER = HeaterSeen("machine", max_w=900.0, leased=False)
RIG = RigSeen("attic", "boot-1", True, False, 300.0, (HEATER,))
ASKED = State().with_request(KEY, HeatRequest(600.0, NOW + 3600))


def test_a_heat_request_is_a_lease_of_its_watts_with_the_favor_of_the_house() -> None:
    state, wanted = decide(replace(ASKED, favor=Favor.INFERENCE), [RIG], NOW)
    assert wanted == (
        Want(Action.LEASE, "attic", "boot-1", "machine", 600.0, TTL_S, Favor.INFERENCE),
    )
    assert state.requests[KEY].power_w == 600.0


def test_nothing_asked_is_nothing_said() -> None:
    assert decide(State(), [RIG], NOW) == (State(), ())


def test_a_request_above_what_the_heater_may_take_is_leased_at_the_limit() -> None:
    small = replace(RIG, heaters=(replace(HEATER, max_w=250.0),))
    [want] = decide(ASKED, [small], NOW)[1]
    assert want.power_w == 250.0


def test_a_rig_that_allows_shorter_leases_gets_shorter_leases() -> None:
    [want] = decide(ASKED, [replace(RIG, max_ttl_s=60.0)], NOW)[1]
    assert want.ttl_s == 60.0


def test_a_request_whose_time_is_over_is_forgotten_and_its_lease_released() -> None:
    leased = replace(RIG, heaters=(replace(HEATER, leased=True),))
    state, wanted = decide(ASKED, [leased], NOW + 3600)
    assert not state.requests
    assert [want.action for want in wanted] == [Action.RELEASE]


def test_a_request_for_a_rig_that_is_away_is_kept_until_its_time_is_over() -> None:
    assert decide(ASKED, [], NOW) == (ASKED, ())
    assert not decide(ASKED, [], NOW + 3600)[0].requests


def test_stop_all_stands_above_requests() -> None:
    stopped = replace(ASKED, stopped=True)
    state, wanted = decide(stopped, [RIG], NOW)
    assert [want.action for want in wanted] == [Action.STOP]
    assert state.requests, "what was asked is asked again once Stop all is released"
    assert decide(stopped, [replace(RIG, stopped=True)], NOW)[1] == ()


def test_stop_all_is_said_to_a_rig_that_takes_no_other_requests() -> None:
    [want] = decide(State(stopped=True), [replace(RIG, controllable=False)], NOW)[1]
    assert want.action is Action.STOP


def test_a_rig_that_missed_the_release_of_stop_all_is_released_before_anything_else() -> None:
    state = replace(ASKED, unreleased=frozenset({"attic"}))
    [want] = decide(state, [replace(RIG, stopped=True)], NOW)[1]
    assert want.action is Action.RESUME


def test_a_rig_that_its_owner_stopped_is_not_leased_and_not_released() -> None:
    assert decide(ASKED, [replace(RIG, stopped=True)], NOW)[1] == ()


def test_a_rig_that_takes_no_requests_is_not_asked() -> None:
    assert decide(ASKED, [replace(RIG, controllable=False)], NOW)[1] == ()


def test_hands_off_leaves_the_heater_alone_even_with_a_lease_in_force() -> None:
    leased = replace(RIG, heaters=(replace(HEATER, leased=True),))
    assert decide(replace(ASKED, hands_off=frozenset({KEY})), [leased], NOW)[1] == ()


def test_another_heater_is_not_touched_by_a_request() -> None:
    other = replace(HEATER, id="other")
    [want] = decide(ASKED, [replace(RIG, heaters=(HEATER, other))], NOW)[1]
    assert want.heater == "machine"


LEASE = Want(Action.LEASE, "attic", "boot-1", "machine", 600.0)


def test_what_was_never_said_is_due() -> None:
    assert due(LEASE, None, NOW)


def test_other_watts_are_due_at_once() -> None:
    assert due(replace(LEASE, power_w=500.0), Said(LEASE, NOW, accepted=True), NOW)


def test_a_lease_is_due_at_once_for_a_new_run_of_the_bridge() -> None:
    assert due(replace(LEASE, boot_id="boot-2"), Said(LEASE, NOW, accepted=True), NOW)


def test_a_lease_is_renewed_once_a_minute_and_a_short_one_three_times_in_its_life() -> None:
    said = Said(LEASE, NOW, accepted=True)
    assert not due(LEASE, said, NOW + RENEW_S - 1)
    assert due(LEASE, said, NOW + RENEW_S)
    short = replace(LEASE, ttl_s=60.0)
    assert due(short, Said(short, NOW, accepted=True), NOW + 20)


def test_what_was_refused_is_tried_again_later() -> None:
    said = Said(LEASE, NOW, accepted=False)
    assert not due(LEASE, said, NOW + RETRY_S - 1)
    assert due(LEASE, said, NOW + RETRY_S)


def test_a_release_is_not_repeated_while_the_heartbeat_still_shows_the_lease() -> None:
    release = Want(Action.RELEASE, "attic", "boot-1", "machine")
    assert not due(release, Said(release, NOW, accepted=True), NOW + 6)


def test_a_clock_that_jumped_back_makes_everything_due() -> None:
    assert due(LEASE, Said(LEASE, NOW, accepted=True), NOW - 1)


@given(
    power_w=st.floats(0, 5000),
    max_w=st.floats(0, 5000),
    stopped=st.booleans(),
    rig_stopped=st.booleans(),
    hands_off=st.booleans(),
    controllable=st.booleans(),
)
def test_no_lease_exceeds_its_heater_or_stands_against_a_stop(
    power_w: float,
    max_w: float,
    stopped: bool,
    rig_stopped: bool,
    hands_off: bool,
    controllable: bool,
) -> None:
    state = State(
        requests={KEY: HeatRequest(power_w, NOW + 1)},
        hands_off=frozenset({KEY}) if hands_off else frozenset(),
        stopped=stopped,
    )
    heaters = (HeaterSeen("machine", max_w, leased=True),)
    rig = RigSeen("attic", "boot-1", controllable, rig_stopped, 300.0, heaters)
    leases = [one for one in decide(state, [rig], NOW)[1] if one.action is Action.LEASE]
    assert all(one.power_w <= max_w for one in leases)
    if stopped or rig_stopped or hands_off or not controllable:
        assert not leases
    else:
        assert len(leases) == 1
