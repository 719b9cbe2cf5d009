"""Thermostats that are not ours heat with a rig: one that switches, one that says watts."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.climate import DOMAIN as CLIMATE_DOMAIN
from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import (
    ATTR_ENTITY_ID,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import restore_state
from homeassistant.setup import async_setup_component
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.hashcenter.wire.messages import LeaseRequest, ReleaseRequest
from tests.component.rigs import ATTIC, ScriptedRig, live_rig, set_up_house, states
from tests.component.rooms import say_temperature, set_up_rooms

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HEAT = "switch.attic_heat"
REQUEST = "number.attic_heat_request"
WORKSHOP = "climate.attic_workshop"
THERMOMETER = "sensor.workshop_temperature"


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


def say(hass: HomeAssistant, value: float, unit: str = UnitOfTemperature.CELSIUS) -> None:
    """Let the workshop's thermometer say something."""
    hass.states.async_set(THERMOMETER, str(value), {"unit_of_measurement": unit})


async def switch(hass: HomeAssistant, service: str) -> None:
    """Turn the heater's switch on or off."""
    await hass.services.async_call(SWITCH_DOMAIN, service, {ATTR_ENTITY_ID: HEAT}, blocking=True)
    await hass.async_block_till_done()


async def pass_time(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory, **time: float
) -> None:
    """Let time pass, with the rig's heartbeats around it."""
    freezer.tick(timedelta(**time))
    rig.beat()
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    rig.beat()
    await hass.async_block_till_done()


async def generic_thermostat(hass: HomeAssistant, **more: Any) -> None:
    """Have Home Assistant's own thermostat drive the heater's switch."""
    options = {
        "name": "Workshop",
        "heater": HEAT,
        "target_sensor": THERMOMETER,
        "ac_mode": False,
        "cold_tolerance": 0.3,
        "hot_tolerance": 0.3,
        "initial_hvac_mode": "heat",
        **more,
    }
    entry = MockConfigEntry(domain="generic_thermostat", title="Workshop", options=options)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def test_generic_thermostat_heats_with_all_the_heater_has_and_then_with_none(
    hass: HomeAssistant,
) -> None:
    say(hass, 15.0)
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.leases()
    await generic_thermostat(hass, target_temp=20)
    say(hass, 15.1)
    await hass.async_block_till_done()
    assert states(hass, HEAT, REQUEST) == ["on", "900.0"]
    assert rig.leases()[-1] == 880.0, "what the rig can give"
    thermostat = hass.states.get(WORKSHOP)
    assert thermostat
    assert thermostat.attributes["hvac_action"] == "heating"
    say(hass, 20.5)
    await hass.async_block_till_done()
    assert states(hass, HEAT, REQUEST) == ["off", "0.0"]
    assert rig.leases()[-1] == 0.0


