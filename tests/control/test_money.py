"""What a kWh of heat costs, net of what the work earns; every joule once."""

import pytest

from custom_components.hashcenter.control import money
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import MoneySeen

from .scene import asic, gpu

_MONEY = MoneySeen(
    price_per_kwh=0.15, hash_value_per_th_day=0.0348, inference_value_per_mtoken=0.30
)


@pytest.mark.parametrize(
    ("j_per_th", "earns"), [(98.0, 0.015), (29.5, 0.049), (17.5, 0.083), (15.0, 0.097)]
)
def test_hashing_earns_by_its_efficiency(j_per_th: float, earns: float) -> None:
    heater = asic(j_per_th=j_per_th)
    assert money.hashing_value_per_kwh(heater, _MONEY) == pytest.approx(earns, abs=0.0006)
    assert money.net_per_kwh(heater, _MONEY) == pytest.approx(0.15 - earns, abs=0.0006)


def test_answering_is_worth_something_only_while_somebody_asks() -> None:
    rig = gpu(tokens_per_joule=40.0 / 280.0, hash_value_per_kwh=0.02)
    assert money.work_value_per_kwh(rig, _MONEY) == 0.02
    asked = gpu(tokens_per_joule=40.0 / 280.0, hash_value_per_kwh=0.02, questions=1)
    assert money.work_value_per_kwh(asked, _MONEY) == pytest.approx(0.154, abs=0.001)


def test_solo_mining_is_credited_nothing() -> None:
    solo = MoneySeen(price_per_kwh=0.15, hash_value_per_th_day=0.0348, solo=True)
    assert money.net_per_kwh(asic(j_per_th=15.0), solo) == 0.15


def test_an_unknown_price_or_value_is_unknown_and_never_zero() -> None:
    assert money.net_per_kwh(asic(j_per_th=15.0), MoneySeen(hash_value_per_th_day=0.03)) is None
    assert money.net_per_kwh(asic(), _MONEY) is None
    prices = money.prices([asic(j_per_th=15.0)], MoneySeen())
    assert prices.house.net_per_kwh is None
    assert prices.cost_per_hour is None


def test_the_alternative_is_its_fuel_over_its_efficiency() -> None:
    heat_pump = MoneySeen(price_per_kwh=0.15, alternative_cop=3.0)
    assert money.alternative_per_kwh(heat_pump) == pytest.approx(0.05)
    furnace = MoneySeen(price_per_kwh=0.15, alternative_price_per_kwh=0.09, alternative_cop=0.9)
    assert money.alternative_per_kwh(furnace) == pytest.approx(0.10)
    assert money.alternative_per_kwh(MoneySeen(price_per_kwh=0.15)) is None


def test_cheaper_than_the_alternative_is_said_by_heater_and_for_the_house() -> None:
    best = asic("best", j_per_th=15.0, power_w=3000.0, hashing=True)
    worst = asic("worst", j_per_th=98.0, power_w=3000.0, hashing=True)
    prices = money.prices(
        [best, worst],
        MoneySeen(price_per_kwh=0.15, hash_value_per_th_day=0.0348, alternative_cop=2.0),
    )
    assert prices.heaters[HeaterKey("barn", "best")].cheaper is True
    assert prices.heaters[HeaterKey("barn", "worst")].cheaper is False
    assert prices.house.net_per_kwh == pytest.approx(0.15 - (0.0967 + 0.0148) / 2, abs=0.001)


def test_the_house_price_is_weighted_by_measured_watts() -> None:
    busy = asic("busy", j_per_th=15.0, power_w=3000.0, hashing=True)
    idle = asic("idle", j_per_th=15.0, power_w=0.0)
    prices = money.prices([busy, idle], _MONEY)
    assert prices.house.net_per_kwh == pytest.approx(0.15 - 0.0967, abs=0.001)


def test_idle_watts_cost_and_earn_nothing() -> None:
    idle = asic(j_per_th=15.0, power_w=1000.0, hashing=False)
    prices = money.prices([idle], _MONEY)
    assert prices.house.net_per_kwh == pytest.approx(0.15)
    assert prices.cost_per_hour == pytest.approx(0.15)
