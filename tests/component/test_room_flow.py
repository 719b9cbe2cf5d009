"""Setting up a room: what is kept, what is refused and why, in a house of either unit."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util.unit_system import METRIC_SYSTEM, US_CUSTOMARY_SYSTEM
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.wishes import Preset
from custom_components.hashcenter.flows.forms import Degrees
from custom_components.hashcenter.heat.plan import HousePlan, QuietPlan, RoomPlan
from tests.component.filling import (
    ENGLISH,
    MACHINE,
    MINER,
    THERMOMETER,
    Form,
    add,
    change,
    house_with_heaters,
    parts,
    sensor,
)
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    ScriptedRig,
    fire_burst,
    heater,
    house_of,
    set_up_house,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

WORDS = ENGLISH["config_subentries"]["room"]
ESSENTIALS = {"name": "Living room", "thermometer": THERMOMETER, "heaters": [MACHINE]}


def room_subentry(title: str = "Living room", **data: Any) -> ConfigSubentryData:
    """Return a room as it is kept."""
    kept = {"thermometer": THERMOMETER, "heaters": [MACHINE], **data}
    return ConfigSubentryData(subentry_type="room", title=title, unique_id=None, data=kept)


def circuit_subentry() -> ConfigSubentryData:
    """Return the machine's circuit as it is kept."""
    data = {"volts": 120, "amps": 20, "heaters": [MACHINE]}
    return ConfigSubentryData(subentry_type="circuit", title="Attic", unique_id=None, data=data)


def plan_of(entry: MockConfigEntry, name: str = "Living room") -> RoomPlan:
    """Return the room as the house reads it."""
    rooms = {room.name: room for room in HousePlan.read(entry).rooms.values()}
    return rooms[name]


