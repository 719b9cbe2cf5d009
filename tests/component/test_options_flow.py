"""The house's options: money, the outdoor thermometer, the thresholds of the tilt."""

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from custom_components.hashcenter.control.tiers import TierPlan
from custom_components.hashcenter.control.tilt import TiltPlan
from custom_components.hashcenter.heat.plan import HousePlan, MoneyPlan, heater_id
from tests.component.filling import (
    ENGLISH,
    MACHINE,
    MINER,
    house_with_heaters,
    options,
    sensor,
)
from tests.component.rigs import house_of

pytestmark = pytest.mark.usefixtures("mqtt_mock")

WORDS = ENGLISH["options"]
PRICE = "sensor.price"
OUTSIDE = "sensor.outside"


@pytest.fixture(autouse=True)
def _sensors(hass: HomeAssistant) -> None:
    hass.config.currency = "USD"
    sensor(hass, PRICE, "monetary", "USD/kWh", "0.31")
    sensor(hass, OUTSIDE, "temperature", "°C", "-3")
    sensor(hass, "sensor.surplus", "power", "kW", "1.2")
    sensor(hass, "sensor.house_energy", "energy", "kWh", "8123.4")
    sensor(hass, "sensor.words", "enum", "", "cheap")
    sensor(hass, "sensor.sats", "monetary", "sat/PH/day", "55000")
    sensor(hass, "sensor.bitcoin", "monetary", "USD", "64000")
    for entity_id in ("calendar.peak", "binary_sensor.generator", "input_number.hashprice"):
        hass.states.async_set(entity_id, "0" if "number" in entity_id else "off")


async def test_an_empty_form_says_nothing_about_money(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "money")
    form.assert_translated(WORDS)
    assert form.said(WORDS).startswith("In USD.")
    done = await form.fill_in()
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {}
    assert HousePlan.read(entry).money == MoneyPlan()


