"""What is remembered survives a restart as JSON, and a damaged store is forgotten, not fatal."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.hashcenter.control.explain import sentence
from custom_components.hashcenter.control.seen import Thermometer
from custom_components.hashcenter.control.state import State, restored, stored
from custom_components.hashcenter.control.wanted import Limit, LimitCode
from custom_components.hashcenter.wire.values import Effect

from .scene import asic, breaker, gpu, room, scene

_COLD = room(thermometer=Thermometer(15.0))


def test_everything_remembered_survives_the_store() -> None:
    house = scene(gpu(circuit="c"), circuits=(breaker(),))
    house.pass_minutes(90)
    again = restored(json.loads(json.dumps(stored(house.state))))
    assert again == house.state


def test_a_restart_through_the_store_changes_no_watts() -> None:
    house = scene()
    house.pass_minutes(90)
    before = {key: one.power_w for key, one in house.wanted.heaters.items()} if house.wanted else {}
    house.state = restored(json.loads(json.dumps(stored(house.state))))
    after = house.pass_minutes()
    assert {key: one.power_w for key, one in after.heaters.items()} == pytest.approx(
        before, rel=0.02
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["rooms", "heaters", "circuits"]), _JSON))
def test_a_damaged_store_is_forgotten(damaged: dict[str, Any]) -> None:
    assert isinstance(restored(damaged), State)


@pytest.mark.parametrize("spoiled", ["x", None, [1], float("nan"), True])
def test_a_part_that_cannot_be_read_is_learned_again(spoiled: object) -> None:
    house = scene()
    house.pass_minutes(5)
    data = json.loads(json.dumps(stored(house.state)))
    data["rooms"]["living"]["integral_w"] = spoiled
    again = restored(data)
    assert not again.rooms
    assert again.heaters == house.state.heaters


@pytest.mark.parametrize("code", list(LimitCode))
def test_every_limit_has_a_sentence(code: LimitCode) -> None:
    text = sentence(Limit(code))
    assert text.endswith(".")
    assert "{" not in text


def test_a_sentence_names_the_circuit_as_people_do() -> None:
    text = sentence(Limit(LimitCode.CIRCUIT, {"circuit": "c7"}), {"c7": "Garage"})
    assert text == "The circuit Garage is full."


def test_an_unavailable_thermometer_is_not_said_to_be_silent_for_minutes() -> None:
    text = sentence(Limit(LimitCode.THERMOMETER_STALE, {"age_s": -1.0}))
    assert text == "The thermometer is unavailable."


def test_a_clock_that_went_back_holds_nothing_up() -> None:
    house = scene(asic(circuit="c"), circuits=(breaker(40.0),), rooms=(_COLD,))
    house.pass_minutes(20)
    house.change_heater("s19", power_w=20.0, mean_w=20.0, effect=Effect.NO_EFFECT)
    house.obeys = False
    house.pass_minutes()
    assert house.heater("s19").limit.code is LimitCode.NO_EFFECT
    house.now -= 365 * 86_400.0
    house.obeys = True
    house.change_heater("s19", effect=Effect.REACHED)
    house.pass_minutes(30)
    assert house.heater("s19").power_w > 0
