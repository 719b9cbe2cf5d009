"""Setting up a circuit: what is kept, what is refused and why, what would trip it is said."""

from dataclasses import replace
from typing import Any

import pytest
from homeassistant.config_entries import (
    ConfigEntryDisabler,
    ConfigSubentryDataWithId,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.heat.plan import CircuitPlan, HousePlan
from tests.component.filling import (
    ENGLISH,
    MACHINE,
    MINER,
    add,
    change,
    house_with_heaters,
    parts,
    sensor,
)
from tests.component.rigs import ATTIC, CELLAR, house_of

pytestmark = pytest.mark.usefixtures("mqtt_mock")

WORDS = ENGLISH["config_subentries"]["circuit"]
ESSENTIALS = {"name": "Attic outlets", "volts": 120, "amps": 20}
METER = "sensor.panel_power"


def circuit(
    title: str, volts: float = 240.0, amps: float = 30.0, **data: Any
) -> ConfigSubentryDataWithId:
    """Return a circuit as it is kept; its id is its name in small letters."""
    return ConfigSubentryDataWithId(
        subentry_id=title.lower(),
        subentry_type="circuit",
        title=title,
        unique_id=None,
        data={"volts": volts, "amps": amps, **data},
    )


def plan_of(entry: MockConfigEntry, name: str) -> CircuitPlan:
    """Return the circuit as the house reads it."""
    plans = {plan.name: plan for plan in HousePlan.read(entry).circuits.values()}
    return plans[name]


async def test_a_circuit_needs_a_name_volts_and_amps(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "circuit")
    form.assert_translated(WORDS)
    done = await form.fill_in(**ESSENTIALS)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    plan = plan_of(entry, "Attic outlets")
    assert replace(plan, id="") == CircuitPlan("", "Attic outlets", 120.0, 20.0)


async def test_the_form_says_what_eighty_percent_are(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "circuit")
    assert form.said(WORDS).endswith("230 V and 16 A make 2944 W.")
    form = await form.fill_in(**{**ESSENTIALS, "name": ""})
    assert form.said(WORDS).endswith("120 V and 20 A make 1920 W.")
    await form.fill_in(name="Attic outlets")
    form = await change(hass, entry, parts(entry, "circuit")["Attic outlets"])
    assert form.said(WORDS).endswith("120 V and 20 A make 1920 W.")


async def test_a_new_circuit_begins_as_the_last_one_or_as_is_usual_there(
    hass: HomeAssistant,
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "circuit")
    assert (form.shown["volts"], form.shown["amps"]) == (120, 20)
    await form.fill_in(name="Main", volts=240, amps=100)
    form = await add(hass, entry, "circuit")
    assert (form.shown["volts"], form.shown["amps"]) == (240, 100)


async def test_everything_that_is_answered_is_kept(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Main", 240, 100))
    sensor(hass, METER, "power", "W")
    hass.states.async_set("binary_sensor.tripped", "off")
    form = await add(hass, entry, "circuit")
    form.assert_translated(WORDS)
    await form.fill_in(
        name=" Cellar ",
        volts=240,
        amps=30,
        heaters=[MINER, MACHINE],
        others_w=1200,
        metering={"meter": METER, "meter_counts_heaters": True},
        supply={"parent": "main", "tripped": "binary_sensor.tripped"},
    )
    plan = plan_of(entry, "Cellar")
    assert plan == CircuitPlan(
        id=plan.id,
        name="Cellar",
        volts=240,
        amps=30,
        parent="main",
        heaters=(HeaterKey(CELLAR, "s19"), HeaterKey(ATTIC, "machine")),
        meter=METER,
        meter_counts_heaters=True,
        others_w=1200,
        tripped="binary_sensor.tripped",
    )


async def test_changing_a_circuit_keeps_what_is_not_shown_and_clears_what_is_emptied(
    hass: HomeAssistant,
) -> None:
    sensor(hass, METER, "power", "kW")
    kept = circuit(
        "Cellar", heaters=[MINER], meter=METER, meter_counts_heaters=True, of_a_later_version=1
    )
    entry = await house_with_heaters(hass, kept)
    house = house_of(entry)
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    form.assert_translated(WORDS)
    await form.fill_in()
    assert dict(parts(entry, "circuit")["Cellar"].data) == kept["data"]
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    cleared = ["metering.meter", "metering.meter_counts_heaters"]
    done = await form.fill_in(*cleared, name="Basement", heaters=[])
    assert done.result["reason"] == "reconfigure_successful"
    assert dict(parts(entry, "circuit")["Basement"].data) == {
        "volts": 240,
        "amps": 30,
        "of_a_later_version": 1,
    }
    assert house_of(entry) is not house, "the house is made anew of it"


@pytest.mark.parametrize(
    ("answers", "where", "sentence"),
    [
        ({"name": ""}, "name", "Give the circuit a name."),
        (
            {"name": "cellar"},
            "name",
            "There already is a circuit called cellar. Choose another name.",
        ),
        (
            {"heaters": [MACHINE, MINER]},
            "heaters",
            "S19 in the cellar is already behind Cellar. Take it off there first.",
        ),
        (
            {"metering": {"meter": "sensor.gone"}},
            "metering",
            "There is no sensor.gone. Choose another one.",
        ),
        (
            {"metering": {"meter": "sensor.living_room"}},
            "metering",
            "living room does not show watts. Choose a power sensor.",
        ),
        (
            {"metering": {"meter_counts_heaters": True}},
            "metering",
            "Choose the meter that counts the heaters, or turn that off.",
        ),
    ],
)
async def test_what_cannot_be_is_said_in_one_sentence_and_can_be_put_right(
    hass: HomeAssistant, answers: dict[str, Any], where: str, sentence: str
) -> None:
    entry = await house_with_heaters(hass, circuit("Cellar", heaters=[MINER]))
    empty = await add(hass, entry, "circuit")
    form = await empty.fill_in(**{**ESSENTIALS, **answers})
    assert set(form.errors) == {where}
    assert form.sentence(WORDS, where) == sentence
    done = await replace(form, shown=empty.shown).fill_in(**ESSENTIALS)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert set(parts(entry, "circuit")) == {"Cellar", "Attic outlets"}


async def test_a_heater_that_is_gone_is_named(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Cellar", heaters=["cellar/old"]))
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    form = await form.fill_in()
    assert (
        form.sentence(WORDS, "heaters")
        == "No rig of this house has old (Cellar) any more. Take it off the list."
    )
    done = await form.fill_in(heaters=[])
    assert done.result["reason"] == "reconfigure_successful"


async def test_no_circuit_can_feed_itself(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(
        hass, circuit("Main"), circuit("Sub", parent="main"), circuit("Leaf", parent="sub")
    )

    async def feeders(name: str) -> set[str]:
        form = await change(hass, entry, parts(entry, "circuit")[name])
        supply = form.result["data_schema"].schema["supply"].schema.schema
        field = supply.get("parent")
        return {option["label"] for option in field.config["options"]} if field else set()

    assert await feeders("Main") == set()
    assert await feeders("Sub") == {"Main"}
    assert await feeders("Leaf") == {"Main", "Sub"}


async def test_a_loop_that_came_about_meanwhile_is_said(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Main"), circuit("Sub"), circuit("Shed"))
    form = await change(hass, entry, parts(entry, "circuit")["Main"])
    sub, shed = parts(entry, "circuit")["Sub"], parts(entry, "circuit")["Shed"]
    hass.config_entries.async_update_subentry(entry, sub, data={**sub.data, "parent": "main"})
    hass.config_entries.async_remove_subentry(entry, shed.subentry_id)
    await hass.async_block_till_done()
    wrong = await form.fill_in(supply={"parent": "sub"})
    assert (
        wrong.sentence(WORDS, "supply")
        == "The circuit it is fed by is fed by this one. Choose another one."
    )


async def test_a_feeder_that_is_gone_is_said_and_forgotten(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(
        hass, circuit("Main"), circuit("Sub"), circuit("Leaf", parent="main")
    )
    form = await change(hass, entry, parts(entry, "circuit")["Leaf"])
    assert form.shown["supply"] == {"parent": "main"}
    hass.config_entries.async_remove_subentry(entry, "main")
    await hass.async_block_till_done()
    wrong = await form.fill_in()
    assert wrong.errors == {"supply": "parent_gone"}
    form = await change(hass, entry, parts(entry, "circuit")["Leaf"])
    assert form.shown["supply"] == {}
    await form.fill_in()
    assert plan_of(entry, "Leaf").parent is None


async def test_what_would_trip_it_after_a_power_cut_is_said_before_it_is_kept(
    hass: HomeAssistant,
) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "circuit")
    menu = await form.fill_in(
        name="Cellar", volts=240, amps=16, heaters=[MACHINE, MINER], others_w=200
    )
    assert menu.result["type"] is FlowResultType.MENU
    assert set(menu.result["menu_options"]) == set(WORDS["step"]["misfit"]["menu_options"])
    # 240 V * 16 A * 0.8 = 3072 W; the miner starts with 3200 W, the machine idles at 60 W.
    assert menu.said(WORDS).startswith(
        "After a power cut everything starts by itself, at once. The heaters behind Cellar may "
        "then draw 3260 W, and 200 W are kept free for other loads, but it carries 3072 W for "
        "hours. Until that fits, nothing is asked of S19 in the cellar."
    )
    form = await menu.choose("change")
    assert form.shown["heaters"] == [MACHINE, MINER]
    done = await form.fill_in(heaters=[MACHINE])
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert plan_of(entry, "Cellar").heaters == (HeaterKey(ATTIC, "machine"),)


async def test_a_circuit_can_be_kept_as_it_is_in_truth(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Cellar", 240, 30, heaters=[MINER]))
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    menu = await form.fill_in(amps=10)
    form = await menu.choose("change")
    assert (form.result["step_id"], form.shown["amps"]) == ("reconfigure", 10)
    menu = await form.fill_in()
    done = await menu.choose("keep")
    assert done.result["reason"] == "reconfigure_successful"
    assert plan_of(entry, "Cellar").amps == 10
    assert plan_of(entry, "Cellar").heaters == (HeaterKey(CELLAR, "s19"),)


async def test_what_fits_on_every_circuit_to_the_main_is_kept_at_once(
    hass: HomeAssistant,
) -> None:
    behind = circuit("Cellar", heaters=[MINER], parent="generator")
    entry = await house_with_heaters(hass, circuit("Generator", 240, 20), behind)
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    menu = await form.fill_in(others_w=100, heaters=[MINER, MACHINE])
    assert menu.result["type"] is FlowResultType.ABORT, "3260 W and 100 W are within 3840 W"


async def test_a_feeder_that_cannot_carry_its_circuits_is_the_one_that_is_named(
    hass: HomeAssistant,
) -> None:
    behind = circuit("Cellar", heaters=[MINER], parent="generator")
    entry = await house_with_heaters(hass, circuit("Generator", 240, 12), behind)
    form = await change(hass, entry, parts(entry, "circuit")["Cellar"])
    menu = await form.fill_in()
    assert "The heaters behind Generator may then draw 3200 W" in menu.said(WORDS)
    form = await change(hass, entry, parts(entry, "circuit")["Generator"])
    menu = await form.fill_in(name="Old generator")
    assert "The heaters behind Old generator may then draw 3200 W" in menu.said(WORDS)


async def test_what_is_wrong_elsewhere_is_not_said_here(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Cellar", 240, 10, heaters=[MINER]))
    form = await add(hass, entry, "circuit")
    done = await form.fill_in(**ESSENTIALS, heaters=[MACHINE])
    assert done.result["type"] is FlowResultType.CREATE_ENTRY


async def test_circuits_are_set_up_only_while_the_house_runs(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit("Main"))
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    for form in (
        await add(hass, entry, "circuit"),
        await change(hass, entry, parts(entry, "circuit")["Main"]),
    ):
        assert form.result["reason"] == "entry_not_loaded"