async def test_every_figure_and_entity_is_kept(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    house = house_of(entry)
    form = await options(hass, entry, "money")
    await form.fill_in(
        price_entity=PRICE,
        price_per_kwh=0.2,
        tariff={
            "tiers": [
                {"from_kwh": 40, "price_per_kwh": 0.11},
                {"from_kwh": 0, "price_per_kwh": 0.07},
            ],
            "energy_entity": "sensor.house_energy",
            "peak_entity": "calendar.peak",
        },
        supply={
            "surplus_entity": "sensor.surplus",
            "generator_entity": "binary_sensor.generator",
        },
        work={
            "hash_value_entity": "input_number.hashprice",
            "bitcoin_price_entity": "sensor.bitcoin",
            "hash_value_per_th_day": 0.035,
            "solo": True,
            "gpu_hash_value_per_kwh": 0.02,
            "inference_value_per_mtoken": 0.3,
        },
        alternative={"alternative_cop": 0.9, "alternative_price_per_kwh": 0.05},
    )
    assert HousePlan.read(entry).money == MoneyPlan(
        price_entity=PRICE,
        price_per_kwh=0.2,
        tiers=(TierPlan(0, 0.07), TierPlan(40, 0.11)),
        energy_entity="sensor.house_energy",
        peak_entity="calendar.peak",
        generator_entity="binary_sensor.generator",
        surplus_entity="sensor.surplus",
        hash_value_entity="input_number.hashprice",
        bitcoin_price_entity="sensor.bitcoin",
        hash_value_per_th_day=0.035,
        gpu_hash_value_per_kwh=0.02,
        solo=True,
        inference_value_per_mtoken=0.3,
        alternative_cop=0.9,
        alternative_price_per_kwh=0.05,
    )
    assert house_of(entry) is not house, "the house is made anew of it"
    before = dict(entry.options)
    form = await options(hass, entry, "money")
    await form.fill_in()
    assert entry.options == before, "sent as it was shown, nothing changes"


async def test_one_part_keeps_the_others_and_what_is_not_shown(hass: HomeAssistant) -> None:
    kept: dict[str, Any] = {
        "outdoor": OUTSIDE,
        "money": {"price_per_kwh": 0.2, "solo": True, "of_a_later_version": 1},
        "tilt": {"hashing_above_c": 12.0, "of_a_later_version": 1},
        "of_a_later_version": 1,
    }
    entry = await house_with_heaters(hass, **kept)
    form = await options(hass, entry, "money")
    await form.fill_in("work.solo", price_per_kwh=0.25)
    money = {"price_per_kwh": 0.25, "of_a_later_version": 1}
    assert entry.options == {**kept, "money": money}
    form = await options(hass, entry, "outdoor")
    await form.fill_in("outdoor", by_solar={"hashing_above_surplus_w": 900})
    assert entry.options["money"] == money
    assert entry.options["of_a_later_version"] == 1
    assert "outdoor" not in entry.options
    plan = HousePlan.read(entry)
    assert plan.tilt == TiltPlan(hashing_above_c=12.0, hashing_above_surplus_w=900)
    assert plan.outdoor is None


@pytest.mark.parametrize(
    ("answers", "where", "sentence"),
    [
        (
            {"price_entity": "sensor.gone"},
            "price_entity",
            "There is no sensor.gone. Choose another one.",
        ),
        (
            {"price_entity": "sensor.words"},
            "price_entity",
            "words does not show a price of power. Choose one in USD per kWh or MWh.",
        ),
        (
            {"price_entity": "sensor.surplus"},
            "price_entity",
            "surplus does not show a price of power. Choose one in USD per kWh or MWh.",
        ),
        (
            {"supply": {"surplus_entity": OUTSIDE}},
            "supply",
            "outside does not show watts. Choose a power sensor.",
        ),
        (
            {"work": {"hash_value_entity": "sensor.words"}},
            "work",
            ("words does not show a value of hashing. Choose one in USD per TH/s or PH/s and day."),
        ),
        (
            {"work": {"hash_value_entity": "sensor.sats"}},
            "work",
            (
                "sats is in satoshis. Choose the price of a bitcoin as well, or fill in the value "
                "of hashing."
            ),
        ),
        (
            {"work": {"hash_value_entity": "sensor.sats", "bitcoin_price_entity": PRICE}},
            "work",
            "price does not show what a bitcoin costs in USD. Choose another one.",
        ),
        (
            {"tariff": {"energy_entity": "sensor.surplus"}},
            "tariff",
            "surplus does not show kWh. Choose an energy counter.",
        ),
        (
            {"tariff": {"peak_entity": "calendar.gone"}},
            "tariff",
            "There is no calendar.gone. Choose another one.",
        ),
        (
            {
                "tariff": {
                    "tiers": [
                        {"from_kwh": 0, "price_per_kwh": 0.07},
                        {"from_kwh": 0, "price_per_kwh": 0.11},
                    ]
                }
            },
            "tariff",
            "Two daily steps begin at the same kWh. Take one away.",
        ),
        (
            {"tariff": {"tiers": [{"from_kwh": 40, "price_per_kwh": 0.11}]}},
            "tariff",
            (
                "Nothing says what a kWh costs below the first step at 40 kWh. Let a step begin at "
                "0, or fill in the price of power."
            ),
        ),
    ],
)
async def test_what_cannot_be_is_said_in_one_sentence_and_can_be_put_right(
    hass: HomeAssistant, answers: dict[str, Any], where: str, sentence: str
) -> None:
    entry = await house_with_heaters(hass)
    empty = await options(hass, entry, "money")
    form = await empty.fill_in(**answers)
    assert set(form.errors) == {where}
    assert form.sentence(WORDS, where) == sentence
    done = await replace(form, shown=empty.shown).fill_in(price_per_kwh=0.2)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"money": {"price_per_kwh": 0.2}}


async def test_steps_above_the_first_mark_need_a_price_below_it(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "money")
    tiers = [{"from_kwh": 40, "price_per_kwh": 0.11}]
    done = await form.fill_in(price_per_kwh=0.07, tariff={"tiers": tiers})
    assert done.result["type"] is FlowResultType.CREATE_ENTRY


async def test_an_entity_that_says_nothing_yet_is_believed(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    hass.states.async_set(PRICE, STATE_UNAVAILABLE)
    form = await options(hass, entry, "money")
    done = await form.fill_in(price_entity=PRICE)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "tariff_",
    [
        {"tiers": [{"from_kwh": -1, "price_per_kwh": 0.1}]},
        {"tiers": [{"from_kwh": 1}]},
        {"tiers": {"from_kwh": 1, "price_per_kwh": 0.1}},
    ],
)
async def test_steps_that_are_none_are_refused_by_the_form(
    hass: HomeAssistant, tariff_: dict[str, Any]
) -> None:
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "money")
    with pytest.raises(InvalidData):
        await form.fill_in(tariff=tariff_)


