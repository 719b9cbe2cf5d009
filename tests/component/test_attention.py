"""Which news cannot wait for the next minute, and which can."""

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.control.people import People
from custom_components.hashcenter.control.requests import HeaterKey, HeatRequest
from custom_components.hashcenter.control.seen import (
    CircuitSeen,
    HeaterSeen,
    HouseSeen,
    HvacMode,
    LeaseSeen,
    Meter,
    OutsideDemand,
    Pace,
    RoomSeen,
    Thermometer,
)
from custom_components.hashcenter.control.state import HeaterMemory
from custom_components.hashcenter.heat.attention import entities, entity_matters, heaters_matter
from custom_components.hashcenter.heat.plan import CircuitPlan, HousePlan, MoneyPlan, RoomPlan
from custom_components.hashcenter.heat.reading import Readings
from custom_components.hashcenter.wire.values import Effect

KEY = HeaterKey("attic", "machine")
HEATER = HeaterSeen(
    key=KEY,
    name="Attic",
    pace=Pace.FAST,
    room="living",
    circuit="c1",
    idle_w=60.0,
    min_w=160.0,
    max_w=900.0,
    unattended_w=60.0,
    available_w=880.0,
    power_w=400.0,
    mean_w=400.0,
    effect=Effect.REACHED,
    lease=LeaseSeen(400.0),
)
PLAN = HousePlan(
    rooms={
        "living": RoomPlan(
            "living",
            "Living",
            "sensor.living",
            outdoor="sensor.garden",
            windows=("binary_sensor.window",),
            damper="cover.duct",
        )
    },
    circuits={
        "c1": CircuitPlan("c1", "C", 230.0, 16.0, meter="sensor.meter", tripped="binary_sensor.off")
    },
    outdoor="sensor.outdoor",
    money=MoneyPlan(price_entity="sensor.price", generator_entity="binary_sensor.generator"),
)
PEOPLE = People().with_request(KEY, HeatRequest(300.0, 1e10, 25.0, "sensor.bath"))
SEEN = HouseSeen(
    rooms=(RoomSeen("living", "Living", HvacMode.HEAT, 21.0, Thermometer(20.0)),),
    heaters=(replace(HEATER, outside=OutsideDemand(300.0, 1e10, 25.0, Thermometer(24.0))),),
    circuits=(CircuitSeen("c1", "C", 230.0, 16.0, meter=Meter(500.0)),),
)


def test_only_entities_that_cannot_wait_are_listened_to() -> None:
    assert entities(PLAN, PEOPLE) == {
        "sensor.living",
        "binary_sensor.window",
        "cover.duct",
        "sensor.meter",
        "binary_sensor.off",
        "binary_sensor.generator",
        "sensor.bath",
    }


@pytest.mark.parametrize(
    ("entity_id", "state", "unit", "matters"),
    [
        ("sensor.living", "20.9", "°C", False),
        ("sensor.living", "22.9", "°C", False),
        ("sensor.living", "23.1", "°C", True),
        ("sensor.living", "6.9", "°C", True),
        ("sensor.living", "unavailable", None, True),
        ("sensor.meter", "580", "W", False),
        ("sensor.meter", "700", "W", True),
        ("sensor.meter", "0.2", "kW", True),
        ("sensor.meter", "unavailable", None, True),
        ("sensor.bath", "24.9", "°C", False),
        ("sensor.bath", "25.1", "°C", True),
        ("binary_sensor.window", "on", None, True),
    ],
)
async def test_a_figure_matters_when_it_crosses_a_limit_or_jumps(
    hass: HomeAssistant, entity_id: str, state: str, unit: str | None, matters: bool
) -> None:
    hass.states.async_set(entity_id, state, {"unit_of_measurement": unit} if unit else {})
    readings = Readings(hass, 1_800_000_000.0)
    assert entity_matters(entity_id, PLAN, PEOPLE, SEEN, readings) is matters


@pytest.mark.parametrize(
    ("changes", "matters"),
    [
        ({}, False),
        ({"power_w": 430.0, "mean_w": 410.0}, False),
        ({"questions": 2}, False),
        ({"available_w": 850.0}, False),
        ({"available_w": 700.0}, True),
        ({"available_w": 150.0}, True),
        ({"effect": Effect.NO_EFFECT}, True),
        ({"lease": None}, True),
        ({"lease": LeaseSeen(500.0)}, False),
        ({"online": False}, True),
        ({"controllable": False}, True),
        ({"starting": True}, True),
        ({"max_w": 800.0}, True),
        ({"power_w": 700.0}, True),
    ],
)
def test_a_heater_matters_when_something_began_or_ended_or_jumped(
    changes: dict[str, Any], matters: bool
) -> None:
    memories = {KEY: HeaterMemory(ceiling_w=500.0)}
    after = replace(HEATER, **changes)
    assert heaters_matter({KEY: HEATER}, [after], memories) is matters


def test_a_heater_that_was_never_seen_matters() -> None:
    assert heaters_matter({}, [HEATER], {})


def test_off_a_circuit_watts_alone_never_matter() -> None:
    before = replace(HEATER, circuit=None)
    after = replace(before, power_w=890.0)
    assert not heaters_matter({KEY: before}, [after], {KEY: HeaterMemory(ceiling_w=500.0)})
