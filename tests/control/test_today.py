"""What a day comes to: each kWh once, at its worth, and nothing invented."""

import pytest

from custom_components.hashcenter.entities.today import Flow, Tally

SUNDAY, MONDAY = "2026-11-22", "2026-11-23"


def test_each_kwh_counts_once_at_the_price_of_its_moment() -> None:
    tally = Tally().add({"attic": 20.0}, {"attic": 0.30}, SUNDAY)
    assert tally.amount == 0.0, "what was used before is not today's"
    tally = tally.add({"attic": 21.0}, {"attic": 0.30}, SUNDAY)
    tally = tally.add({"attic": 21.0}, {"attic": 0.60}, SUNDAY)
    tally = tally.add({"attic": 21.5}, {"attic": 0.60}, SUNDAY)
    assert tally.amount == pytest.approx(0.60)


def test_a_new_day_begins_at_0() -> None:
    tally = Tally().add({"attic": 20.0}, {"attic": 1.0}, SUNDAY)
    tally = tally.add({"attic": 25.0}, {"attic": 1.0}, SUNDAY)
    assert tally.add({"attic": 25.5}, {"attic": 1.0}, MONDAY).amount == pytest.approx(0.5)


def test_a_counter_that_begins_anew_takes_nothing_back() -> None:
    tally = Tally().add({"attic": 20.0}, {"attic": 1.0}, SUNDAY)
    tally = tally.add({"attic": 21.0}, {"attic": 1.0}, SUNDAY)
    tally = tally.add({"attic": 0.2}, {"attic": 1.0}, SUNDAY)
    assert tally.add({"attic": 0.5}, {"attic": 1.0}, SUNDAY).amount == pytest.approx(1.3)


def test_a_rig_that_was_silent_catches_up_and_one_that_leaves_takes_nothing_along() -> None:
    worth: dict[str, float | None] = {"attic": 1.0, "cellar": 1.0}
    tally = Tally().add({"attic": 20.0, "cellar": 5.0}, worth, SUNDAY)
    tally = tally.add({"cellar": 6.0}, worth, SUNDAY)
    assert tally.amount == pytest.approx(1.0)
    assert tally.add({"attic": 22.0}, worth, SUNDAY).amount == pytest.approx(3.0)


def test_what_has_no_price_yet_waits_for_one_of_the_same_day() -> None:
    tally = Tally().add({"attic": 20.0}, {}, SUNDAY)
    tally = tally.add({"attic": 21.0}, {"attic": None}, SUNDAY)
    assert tally.amount == 0.0
    priced = tally.add({"attic": 22.0}, {"attic": 0.5}, SUNDAY)
    assert priced.amount == pytest.approx(1.0)
    late = tally.add({"attic": 22.0}, {}, MONDAY).add({"attic": 23.0}, {"attic": 0.5}, MONDAY)
    assert late.amount == pytest.approx(0.5), "nobody knows what yesterday's was worth"


def test_a_negative_price_earns() -> None:
    tally = Tally().add({"attic": 20.0}, {"attic": -0.1}, SUNDAY)
    assert tally.add({"attic": 21.0}, {"attic": -0.1}, SUNDAY).amount == pytest.approx(-0.1)


def test_a_tally_survives_being_stored() -> None:
    tally = Tally().add({"attic": 20.0}, {"attic": 1.0}, SUNDAY)
    tally = tally.add({"attic": 21.0}, {"attic": 1.0}, SUNDAY)
    assert Tally.restored(tally.stored()) == tally


def test_a_flow_counts_only_between_two_looks_that_are_close() -> None:
    flow = Flow().add(86_400.0, SUNDAY, 0.0).add(86_400.0, SUNDAY, 10.0)
    assert flow.amount == pytest.approx(10.0)
    flow = flow.add(86_400.0, SUNDAY, 3_600.0)
    assert flow.amount == pytest.approx(10.0), "nobody looked for an hour"
    assert flow.add(86_400.0, SUNDAY, 3_610.0).amount == pytest.approx(20.0)


def test_a_rate_that_is_not_known_is_not_0_and_counts_nothing() -> None:
    flow = Flow().add(86_400.0, SUNDAY, 0.0).add(None, SUNDAY, 10.0)
    assert (flow.amount, flow.at) == (0.0, None)
    assert flow.add(86_400.0, SUNDAY, 20.0).amount == 0.0


def test_a_flow_begins_anew_with_the_day() -> None:
    flow = Flow(SUNDAY, 500.0, 0.0).add(86_400.0, MONDAY, 10.0)
    assert flow.day == MONDAY
    assert flow.amount == pytest.approx(10.0)
