"""Diagnostics tell everything but keys and addresses; system health is short."""

import json
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.json import ExtendedJSONEncoder
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter import diagnostics, system_health
from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.requests import HeaterKey
from tests.component.filling import house_with_heaters
from tests.component.rigs import (
    ASIC,
    ATTIC,
    GPU,
    KEY,
    ScriptedRig,
    asic,
    cpu,
    device_state,
    gpu,
    heater,
    house_of,
    live_rig,
    set_up_house,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")


def as_text(said: dict[str, Any]) -> str:
    """Return what a person downloads."""
    return json.dumps(said, cls=ExtendedJSONEncoder)


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a house with something in every part."""
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.devices[ASIC] = device_state()
    rig.say_inventory(devices=(gpu(), cpu(), asic()), heaters=(heater(),))
    rig.say_device(ASIC)
    await house_of(entry).heating.async_request_heat(HeaterKey(ATTIC, "machine"), 600)
    rig.beat()
    await hass.async_block_till_done()
    return entry


async def test_the_house_is_told_without_secrets(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    said = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    text = as_text(said)
    for secret in (KEY, "10.0.0.5", "10.0.0.9", "AA:BB", house_of(entry).controller):
        assert secret not in text
    assert said["rigs"][ATTIC]["online"]
    assert said["rigs"][ATTIC]["devices"][GPU]["power_w"] == 251.4
    assert said["heating"]["requests"]["attic/machine"]["power_w"] == 600
    assert said["summary"]["power_w"] == 412.3


async def test_the_plan_is_told_as_the_house_reads_it(hass: HomeAssistant) -> None:
    room = {"thermometer": "sensor.living_room", "heaters": ["attic/machine"], "comfort_c": 20.5}
    quiet = {"start": "22:00:00", "end": "07:00:00", "max_w": 300.0}
    entry = await house_with_heaters(
        hass,
        ConfigSubentryData(
            subentry_type="room", title="Parlor", unique_id=None, data={**room, "quiet": quiet}
        ),
        ConfigSubentryData(
            subentry_type="circuit",
            title="Attic",
            unique_id=None,
            data={"volts": 120, "amps": 20, "heaters": ["attic/machine"]},
        ),
        money={"price_per_kwh": 0.2, "tiers": [{"from_kwh": 40, "price_per_kwh": 0.3}]},
    )
    said = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    plan = json.loads(as_text(said))["plan"]
    [parlor] = plan["rooms"].values()
    assert parlor["heaters"] == [["attic", "machine"]]
    assert parlor["presets_c"]["comfort"] == 20.5
    assert parlor["quiet"]["max_w"] == 300
    [attic] = plan["circuits"].values()
    assert (attic["name"], attic["volts"], attic["amps"]) == ("Attic", 120, 20)
    assert plan["money"]["tiers"] == [{"from_kwh": 40, "price_per_kwh": 0.3}]
    assert plan["tilt"]["hashing_above_c"] == 10


async def device_said(hass: HomeAssistant, entry: MockConfigEntry, name: str) -> dict[str, Any]:
    """Return the diagnostics of the device called `name`."""
    registry = dr.async_get(hass)
    devices: list[dr.AnyDeviceEntry] = [
        *dr.async_entries_for_config_entry(registry, entry.entry_id),
        *dr.async_child_entries_for_config_entry(registry, entry.entry_id),
    ]
    [device] = [one for one in devices if one.name == name]
    return await diagnostics.async_get_device_diagnostics(hass, entry, device)


async def test_a_device_tells_of_itself(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    said = await device_said(hass, entry, "GPU 0")
    assert said["rig"] == ATTIC
    assert said["state"]["temp_c"] == 61.0
    assert said["described"]["model"] == "NVIDIA GeForce RTX 3090"
    text = as_text(await device_said(hass, entry, "S19 in the cellar"))
    assert "10.0.0.9" not in text
    assert "AA:BB" not in text


async def test_a_rig_and_the_house_tell_of_themselves(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    rig = await device_said(hass, entry, "Attic")
    assert rig["subentry"]["key"] == "**REDACTED**"
    assert rig["state"]["power_w"] == 412.3
    assert "rigs" in await device_said(hass, entry, "Hashcenter")


async def test_a_device_of_a_silent_rig_tells_what_is_known(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    ScriptedRig(hass).say_offline()
    await hass.async_block_till_done()
    said = await device_said(hass, entry, "GPU 0")
    assert said["state"] is None
    assert said["described"]["ordinal"] == 0


async def test_system_health(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    registered: list[Any] = []

    class Registration:
        def async_register_info(self, info: Any) -> None:
            registered.append(info)

    system_health.async_register(hass, Registration())  # type: ignore[arg-type]
    assert registered == [system_health.async_info]
    assert await system_health.async_info(hass) == {
        "rigs": 1,
        "rigs_online": 1,
        "unreadable_messages": 0,
        "mqtt5": True,
        "protocol": 1,
        "made_for_bridge": "0.1.0",
    }
    assert DOMAIN in hass.config.components
