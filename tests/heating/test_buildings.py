"""The building models: physics that has to hold, and somebody else's results as the judge."""

from pathlib import Path

import numpy as np
import pytest

from tools.paths import ROOT
from tools.setup.environments import script_environment
from tools.setup.errors import SetupError

from .buildings import Building, Nodes, TwoStores
from .houses import HouseOf, house
from .iso52016_nodes import Iso52016, assembled, worst_difference_k
from .weather import Weather

_LOCK = ROOT / "tools/bench/heating/requirements-iso52016.lock"


@pytest.fixture(scope="module")
def one() -> HouseOf:
    return house(1, seed=1, days=3)


@pytest.fixture(scope="module")
def iso(one: HouseOf, tmp_path_factory: pytest.TempPathFactory) -> Iso52016:
    try:
        python = script_environment("iso52016", _LOCK)
    except SetupError as err:
        pytest.skip(f"iso52016 cannot be had: {err}")
    folder: Path = tmp_path_factory.mktemp("iso52016")
    return assembled(python, [one], folder)[one.number]


def _still(one: HouseOf, outdoor_c: float) -> Weather:
    size = one.weather.outdoor_c.size
    return Weather(np.full(size, outdoor_c), np.zeros(size))


def test_a_house_settles_where_its_heat_loss_says(one: HouseOf) -> None:
    building = TwoStores(one.building, _still(one, 0.0))
    building.settle(20.0, 0)
    watts = one.building.heat_loss_w_per_k * 20.0 - one.building.gains_w
    for _ in range(10 * 1440):
        building.prepare(0, window_open=False)
        building.step(watts)
    assert building.room_c == pytest.approx(20.0, abs=0.05)


def _ends_at_free_plus_gain(building: Building) -> None:
    building.settle(20.0, 0)
    free_c, gain = building.prepare(0, window_open=False)
    building.step(1234.0)
    assert building.room_c == pytest.approx(free_c + gain * 1234.0)


def test_a_step_ends_where_it_was_foretold(one: HouseOf) -> None:
    _ends_at_free_plus_gain(TwoStores(one.building, one.weather))


def test_a_step_of_iso52016_ends_where_it_was_foretold(iso: Iso52016) -> None:
    _ends_at_free_plus_gain(Nodes(iso.nodes))


def test_an_open_window_cools(one: HouseOf) -> None:
    shut, aired = (TwoStores(one.building, _still(one, -5.0)) for _ in range(2))
    for building, is_open in ((shut, False), (aired, True)):
        building.settle(20.0, 0)
        building.prepare(0, window_open=is_open)
        building.step(1000.0)
    assert aired.room_c < shut.room_c


def test_our_hourly_steps_match_iso52016s_own_results(iso: Iso52016) -> None:
    assert iso.own_heat_w.max() > 100.0
    assert worst_difference_k(iso) <= 0.01


def test_iso52016_is_scaled_to_the_houses_heat_loss(one: HouseOf, iso: Iso52016) -> None:
    nodes = iso.nodes
    gain = nodes.room @ np.linalg.solve(nodes.static, nodes.heat)
    assert 1.0 / gain == pytest.approx(one.building.heat_loss_w_per_k, rel=1e-6)


def test_the_seed_alone_decides_what_is_drawn() -> None:
    first, again, other = house(4, 7, 2), house(4, 7, 2), house(4, 8, 2)
    assert (first.building, first.gpus, first.asics) == (again.building, again.gpus, again.asics)
    assert np.array_equal(first.weather.outdoor_c, again.weather.outdoor_c)
    assert first.building != other.building