async def test_a_room_needs_a_name_a_thermometer_and_heaters(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    form.assert_translated(WORDS)
    done = await form.fill_in(**ESSENTIALS)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    plan = plan_of(entry)
    usual = RoomPlan("", "Living room", THERMOMETER, heaters=(HeaterKey(ATTIC, "machine"),))
    assert replace(plan, id="") == usual, "what the form showed is what the plan takes as usual"


async def test_heaters_are_offered_by_their_names_and_watts(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    registry = dr.async_get(hass)
    miner = registry.async_get_device_by_identifier((DOMAIN, "asic-0001"), entry.entry_id)
    assert miner
    assert offered(await add(hass, entry, "room")) == {
        MACHINE: "Attic · 160-900 W",
        MINER: "S19 in the cellar · 2000-3200 W",
    }
    registry.async_update_device(miner.id, name_by_user="Old friend")
    assert offered(await add(hass, entry, "room"))[MINER] == "Old friend · 2000-3200 W"


async def test_a_rigs_own_temperatures_are_not_offered(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    schema = form.result["data_schema"].schema
    for field in (schema["thermometer"], schema["around"].schema.schema["outdoor"]):
        shown = field.serialize()["selector"]["entity"]
        assert "sensor.attic_gpu_0_temperature" in shown["exclude_entities"]
        assert THERMOMETER not in shown["exclude_entities"]
        assert {"domain": ["sensor"], "device_class": ["temperature"]} in shown["filter"]


async def test_heaters_of_one_name_are_told_apart(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    rig.say_inventory(heaters=(heater(name="Left"), heater(id="two", name="Right")))
    await hass.async_block_till_done()
    assert set(offered(await add(hass, entry, "room")).values()) == {
        "Left (Attic) · 160-900 W",
        "Right (Attic) · 160-900 W",
    }


def offered(form: Form) -> dict[str, str]:
    """Return the heaters that the form offers."""
    field = form.result["data_schema"].schema["heaters"]
    return {option["value"]: option["label"] for option in field.config["options"]}


async def test_everything_that_is_answered_is_kept(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    sensor(hass, "sensor.outside", "temperature", "°C")
    for other in ("binary_sensor.window", "cover.damper", "climate.furnace"):
        hass.states.async_set(other, "off")
    form = await add(hass, entry, "room")
    await form.fill_in(
        **{**ESSENTIALS, "name": " Living room ", "heaters": [MACHINE, MINER]},
        temperatures={"comfort_c": 20.5, "boost_c": 24, "boost_minutes": 30},
        around={
            "outdoor": "sensor.outside",
            "windows": ["binary_sensor.window"],
            "damper": "cover.damper",
            "backup": "climate.furnace",
        },
        limits={"frost_c": 8, "high_c": 27, "ceiling_c": 25},
        quiet={"start": "22:00", "end": "07:00:00", "max_w": 300, "max_fan_percent": 45},
        more={"child": True, "heat_loss_w_per_k": 90},
    )
    plan = plan_of(entry)
    assert plan == RoomPlan(
        id=plan.id,
        name="Living room",
        thermometer=THERMOMETER,
        outdoor="sensor.outside",
        windows=("binary_sensor.window",),
        heaters=(HeaterKey(ATTIC, "machine"), HeaterKey(CELLAR, "s19")),
        damper="cover.damper",
        backup="climate.furnace",
        presets_c={Preset.COMFORT: 20.5, Preset.ECO: 18, Preset.AWAY: 14, Preset.BOOST: 24},
        boost_s=1800,
        frost_c=8,
        high_c=27,
        ceiling_c=25,
        quiet=QuietPlan("22:00:00", "07:00:00", 300, 45),
        child=True,
        heat_loss_w_per_k=90,
    )


async def test_changing_a_room_keeps_what_is_not_shown_and_clears_what_is_emptied(
    hass: HomeAssistant,
) -> None:
    kept = room_subentry(
        comfort_c=21.37,
        windows=["binary_sensor.window"],
        quiet={"start": "22:00:00", "end": "07:00:00", "max_w": 300.0},
        child=True,
        of_a_later_version=1,
    )
    entry = await house_with_heaters(hass, kept)
    house = house_of(entry)
    room = parts(entry, "room")["Living room"]
    form = await change(hass, entry, room)
    form.assert_translated(WORDS)
    assert form.shown["quiet"] == {"start": "22:00:00", "end": "07:00:00", "max_w": 300.0}
    await form.fill_in()
    room = parts(entry, "room")["Living room"]
    assert {**room.data, **kept["data"]} == room.data

    form = await change(hass, entry, room)
    cleared = ["quiet.start", "quiet.end", "quiet.max_w", "more.child"]
    done = await form.fill_in(*cleared, name="Parlor", around={"windows": []})
    assert done.result["reason"] == "reconfigure_successful"
    room = parts(entry, "room")["Parlor"]
    assert not {"quiet", "child", "windows"} & set(room.data)
    assert room.data["of_a_later_version"] == 1
    assert house_of(entry) is not house, "the house is made anew of it"


async def test_a_house_in_fahrenheit_is_asked_and_answered_in_fahrenheit(
    hass: HomeAssistant,
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    shown = {**form.shown["temperatures"], **form.shown["limits"]}
    assert shown == {
        "comfort_c": 70,
        "eco_c": 64,
        "away_c": 57,
        "boost_c": 73,
        "boost_minutes": 60,
        "frost_c": 45,
        "high_c": 82,
    }
    fields = form.result["data_schema"].schema["temperatures"].schema.schema
    assert fields["comfort_c"].config["unit_of_measurement"] == "°F"
    await form.fill_in(**ESSENTIALS, temperatures={"comfort_c": 70.5}, limits={"ceiling_c": 80})
    plan = plan_of(entry)
    assert plan.presets_c[Preset.COMFORT] == pytest.approx(21.3889, abs=1e-4)
    assert plan.frost_c == pytest.approx(7.2222, abs=1e-4)
    before = dict(parts(entry, "room")["Living room"].data)
    for _ in range(3):
        form = await change(hass, entry, parts(entry, "room")["Living room"])
        assert form.shown["temperatures"]["comfort_c"] == 70.5
        assert form.shown["limits"] == {"frost_c": 45, "high_c": 82, "ceiling_c": 80}
        await form.fill_in()
        assert dict(parts(entry, "room")["Living room"].data) == before


async def test_no_tenth_of_a_degree_is_lost_on_the_way(hass: HomeAssistant) -> None:
    for units in (US_CUSTOMARY_SYSTEM, METRIC_SYSTEM):
        hass.config.units = units
        degrees = Degrees(hass)
        for tenths in range(-400, 1200):
            kept = degrees.kept(tenths / 10, None)
            assert degrees.shown(kept) == tenths / 10
            assert degrees.kept(degrees.shown(kept), kept) == kept


@pytest.mark.parametrize(
    ("answers", "where", "sentence"),
    [
        ({"name": "  "}, "name", "Give the room a name."),
        (
            {"name": "kitchen"},
            "name",
            "There already is a room called kitchen. Choose another name.",
        ),
        (
            {"thermometer": "sensor.gone"},
            "thermometer",
            "There is no sensor.gone. Choose another one.",
        ),
        (
            {"thermometer": "sensor.attic_gpu_0_temperature"},
            "thermometer",
            (
                "GPU 0 Temperature is how warm a rig is, not the room. Choose a sensor that hangs "
                "in the room."
            ),
        ),
        (
            {"thermometer": "sensor.damp"},
            "thermometer",
            "damp does not show a temperature. Choose a temperature sensor.",
        ),
        ({"heaters": []}, "heaters", "Choose at least one heater."),
        (
            {"around": {"outdoor": THERMOMETER}},
            "around",
            (
                "The outdoor thermometer is the one in the room. Choose another one, or leave it "
                "empty."
            ),
        ),
        (
            {"around": {"outdoor": "sensor.gone"}},
            "around",
            "There is no sensor.gone. Choose another one.",
        ),
        (
            {"around": {"backup": "climate.attic"}},
            "around",
            (
                "climate.attic is a thermostat of Hashcenter itself. Choose the one of a furnace "
                "or a baseboard."
            ),
        ),
        (
            {"limits": {"frost_c": 14}},
            "limits",
            "The frost limit of 14 °C has to be below every preset. The lowest is 14 °C.",
        ),
        (
            {"limits": {"high_c": 23}},
            "limits",
            "The high limit of 23 °C has to be above every preset. The highest is 23 °C.",
        ),
        (
            {"limits": {"ceiling_c": 28.5}},
            "limits",
            (
                "The ceiling of 28.5 °C has to lie between the frost limit of 7 °C and the "
                "high limit of 28 °C."
            ),
        ),
        (
            {"quiet": {"start": "22:00:00", "max_w": 300}},
            "quiet",
            (
                "Quiet hours need both times, and watts or a fan's percent. Fill them in, or "
                "clear them all."
            ),
        ),
        (
            {"quiet": {"start": "22:00:00", "end": "22:00", "max_w": 300}},
            "quiet",
            "These quiet hours end when they begin. Change one of the times.",
        ),
    ],
)
async def test_what_cannot_be_is_said_in_one_sentence_and_can_be_put_right(
    hass: HomeAssistant, answers: dict[str, Any], where: str, sentence: str
) -> None:
    entry = await house_with_heaters(hass, room_subentry("Kitchen"))
    sensor(hass, "sensor.damp", "humidity", "%")
    er.async_get(hass).async_get_or_create("climate", DOMAIN, "x", suggested_object_id="attic")
    empty = await add(hass, entry, "room")
    form = await empty.fill_in(**{**ESSENTIALS, **answers})
    assert set(form.errors) == {where}
    assert form.sentence(WORDS, where) == sentence
    for name, value in answers.items():
        shown = form.shown[name]
        assert {**value, **shown} == shown if isinstance(value, dict) else shown == value
    done = await replace(form, shown=empty.shown).fill_in(**ESSENTIALS)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY
    assert set(parts(entry, "room")) == {"Kitchen", "Living room"}


async def test_two_mistakes_are_both_said_if_their_sentences_do_not_mix(
    hass: HomeAssistant,
) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    both = {"name": "", "limits": {"frost_c": 17}}
    form = await form.fill_in(**{**ESSENTIALS, **both})
    assert form.errors == {"name": "name_missing", "limits": "frost_too_high"}
    mixed = {"thermometer": "sensor.gone", "around": {"outdoor": "sensor.gone_too"}}
    form = await form.fill_in(**{**ESSENTIALS, **mixed}, limits={"frost_c": 7})
    assert form.errors == {"thermometer": "entity_unknown"}
    assert form.sentence(WORDS, "thermometer") == "There is no sensor.gone. Choose another one."


async def test_a_room_keeps_its_own_name(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, room_subentry(), room_subentry("Kitchen"))
    form = await change(hass, entry, parts(entry, "room")["Kitchen"])
    form = await form.fill_in(name="LIVING ROOM")
    assert form.errors == {"name": "name_taken"}
    done = await form.fill_in(name="kitchen")
    assert done.result["reason"] == "reconfigure_successful"
    assert set(parts(entry, "room")) == {"Living room", "kitchen"}


async def test_heaters_without_a_breaker_are_named_once_the_room_is_there(
    hass: HomeAssistant,
) -> None:
    entry = await house_with_heaters(hass, circuit_subentry())
    form = await add(hass, entry, "room")
    done = await form.fill_in(**{**ESSENTIALS, "heaters": [MACHINE, MINER]})
    advice = WORDS["create_entry"][done.result["description"]]
    assert advice.format_map(done.result["description_placeholders"]).startswith(
        "Nothing is known yet about the breaker behind S19 in the cellar."
    )


async def test_with_every_breaker_known_nothing_more_is_said(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, circuit_subentry())
    form = await add(hass, entry, "room")
    done = await form.fill_in(**ESSENTIALS)
    assert done.result["description"] is None


async def test_two_rooms_may_share_a_heater(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, room_subentry("Kitchen"))
    form = await add(hass, entry, "room")
    done = await form.fill_in(**ESSENTIALS)
    assert done.result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_heater_that_is_gone_is_named_and_can_be_taken_off(hass: HomeAssistant) -> None:
    gone = ["attic/old", "stranger/machine"]
    entry = await house_with_heaters(hass, room_subentry(heaters=[MACHINE, *gone]))
    form = await change(hass, entry, parts(entry, "room")["Living room"])
    assert offered(form)["attic/old"] == "old (Attic)"
    form = await form.fill_in()
    assert (
        form.sentence(WORDS, "heaters")
        == "No rig of this house has old (Attic) any more. Take it off the list."
    )
    form = await form.fill_in(heaters=[MACHINE, gone[1]])
    assert "machine (stranger)" in form.sentence(WORDS, "heaters")
    done = await form.fill_in(heaters=[MACHINE])
    assert done.result["reason"] == "reconfigure_successful"


async def test_a_heater_of_a_rig_that_has_not_spoken_yet_stays(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC, CELLAR)
    fire_burst(ScriptedRig(hass))
    sensor(hass, THERMOMETER, "temperature", "°C")
    await hass.async_block_till_done()
    hass.config_entries.async_add_subentry(
        entry,
        ConfigSubentry(
            data=MappingProxyType({"thermometer": THERMOMETER, "heaters": [MINER]}),
            subentry_type="room",
            title="Cellar",
            unique_id=None,
        ),
    )
    await hass.async_block_till_done()
    fire_burst(ScriptedRig(hass))
    await hass.async_block_till_done()
    form = await change(hass, entry, parts(entry, "room")["Cellar"])
    assert offered(form)[MINER] == "s19 (Cellar)"
    done = await form.fill_in()
    assert done.result["reason"] == "reconfigure_successful"


async def test_a_heater_that_was_never_offered_is_refused(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    with pytest.raises(InvalidData):
        await form.fill_in(**{**ESSENTIALS, "heaters": ["attic/never"]})


async def test_without_a_heater_there_is_nothing_to_heat_with(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    form = await add(hass, entry, "room")
    assert (form.result["type"], form.result["reason"]) == (FlowResultType.ABORT, "no_heaters")
    assert "no_heaters" in WORDS["abort"]


async def test_rooms_are_set_up_only_while_the_house_runs(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass, room_subentry())
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    for form in (
        await add(hass, entry, "room"),
        await change(hass, entry, parts(entry, "room")["Living room"]),
    ):
        assert form.result["reason"] == "entry_not_loaded"
