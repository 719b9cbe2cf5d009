"""Rooms, circuits and money as entities: what a house with all of them shows, in which words."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from tests.component.rigs import ATTIC, ScriptedRig, entity_ids, live_rig, rig_subentry, states
from tests.component.rooms import (
    BREAKER,
    CLIMATE,
    HASH_VALUE,
    LIVING,
    MONEY,
    THERMOMETER,
    circuit_subentry,
    room_subentry,
    say_hash_value,
    say_temperature,
    set_up_rooms,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

METER = "sensor.breaker_meter"
WINDOW = "binary_sensor.window"
PROBLEM = "binary_sensor.attic_breaker_circuit_problem"
_OF_HOUSE = {
    *(
        f"house_{key}"
        for key in (
            "alternative_per_kwh",
            "cheaper_than_alternative",
            "cost_today",
            "earned_today",
            "favor_in_force",
            "heat_today_kwh",
            "needs_backup",
            "net_cost_per_hour",
            "net_price_per_kwh",
            "price_per_kwh",
            "sats_today",
            "tilt",
        )
    ),
    *(
        f"rig/attic/machine_{key}"
        for key in (
            "hash_for_money",
            "heat",
            "limit",
            "limit_sentence",
            "net_price_per_kwh",
            "planned_w",
        )
    ),
}


@pytest.fixture(autouse=True)
async def _noon(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-22 12:00:00+00:00")


async def heat(hass: HomeAssistant, **data: Any) -> None:
    """Turn the living room on."""
    await hass.services.async_call("climate", "turn_on", {"entity_id": CLIMATE}, blocking=True)
    await hass.async_block_till_done()


async def next_minute(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory, seconds: float = 61.0
) -> None:
    """Let time pass to the next decision."""
    freezer.tick(seconds)
    rig.beat()
    await hass.async_block_till_done()


def attribute(hass: HomeAssistant, entity_id: str, name: str) -> Any:
    """Return an attribute of an entity."""
    state = hass.states.get(entity_id)
    assert state, entity_id
    return state.attributes.get(name)


@pytest.mark.usefixtures("all_enabled")
async def test_every_entity_that_a_room_a_circuit_and_prices_bring(
    hass: HomeAssistant, snapshot: SnapshotAssertion
) -> None:
    say_temperature(hass, 18.0)
    say_hash_value(hass)
    hass.states.async_set(WINDOW, "off")
    hass.states.async_set(METER, "900", {"unit_of_measurement": "W"})
    entry = await set_up_rooms(
        hass,
        room_subentry(windows=[WINDOW]),
        circuit_subentry(meter=METER),
        money={**MONEY, "hash_value_entity": HASH_VALUE},
    )
    rig = await live_rig(hass)
    await heat(hass)
    rig.beat()
    await hass.async_block_till_done()
    shown = {
        one.entity_id: {
            "id": one.unique_id,
            "state": state.state,
            "unit": one.unit_of_measurement,
            "class": str(one.original_device_class) if one.original_device_class else None,
            "kind": str(one.entity_category) if one.entity_category else None,
            "counts as": str((one.capabilities or {}).get("state_class")),
        }
        for one in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if one.unique_id.startswith(("room/", "circuit/")) or one.unique_id in _OF_HOUSE
        if (state := hass.states.get(one.entity_id))
    }
    assert shown == snapshot


async def test_rooms_and_circuits_are_devices_of_their_subentries_and_a_room_has_its_area(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry
) -> None:
    entry = await set_up_rooms(hass)
    devices = {
        one.name: one for one in dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    }
    house, room, circuit = (devices[one] for one in ("Hashcenter", "Living room", "Attic breaker"))
    assert (room.config_subentry_id, circuit.config_subentry_id) == (LIVING, BREAKER)
    assert room.via_device_id == circuit.via_device_id == house.id
    area = ar.async_get(hass).async_get_area_by_name("Living room")
    assert area
    assert (room.area_id, circuit.area_id) == (area.id, None)


async def test_a_room_that_its_owner_put_elsewhere_stays_there(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry
) -> None:
    entry = await set_up_rooms(hass)
    room = device_registry.async_get_device_by_identifier(
        ("hashcenter", f"room/{LIVING}"), entry.entry_id
    )
    assert room
    device_registry.async_update_device(room.id, area_id=None)
    await hass.config_entries.async_reload(entry.entry_id)
    again = device_registry.async_get(room.id)
    assert again
    assert again.area_id is None


async def test_before_the_first_decision_everything_is_unknown_and_nothing_is_0(
    hass: HomeAssistant,
) -> None:
    await set_up_rooms(hass, money=MONEY)
    ours = [
        one
        for one in (*entity_ids(hass, "sensor"), *entity_ids(hass, "binary_sensor"))
        if one.split(".")[1].startswith(("living_room", "attic_breaker"))
    ]
    assert len(ours) > 10
    money = ("net_price_of_heat", "electricity_price", "cost_today", "heat_today")
    ours += [f"sensor.hashcenter_{one}" for one in money]
    found = {one: hass.states.get(one) for one in ours}
    assert {one: state.state for one, state in found.items() if state} == dict.fromkeys(
        [one for one, state in found.items() if state], "unknown"
    )


async def test_what_limits_a_room_and_its_heater_is_said_as_a_code_and_in_a_sentence(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 18.0)
    await set_up_rooms(hass)
    rig = await live_rig(hass)
    assert states(hass, "sensor.living_room_limit", "sensor.living_room_limit_in_words") == [
        "room_off",
        "Heating is off in this room.",
    ]
    await heat(hass)
    hass.states.async_set(THERMOMETER, "unavailable")
    await next_minute(hass, rig, freezer)
    words = ("sensor.living_room_limit_in_words", "sensor.attic_limit_in_words")
    assert states(hass, words[0]) == ["The thermometer is unavailable."]
    assert states(hass, "binary_sensor.living_room_thermometer_silent") == ["on"]
    say_temperature(hass, 18.0)
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": "switch.attic_hands_off"}, blocking=True
    )
    await next_minute(hass, rig, freezer)
    assert states(hass, words[1]) == ["It is left to its owner's hands."]


async def test_other_figures_in_a_sentence_wait_and_another_limit_does_not(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 20.9)
    await set_up_rooms(hass)
    rig = await live_rig(hass)
    await heat(hass)
    words = "sensor.living_room_limit_in_words"
    before = states(hass, words)
    assert "it needs" in before[0]
    for _ in range(3):
        await next_minute(hass, rig, freezer)
        assert states(hass, words) == before
    await hass.services.async_call("climate", "turn_off", {"entity_id": CLIMATE}, blocking=True)
    await hass.async_block_till_done()
    assert states(hass, words) == ["Heating is off in this room."]


async def test_what_a_silent_rig_gives_is_unknown_and_not_0(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 18.0)
    await set_up_rooms(hass, room_subentry(), circuit_subentry(), money=MONEY)
    rig = await live_rig(hass)
    given = (
        "sensor.living_room_heat_delivered",
        "sensor.hashcenter_net_cost_per_hour",
        "sensor.attic_breaker_load",
    )
    assert states(hass, *given) == ["412.0", "0.124", "412.0"]
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, *given) == ["unknown"] * 3


async def test_an_open_window_is_seen(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    say_temperature(hass, 18.0)
    hass.states.async_set(WINDOW, "off")
    await set_up_rooms(hass, room_subentry(windows=[WINDOW]))
    rig = await live_rig(hass)
    window = "binary_sensor.living_room_window"
    assert states(hass, window) == ["off"]
    hass.states.async_set(WINDOW, "on")
    await next_minute(hass, rig, freezer)
    assert states(hass, window) == ["on"]


async def test_a_room_that_stays_cold_needs_backup_and_says_why(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 14.0)
    await set_up_rooms(hass, room_subentry(heat_loss_w_per_k=200.0), circuit_subentry())
    rig = await live_rig(hass)
    await heat(hass)
    backup = ("binary_sensor.living_room_needs_back_up_heat",)
    house = ("binary_sensor.hashcenter_needs_back_up_heat",)
    assert states(hass, *backup, *house) == ["off", "off"]
    assert attribute(hass, backup[0], "reason") is None
    for _ in range(22):
        say_temperature(hass, 14.0)
        await next_minute(hass, rig, freezer)
    assert states(hass, *backup, *house) == ["on", "on"]
    assert attribute(hass, backup[0], "reason")


async def test_a_circuit_shows_its_books_and_its_problem_in_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 18.0)
    hass.states.async_set(METER, "1000", {"unit_of_measurement": "W"})
    await set_up_rooms(hass, room_subentry(), circuit_subentry(meter=METER))
    rig = await live_rig(hass)
    load = ("load", "load_of_limit", "continuous_limit")
    shown = [f"sensor.attic_breaker_{one}" for one in load]
    # 412 W of the rig and 1000 W of others, of 80 % of 230 V times 16 A.
    assert states(hass, *shown) == ["1412.0", "48.0", "2944.0"]
    assert states(hass, PROBLEM) == ["off"]
    hass.states.async_set(METER, "unavailable")
    await next_minute(hass, rig, freezer)
    assert states(hass, PROBLEM, *shown) == ["on", "unknown", "unknown", "2944.0"]
    assert attribute(hass, PROBLEM, "reason") == (
        "The meter of the circuit Attic breaker is silent, so nothing goes up."
    )


async def test_a_full_circuit_limits_heating_now(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, 14.0)
    await set_up_rooms(
        hass,
        room_subentry(heat_loss_w_per_k=200.0),
        circuit_subentry(volts=120.0, amps=6.0),
    )
    rig = await live_rig(hass)
    assert states(hass, "binary_sensor.attic_breaker_limits_heating_now") == ["off"]
    await heat(hass)
    await next_minute(hass, rig, freezer)
    assert states(hass, "binary_sensor.attic_breaker_limits_heating_now") == ["on"]
    assert states(hass, "sensor.attic_limit_in_words") == ["The circuit Attic breaker is full."]


async def test_what_the_owner_no_longer_set_up_is_gone(hass: HomeAssistant) -> None:
    entry = await set_up_rooms(hass, room_subentry(windows=[WINDOW]), money=MONEY)
    assert "binary_sensor.living_room_window" in entity_ids(hass, "binary_sensor")
    assert "sensor.hashcenter_cost_today" in entity_ids(hass, "sensor")
    hass.config_entries.async_update_entry(entry, options={})
    (room,) = (one for one in entry.subentries.values() if one.subentry_id == LIVING)
    hass.config_entries.async_update_subentry(
        entry, room, data={key: one for key, one in room.data.items() if key != "windows"}
    )
    await hass.async_block_till_done()
    assert "binary_sensor.living_room_window" not in entity_ids(hass, "binary_sensor")
    assert "sensor.hashcenter_cost_today" not in entity_ids(hass, "sensor")
    hass.config_entries.async_remove_subentry(entry, LIVING)
    await hass.async_block_till_done()
    assert CLIMATE not in entity_ids(hass, "climate")


async def test_a_house_without_rooms_circuits_and_prices_has_none_of_their_entities(
    hass: HomeAssistant,
) -> None:
    entry: MockConfigEntry = await set_up_rooms(hass, rig_subentry("barn"), rigs=())  # type: ignore[arg-type]
    assert entity_ids(hass, "climate") == []
    keys = {one.unique_id for one in er.async_get(hass).entities.values()}
    absent = ("needs_backup", "cost_today", "heat_today_kwh", "net_price_per_kwh", "sats_today")
    assert not {f"{entry.entry_id}_{one}" for one in absent} & keys
    assert ATTIC not in entry.runtime_data.rigs
