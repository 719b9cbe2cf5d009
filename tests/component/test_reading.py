"""Entities in every unit that people have: converted, or not used and that is said."""

from datetime import UTC, datetime, timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from custom_components.hashcenter.heat.reading import Ages, Readings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to(NOON)


def look(hass: HomeAssistant, later_s: float = 0.0) -> Readings:
    return Readings(hass, NOON.timestamp() + later_s)


@pytest.mark.parametrize(
    ("state", "unit", "expected"),
    [("21.5", "°C", 21.5), ("70.7", "°F", 21.5), ("294.65", "K", 21.5)],
)
async def test_a_thermometer_in_any_unit_is_read_in_celsius(
    hass: HomeAssistant, state: str, unit: str, expected: float
) -> None:
    hass.states.async_set("sensor.room", state, {"unit_of_measurement": unit})
    assert look(hass).thermometer("sensor.room").temp_c == pytest.approx(expected)


async def test_a_temperature_is_as_old_as_its_last_word_also_a_repeated_one(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set("sensor.room", "21", {"unit_of_measurement": "°C"})
    freezer.tick(600)
    hass.states.async_set("sensor.room", "21", {"unit_of_measurement": "°C"})
    assert look(hass, 700).thermometer("sensor.room").age_s == pytest.approx(100.0)
    assert look(hass, -3600).thermometer("sensor.room").age_s == 0.0, "a clock that went back"


async def test_a_word_does_not_get_younger_when_the_clock_is_set_back(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    passed_s = 0.0
    ages = Ages(lambda: passed_s)

    def age_s() -> float:
        wall = dt_util.utcnow().timestamp()
        return Readings(hass, wall, ages).thermometer("sensor.room").age_s

    hass.states.async_set("sensor.room", "21", {"unit_of_measurement": "°C"})
    freezer.tick(30)
    assert age_s() == pytest.approx(30.0)
    passed_s = 600.0
    freezer.move_to(NOON - timedelta(hours=2))
    assert age_s() == pytest.approx(630.0)
    passed_s = 660.0
    freezer.move_to(NOON + timedelta(days=3))
    assert age_s() == pytest.approx(690.0), "nor older when it is set ahead"
    hass.states.async_set("sensor.room", "21", {"unit_of_measurement": "°C"})
    assert age_s() == pytest.approx(0.0)


async def test_weather_and_climate_entities_are_thermometers_too(hass: HomeAssistant) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    hass.states.async_set("weather.home", "sunny", {"temperature": -4, "temperature_unit": "°C"})
    hass.states.async_set("climate.room", "heat", {"current_temperature": 68})
    assert look(hass).thermometer("weather.home").temp_c == -4.0
    assert look(hass).thermometer("climate.room").temp_c == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("state", "unit", "said"),
    [
        ("21", "W", "is in 'W', which is no unit of temperature."),
        ("21", None, "is in no unit, which is no unit of temperature."),
        ("warm", "°C", "says 'warm', which is no number."),
        ("nan", "°C", "says 'nan', which is no number."),
        ("-127", "°C", "says '-127', which is colder than anywhere."),
        ("-196.6", "°F", "says '-196.6', which is colder than anywhere."),
        ("21", ["°C"], "is in ['°C'], which is no unit of temperature."),
        ("unavailable", "°C", None),
        ("unknown", "°C", None),
    ],
)
async def test_what_is_no_temperature_is_none_and_why_is_said(
    hass: HomeAssistant, state: str, unit: str | list[str] | None, said: str | None
) -> None:
    attributes = {"friendly_name": "Room", **({"unit_of_measurement": unit} if unit else {})}
    hass.states.async_set("sensor.room", state, attributes)
    readings = look(hass)
    assert readings.thermometer("sensor.room").temp_c is None
    expected = {} if said is None else {"sensor.room": f"Room (sensor.room) {said}"}
    assert readings.problems == expected


async def test_an_entity_that_does_not_exist_is_said(hass: HomeAssistant) -> None:
    readings = look(hass)
    assert readings.thermometer("sensor.gone").temp_c is None
    assert readings.is_on("binary_sensor.gone") is None
    assert readings.watts("sensor.meter") == (None, 0.0)
    assert set(readings.problems.values()) == {
        "sensor.gone does not exist.",
        "binary_sensor.gone does not exist.",
        "sensor.meter does not exist.",
    }


@pytest.mark.parametrize(
    ("state", "unit", "watts"),
    [("900", "W", 900.0), ("0.9", "kW", 900.0), ("9", "A", None), ("1e308", "GW", None)],
)
async def test_a_meter_is_read_in_watts(
    hass: HomeAssistant, state: str, unit: str, watts: float | None
) -> None:
    hass.states.async_set("sensor.meter", state, {"unit_of_measurement": unit})
    assert look(hass).watts("sensor.meter")[0] == watts


async def test_an_energy_counter_is_read_in_kwh(hass: HomeAssistant) -> None:
    hass.states.async_set("sensor.energy", "12500", {"unit_of_measurement": "Wh"})
    assert look(hass).kwh("sensor.energy") == 12.5


@pytest.mark.parametrize(
    ("state", "unit", "price"),
    [
        ("0.31", "EUR/kWh", 0.31),
        ("0.31", None, 0.31),
        ("-20", "€/MWh", -0.02),
        ("31", "ct/kWh", 0.31),
        ("31", "c/kWh", 0.31),
        ("0.00031", "USD / Wh", 0.31),
        ("31", "EUR", None),
        ("31", "sat/kWh", None),
    ],
)
async def test_a_price_is_read_per_kwh(
    hass: HomeAssistant, state: str, unit: str | None, price: float | None
) -> None:
    attributes = {"unit_of_measurement": unit} if unit else {}
    hass.states.async_set("sensor.price", state, attributes)
    readings = look(hass)
    assert readings.price_per_kwh("sensor.price") == (
        None if price is None else pytest.approx(price)
    )
    assert bool(readings.problems) is (price is None)


@pytest.mark.parametrize(
    ("state", "unit", "value"),
    [
        ("0.035", None, 0.035),
        ("0.035", "USD/TH/day", 0.035),
        ("35", "USD/PH/s/day", 0.035),
        ("3.5", "ct/TH/s/d", 0.035),
        ("35", "USD/PH/month", None),
        ("55", "sat/TH/day", None),
        ("35", "USD", None),
    ],
)
async def test_a_hash_value_is_read_per_terahash_and_day(
    hass: HomeAssistant, state: str, unit: str | None, value: float | None
) -> None:
    attributes = {"unit_of_measurement": unit} if unit else {}
    hass.states.async_set("sensor.hash_value", state, attributes)
    assert look(hass).value_per_th_day("sensor.hash_value") == (
        None if value is None else pytest.approx(value)
    )


@pytest.mark.parametrize(
    ("state", "unit", "sats"),
    [
        ("55", "sat/TH/day", 55.0),
        ("55000", "sats/PH/s/d", 55.0),
        ("0.00055", "BTC/PH/day", 55.0),
        ("0.035", "USD/TH/day", None),
        ("unknown", "sat/TH/day", None),
        ("55", "sat", None),
        ("55", None, None),
    ],
)
async def test_a_hash_value_in_bitcoin_is_read_in_satoshis(
    hass: HomeAssistant, state: str, unit: str | None, sats: float | None
) -> None:
    attributes = {"unit_of_measurement": unit} if unit else {}
    hass.states.async_set("sensor.hash_value", state, attributes)
    expected = None if sats is None else pytest.approx(sats)
    assert look(hass).sats_per_th_day("sensor.hash_value") == expected


@pytest.mark.parametrize(
    ("unit", "value"),
    [("EUR", 0.033), ("EUR/BTC", 0.033), (None, 0.033), ("USD", None), ("sat", None)],
)
async def test_satoshis_are_worth_what_a_bitcoin_costs_in_the_houses_currency(
    hass: HomeAssistant, unit: str | None, value: float | None
) -> None:
    hass.config.currency = "EUR"
    hass.states.async_set("sensor.hash_value", "55", {"unit_of_measurement": "sat/TH/day"})
    attributes = {"unit_of_measurement": unit} if unit else {}
    hass.states.async_set("sensor.bitcoin", "60000", attributes)
    readings = look(hass)
    worth = readings.value_per_th_day("sensor.hash_value", "sensor.bitcoin")
    assert worth == (None if value is None else pytest.approx(value))
    assert ("sensor.bitcoin" in readings.problems) is (value is None)
    assert readings.value_per_th_day("sensor.hash_value") is None


@pytest.mark.parametrize(
    ("state", "is_on"),
    [
        ("on", True),
        ("open", True),
        ("off", False),
        ("closed", False),
        ("unavailable", None),
        ("opening", None),
    ],
)
async def test_a_switch_of_any_kind_is_on_off_or_unknown(
    hass: HomeAssistant, state: str, is_on: bool | None
) -> None:
    hass.states.async_set("cover.duct", state)
    assert look(hass).is_on("cover.duct") is is_on


async def test_an_event_begins_when_its_entity_says(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    expected = datetime(2026, 11, 22, 16, tzinfo=UTC)
    hass.states.async_set("calendar.peaks", "off", {"start_time": "2026-11-22 17:00:00"})
    hass.states.async_set("sensor.next_peak", "2026-11-22T16:00:00+00:00")
    hass.states.async_set("binary_sensor.peak", "off", {"start_time": expected})
    for entity_id in ("calendar.peaks", "sensor.next_peak", "binary_sensor.peak"):
        assert look(hass).starts_at(entity_id) == expected
    hass.states.async_set("binary_sensor.plain", "off")
    assert look(hass).starts_at("binary_sensor.plain") is None


@pytest.mark.parametrize(
    "said", ["2026-13-45 10:00:00", "0001-01-01T00:00:00", "2026-01-01T10:00:00+99:99", "soon"]
)
async def test_what_is_no_time_begins_never(hass: HomeAssistant, said: str) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    hass.states.async_set("sensor.next_peak", said)
    assert look(hass).starts_at("sensor.next_peak") is None
