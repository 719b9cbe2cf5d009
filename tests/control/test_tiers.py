"""What the next kWh costs where a day's use has steps."""

import pytest

from custom_components.hashcenter.control.tiers import TierPlan, Today, count, price_per_kwh

_TIERS = (TierPlan(0.0, 0.07), TierPlan(40.0, 0.11))
_MIDNIGHT = 1_700_000_000.0


@pytest.mark.parametrize(("used_kwh", "price"), [(0.0, 0.07), (39.9, 0.07), (40.0, 0.11)])
def test_the_next_kwh_costs_what_the_step_of_the_day_says(used_kwh: float, price: float) -> None:
    assert price_per_kwh(_TIERS, used_kwh) == price
    assert price_per_kwh(reversed(_TIERS), used_kwh) == price


def test_a_price_entity_goes_before_steps_and_steps_before_a_figure() -> None:
    assert price_per_kwh(_TIERS, 50.0, entity=0.20, figure=0.15) == 0.20
    assert price_per_kwh(_TIERS, 50.0, figure=0.15) == 0.11
    assert price_per_kwh((), 50.0, figure=0.15) == 0.15
    assert price_per_kwh((), 50.0) is None


def test_below_the_first_step_the_figure_holds() -> None:
    tiers = (TierPlan(40.0, 0.11),)
    assert price_per_kwh(tiers, 10.0, figure=0.07) == 0.07
    assert price_per_kwh(tiers, 10.0) is None


def test_use_is_counted_from_what_the_counter_grew_by() -> None:
    today = Today()
    for counter_kwh in (1000.0, 1005.0, 1042.5):
        today = count(today, counter_kwh, _MIDNIGHT)
    assert today.kwh == 42.5


def test_a_new_day_begins_at_local_midnight() -> None:
    today = count(Today(_MIDNIGHT, 41.0, 1041.0), 1041.5, _MIDNIGHT + 86_400.0)
    assert today == Today(_MIDNIGHT + 86_400.0, 0.5, 1041.5)


def test_a_counter_that_starts_anew_adds_nothing() -> None:
    today = count(Today(_MIDNIGHT, 12.0, 1041.0), 3.0, _MIDNIGHT)
    assert today.kwh == 12.0
    assert count(today, 4.0, _MIDNIGHT).kwh == 13.0


def test_a_counter_that_is_silent_loses_nothing() -> None:
    today = count(Today(_MIDNIGHT, 12.0, 1041.0), None, _MIDNIGHT)
    assert count(today, 1044.0, _MIDNIGHT).kwh == 15.0
