"""The shipped rules in a closed loop: short courses that hold what the bench measures at length."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from .buildings import TwoStores
from .compare import Compared, compare
from .controllers import TPI_DEFAULTS, Hysteresis, Look, Tpi
from .houses import HouseOf, house


def _compared(made: HouseOf, *only: str) -> Compared:
    return compare(made, lambda: TwoStores(made.building, made.weather), frozenset(only))


@pytest.fixture(scope="module")
def usual() -> Compared:
    return _compared(house(1, seed=1, days=3), "hashcenter", "hysteresis")


@pytest.mark.timeout(300)
def test_ours_stays_closer_to_the_target_than_a_thermostat(usual: Compared) -> None:
    ours, plain = usual.figures["hashcenter"], usual.figures["hysteresis"]
    assert ours.rmse_k < plain.rmse_k
    assert ours.excess_rmse_k <= 0.25


@pytest.mark.timeout(300)
def test_ours_starts_miners_a_tenth_as_often_as_a_thermostat(usual: Compared) -> None:
    ours, plain = usual.figures["hashcenter"], usual.figures["hysteresis"]
    assert ours.asic_starts_per_day_worst <= 0.2 * plain.asic_starts_per_day_worst


@pytest.mark.timeout(300)
def test_ours_delivers_what_it_demands(usual: Compared) -> None:
    assert usual.figures["hashcenter"].tracking_error_percent <= 6.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [2, 5])
def test_a_breaker_that_binds_never_carries_too_much(number: int) -> None:
    made = house(number, seed=1, days=2)
    assert made.tight
    assert made.loads
    compared = _compared(made, "hashcenter")
    assert compared.courses["hashcenter"].binding.any()
    assert compared.figures["hashcenter"].circuit_violation_s_max == 0


@pytest.mark.timeout(300)
def test_after_a_power_cut_the_whole_house_comes_back_without_tripping() -> None:
    made = replace(house(2, seed=1, days=1), cuts=((600, 615), (900, 910)))
    compared = _compared(made, "hashcenter")
    assert compared.courses["hashcenter"].heating_w[605] == 0.0
    assert compared.courses["hashcenter"].heating_w[700] > 100.0
    assert compared.figures["hashcenter"].circuit_violation_s_max == 0


@pytest.mark.timeout(300)
def test_a_restart_of_home_assistant_costs_no_start() -> None:
    made = replace(
        house(1, seed=1, days=1), cuts=(), silences=(), windows=(), restarts=((720, 723),)
    )
    without = replace(made, restarts=())
    starts = [_compared(one, "hashcenter").courses["hashcenter"].starts for one in (made, without)]
    assert starts[0] == starts[1]


def _look(temp_c: float, minute: int = 0) -> Look:
    return Look(minute, 21.0, temp_c, 0.0, 0.0, window_open=False)


def test_hysteresis_switches_everything_at_the_ends_of_its_band() -> None:
    plain = Hysteresis({"a": 1000.0})
    told: Callable[[float], float] = lambda temp_c: plain.ask(_look(temp_c))["a"][0]  # noqa: E731
    assert [told(one) for one in (20.6, 21.2, 21.4, 20.8)] == [1000.0, 1000.0, 0.0, 0.0]


def test_tpi_is_on_for_its_share_of_a_cycle() -> None:
    tpi = Tpi({"a": 1000.0}, TPI_DEFAULTS)
    asked = [tpi.ask(_look(20.7, minute))["a"][0] for minute in range(5)]
    # 0.6 * 0.3 + 0.01 * 21 = 0.39 of 5 minutes
    assert asked == [1000.0, 1000.0, 0.0, 0.0, 0.0]