async def test_the_thresholds_are_kept(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "outdoor")
    form.assert_translated(WORDS)
    await form.fill_in()
    assert HousePlan.read(entry).tilt == TiltPlan(), "what the form shows is what is usual"
    form = await options(hass, entry, "outdoor")
    await form.fill_in(
        outdoor=OUTSIDE,
        by_outdoor={"inference_below_c": -5, "hashing_above_c": 8},
        by_price={"inference_above_price": 0.3, "hashing_below_price": 0.1},
        by_solar={"hashing_above_surplus_w": 1500},
        by_time={"inference_from": "18:00", "inference_to": "22:30:00"},
    )
    plan = HousePlan.read(entry)
    assert plan.outdoor == OUTSIDE
    assert plan.tilt == TiltPlan(-5, 8, 0.3, 0.1, 1500, "18:00:00", "22:30:00")
    before = dict(entry.options)
    form = await options(hass, entry, "outdoor")
    await form.fill_in()
    assert entry.options == before


async def test_thresholds_are_asked_in_the_houses_unit(hass: HomeAssistant) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "outdoor")
    assert form.shown["by_outdoor"] == {"inference_below_c": 32, "hashing_above_c": 50}
    await form.fill_in(by_outdoor={"inference_below_c": 20.5})
    assert HousePlan.read(entry).tilt.inference_below_c == pytest.approx(-6.3889, abs=1e-4)
    form = await options(hass, entry, "outdoor")
    assert form.shown["by_outdoor"]["inference_below_c"] == 20.5


@pytest.mark.parametrize(
    ("answers", "where", "sentence"),
    [
        (
            {"outdoor": "sensor.gone"},
            "outdoor",
            "There is no sensor.gone. Choose another one.",
        ),
        (
            {"outdoor": "sensor.surplus"},
            "outdoor",
            "surplus does not show a temperature. Choose a temperature sensor.",
        ),
        (
            {"outdoor": "sensor.attic_gpu_0_temperature"},
            "outdoor",
            (
                "GPU 0 Temperature is how warm a rig is, not the weather. Choose a sensor that "
                "hangs outdoors."
            ),
        ),
        (
            {"by_outdoor": {"inference_below_c": 12}},
            "by_outdoor",
            (
                "Answering cannot go first below 12 °C while hashing goes first above 10 °C. The "
                "first has to be the colder one."
            ),
        ),
        (
            {"by_price": {"inference_above_price": 0.1, "hashing_below_price": 0.2}},
            "by_price",
            (
                "Answering cannot go first above 0.1 while hashing goes first below 0.2. The "
                "first has to be the dearer one."
            ),
        ),
        (
            {"by_time": {"inference_from": "18:00", "inference_to": "18:00:00"}},
            "by_time",
            "This time ends when it begins. Change one of the two.",
        ),
    ],
)
async def test_thresholds_that_contradict_each_other_are_said(
    hass: HomeAssistant, answers: dict[str, Any], where: str, sentence: str
) -> None:
    entry = await house_with_heaters(hass)
    empty = await options(hass, entry, "outdoor")
    form = await empty.fill_in(**answers)
    assert set(form.errors) == {where}
    assert form.sentence(WORDS, where) == sentence
    done = await replace(form, shown=empty.shown).fill_in()
    assert done.result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("beside", "value"),
    [
        ({"bitcoin_price_entity": "sensor.bitcoin"}, 0.0352),
        ({"hash_value_per_th_day": 0.04}, 0.04),
    ],
)
async def test_a_value_of_hashing_in_satoshis_needs_a_price_or_a_figure(
    hass: HomeAssistant, beside: dict[str, Any], value: float
) -> None:
    entry = await house_with_heaters(hass)
    form = await options(hass, entry, "money")
    done = await form.fill_in(work={"hash_value_entity": "sensor.sats", **beside})
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    seen = house_of(entry).heating.seen
    assert seen
    assert seen.money.hash_value_per_th_day == pytest.approx(value)


async def test_hashing_on_gpus_is_valued_by_the_kwh_and_an_asics_is_not(
    hass: HomeAssistant,
) -> None:
    entry = await house_with_heaters(hass, money={"gpu_hash_value_per_kwh": 0.02})
    seen = house_of(entry).heating.seen
    assert seen
    values = {heater_id(one.key): one.hash_value_per_kwh for one in seen.heaters}
    assert values == {MACHINE: 0.02, MINER: None}