async def test_a_keep_alive_holds_the_demand_and_without_one_it_ends(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say(hass, 15.0)
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    await generic_thermostat(hass, target_temp=20, keep_alive={"minutes": 30})
    say(hass, 15.1)
    for _ in range(10):
        await pass_time(hass, rig, freezer, minutes=31)
        assert states(hass, HEAT) == ["on"]
    await hass.services.async_call(
        CLIMATE_DOMAIN, SERVICE_TURN_OFF, {ATTR_ENTITY_ID: WORKSHOP}, blocking=True
    )
    await switch(hass, SERVICE_TURN_ON)
    await pass_time(hass, rig, freezer, hours=4, minutes=1)
    await pass_time(hass, rig, freezer, seconds=5)
    assert states(hass, HEAT, REQUEST) == ["off", "unknown"]
    assert isinstance(rig.asked[-1], ReleaseRequest)


async def test_the_thermostat_of_a_fahrenheit_house_drives_it_as_well(hass: HomeAssistant) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    say(hass, 59.0, UnitOfTemperature.FAHRENHEIT)
    await set_up_house(hass, ATTIC)
    await live_rig(hass)
    await generic_thermostat(hass, target_temp=68)
    say(hass, 59.2, UnitOfTemperature.FAHRENHEIT)
    await hass.async_block_till_done()
    assert states(hass, HEAT) == ["on"]
    say(hass, 68.5, UnitOfTemperature.FAHRENHEIT)
    await hass.async_block_till_done()
    assert states(hass, HEAT) == ["off"]


async def test_a_thermostat_that_says_watts_drives_the_number(hass: HomeAssistant) -> None:
    watts = "{{ [[(20 - trigger.to_state.state | float) * 300, 0] | max, 900] | min }}"
    proportional = {
        "alias": "Proportional",
        "triggers": {"trigger": "state", "entity_id": THERMOMETER},
        "actions": {
            "action": "number.set_value",
            "target": {"entity_id": REQUEST},
            "data": {"value": watts},
        },
    }
    say(hass, 20.0)
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.leases()
    assert await async_setup_component(hass, "automation", {"automation": proportional})
    await hass.async_block_till_done()
    for temp_c in (18.0, 19.0, 21.0):
        say(hass, temp_c)
        await hass.async_block_till_done()
    asked = [one.power_w for one in rig.asked if isinstance(one, LeaseRequest)]
    assert list(dict.fromkeys(asked)) == [600.0, 300.0, 0.0]
    assert states(hass, HEAT) == ["off"]


async def test_the_switch_asks_for_the_watts_that_were_asked_for_last_also_after_a_restart(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    await hass.services.async_call(
        "number", "set_value", {ATTR_ENTITY_ID: REQUEST, "value": 420}, blocking=True
    )
    await switch(hass, SERVICE_TURN_OFF)
    assert states(hass, HEAT, REQUEST) == ["off", "0.0"]
    await hass.config_entries.async_unload(entry.entry_id)
    kept = restore_state.async_get(hass)
    await kept.async_dump_states()
    await kept.async_load()
    await hass.config_entries.async_setup(entry.entry_id)
    rig.say_inventory(retain=True)
    rig.beat()
    await hass.async_block_till_done()
    await switch(hass, SERVICE_TURN_ON)
    assert states(hass, HEAT, REQUEST) == ["on", "420.0"]


async def test_off_gives_a_heater_of_a_room_back_to_the_room(hass: HomeAssistant) -> None:
    say_temperature(hass, 18.0)
    await set_up_rooms(hass)
    await live_rig(hass)
    await switch(hass, SERVICE_TURN_ON)
    assert states(hass, HEAT, "sensor.attic_limit") == ["on", "available"]
    await switch(hass, SERVICE_TURN_OFF)
    assert states(hass, HEAT, REQUEST, "sensor.attic_limit") == ["off", "unknown", "room_off"]


async def test_a_rig_that_refuses_says_why_and_the_switch_stays_off(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.refuse = [("held", "held by another house")]
    with pytest.raises(HomeAssistantError, match="held by another house"):
        await switch(hass, SERVICE_TURN_ON)
    assert states(hass, HEAT) == ["off"]


async def test_hashing_for_money_is_its_owners_to_allow_and_off_until_then(
    hass: HomeAssistant,
) -> None:
    pays = "switch.attic_hash_when_it_pays"
    entry = await set_up_house(hass, ATTIC)
    await live_rig(hass)
    assert states(hass, pays) == ["off"]
    data = {ATTR_ENTITY_ID: pays}
    await hass.services.async_call(SWITCH_DOMAIN, SERVICE_TURN_ON, data, blocking=True)
    await hass.config_entries.async_reload(entry.entry_id)
    await live_rig(hass)
    assert states(hass, pays) == ["on"]
    await hass.services.async_call(SWITCH_DOMAIN, SERVICE_TURN_OFF, data, blocking=True)
    assert states(hass, pays) == ["off"]
