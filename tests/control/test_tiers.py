"""What the next kWh costs where a day's use has steps."""

import pytest

from custom_components.hashcenter.control.tiers import TierPlan, price_per_kwh

_TIERS = (TierPlan(0.0, 0.07), TierPlan(40.0, 0.11))


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
