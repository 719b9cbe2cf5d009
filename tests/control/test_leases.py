"""What is said to rigs, and when: leases as the house decided them, Stop all above everything."""

from dataclasses import replace

from hypothesis import given, strategies as st

from custom_components.hashcenter.control.leases import (
    RENEW_S,
    RETRY_S,
    TTL_S,
    Action,
    LeaseHeld,
    RigHeater,
    RigLive,
    Said,
    Saying,
    due,
    sayings,
)
from custom_components.hashcenter.control.people import People
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.wanted import Do, HeaterWanted, Limit, LimitCode
from custom_components.hashcenter.wire.values import Favor

NOW = 1_800_000_000.0
KEY = HeaterKey("attic", "machine")
HEATER = RigHeater("machine", max_w=900.0)
LEASED = replace(HEATER, lease=LeaseHeld(600.0, 700.0, Favor.HASHING))
RIG = RigLive("attic", "boot-1", True, False, 300.0, (HEATER,))
NEEDED = HeaterWanted(KEY, Do.LEASE, Limit(LimitCode.DEMAND), 600.0, favor=Favor.INFERENCE)
WANTED = {KEY: NEEDED}
RELEASED = {KEY: replace(NEEDED, do=Do.RELEASE)}


def test_what_was_decided_is_a_lease_with_its_watts_its_cap_and_the_favor() -> None:
    assert sayings(People(), [RIG], {KEY: replace(NEEDED, cap_w=750.0)}) == (
        Saying(Action.LEASE, "attic", "boot-1", "machine", 600.0, TTL_S, Favor.INFERENCE, 750.0),
    )


def test_a_lease_against_frost_says_so() -> None:
    [one] = sayings(People(), [RIG], {KEY: replace(NEEDED, urgent=True)})
    assert one.urgent
    assert due(one, Said(replace(one, urgent=False), NOW, accepted=True), NOW)


def test_in_a_childs_room_a_lease_asks_for_a_dark_screen_over_a_restart_too() -> None:
    [one] = sayings(People(), [RIG], {KEY: replace(NEEDED, dark=True)})
    assert one.dark
    held = replace(HEATER, lease=LeaseHeld(600.0, dark=True))
    [renewed] = sayings(People(), [replace(RIG, heaters=(held,))], {}, decided=False)
    assert renewed.dark


def test_watts_are_whole_and_never_more_than_was_decided() -> None:
    [one] = sayings(People(), [RIG], {KEY: replace(NEEDED, power_w=600.9, cap_w=700.7)})
    assert (one.power_w, one.cap_w) == (600.0, 700.0)


def test_nothing_decided_is_nothing_said() -> None:
    assert sayings(People(), [RIG], {}) == ()
    assert sayings(People(), [RIG], {KEY: replace(NEEDED, do=Do.NOTHING)}) == ()


def test_before_the_first_decision_a_lease_of_ours_is_renewed_as_it_is() -> None:
    leased = replace(RIG, heaters=(LEASED,))
    [one] = sayings(People(), [leased], {}, decided=False)
    assert (one.power_w, one.cap_w, one.favor) == (600.0, 700.0, Favor.HASHING)
    assert sayings(People(), [RIG], {}, decided=False) == ()


def test_what_somebody_asks_for_before_the_first_decision_is_said_all_the_same() -> None:
    leased = replace(RIG, heaters=(LEASED,))
    early = {KEY: replace(NEEDED, power_w=300.0)}
    [one] = sayings(People(), [leased], early, decided=False)
    assert one.power_w == 300.0


def test_more_than_what_the_heater_may_take_is_leased_at_the_limit() -> None:
    small = replace(RIG, heaters=(replace(HEATER, max_w=250.0),))
    assert sayings(People(), [small], WANTED)[0].power_w == 250.0


def test_a_rig_that_allows_shorter_leases_gets_shorter_leases() -> None:
    assert sayings(People(), [replace(RIG, max_ttl_s=60.0)], WANTED)[0].ttl_s == 60.0


def test_only_a_lease_of_ours_is_released() -> None:
    assert sayings(People(), [RIG], RELEASED) == ()
    [one] = sayings(People(), [replace(RIG, heaters=(LEASED,))], RELEASED)
    assert one.action is Action.RELEASE


def test_stop_all_stands_above_leases() -> None:
    stopped = People(stopped=True)
    assert [one.action for one in sayings(stopped, [RIG], WANTED)] == [Action.STOP]
    assert sayings(stopped, [replace(RIG, stopped=True)], WANTED) == ()


def test_stop_all_is_said_to_a_rig_that_takes_no_other_requests() -> None:
    [one] = sayings(People(stopped=True), [replace(RIG, controllable=False)], WANTED)
    assert one.action is Action.STOP


def test_a_rig_that_missed_the_release_of_stop_all_is_released_before_anything_else() -> None:
    people = People(unreleased=frozenset({"attic"}))
    [one] = sayings(people, [replace(RIG, stopped=True)], WANTED)
    assert one.action is Action.RESUME


def test_a_rig_that_its_owner_stopped_is_not_leased_and_not_released() -> None:
    assert sayings(People(), [replace(RIG, stopped=True)], WANTED) == ()


def test_a_rig_that_takes_no_requests_is_not_asked() -> None:
    assert sayings(People(), [replace(RIG, controllable=False)], WANTED) == ()


def test_hands_off_leaves_the_heater_alone_even_with_a_lease_in_force() -> None:
    leased = replace(RIG, heaters=(LEASED,))
    assert sayings(People(hands_off=frozenset({KEY})), [leased], RELEASED) == ()


def test_another_heater_is_not_touched() -> None:
    other = replace(HEATER, id="other")
    [one] = sayings(People(), [replace(RIG, heaters=(HEATER, other))], WANTED)
    assert one.heater == "machine"


LEASE = Saying(Action.LEASE, "attic", "boot-1", "machine", 600.0)


def test_what_was_never_said_is_due() -> None:
    assert due(LEASE, None, NOW)


def test_other_watts_are_due_at_once() -> None:
    assert due(replace(LEASE, power_w=500.0), Said(LEASE, NOW, accepted=True), NOW)


def test_another_cap_is_due_at_once() -> None:
    assert due(replace(LEASE, cap_w=500.0), Said(LEASE, NOW, accepted=True), NOW)


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
    release = Saying(Action.RELEASE, "attic", "boot-1", "machine")
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
    people = People(hands_off=frozenset({KEY}) if hands_off else frozenset(), stopped=stopped)
    heaters = (replace(LEASED, max_w=max_w),)
    rig = RigLive("attic", "boot-1", controllable, rig_stopped, 300.0, heaters)
    wanted = {KEY: replace(NEEDED, power_w=power_w)}
    leases = [one for one in sayings(people, [rig], wanted) if one.action is Action.LEASE]
    assert all(one.power_w <= max_w + 1e-6 for one in leases)
    if stopped or rig_stopped or hands_off or not controllable:
        assert not leases
    else:
        assert len(leases) == 1
