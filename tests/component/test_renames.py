"""What the owner set up follows entities that get another id."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.hashcenter.heat.plan import HousePlan
from tests.component.filling import MACHINE, THERMOMETER, house_with_heaters
from tests.component.rigs import house_of
from tests.component.test_circuit_flow import circuit
from tests.component.test_room_flow import room_subentry

pytestmark = pytest.mark.usefixtures("mqtt_mock")

WINDOW = "binary_sensor.window"


def register(hass: HomeAssistant, entity_id: str) -> None:
    """Have a registered entity of somebody else's."""
    domain, name = entity_id.split(".")
    er.async_get(hass).async_get_or_create(domain, "other", name, suggested_object_id=name)


async def rename(hass: HomeAssistant, old: str, new: str) -> None:
    """Give an entity another id, as a person does in its settings."""
    er.async_get(hass).async_update_entity(old, new_entity_id=new)
    await hass.async_block_till_done()


async def test_renamed_entities_are_followed_in_every_part_of_the_plan(
    hass: HomeAssistant,
) -> None:
    for entity_id in (THERMOMETER, WINDOW, "sensor.panel", "sensor.price", "sensor.outside"):
        register(hass, entity_id)
    entry = await house_with_heaters(
        hass,
        room_subentry(windows=["binary_sensor.door", WINDOW], outdoor="sensor.outside"),
        circuit("Attic", meter="sensor.panel", heaters=[MACHINE]),
        outdoor="sensor.outside",
        money={"price_entity": "sensor.price", "tiers": [{"from_kwh": 0, "price_per_kwh": 0.1}]},
    )
    house = house_of(entry)
    for old in (THERMOMETER, WINDOW, "sensor.panel", "sensor.price", "sensor.outside"):
        await rename(hass, old, f"{old}_2")
    plan = HousePlan.read(entry)
    [room], [attic] = plan.rooms.values(), plan.circuits.values()
    assert room.thermometer == f"{THERMOMETER}_2"
    assert room.windows == ("binary_sensor.door", f"{WINDOW}_2")
    assert room.outdoor == plan.outdoor == "sensor.outside_2"
    assert attic.meter == "sensor.panel_2"
    assert plan.money.price_entity == "sensor.price_2"
    assert plan.money.tiers[0].price_per_kwh == 0.1
    assert house_of(entry) is not house
    assert house_of(entry).plan == plan, "the house goes by the new names"


async def test_another_entity_with_another_name_changes_nothing(hass: HomeAssistant) -> None:
    register(hass, WINDOW)
    entry = await house_with_heaters(hass, room_subentry())
    house = house_of(entry)
    await rename(hass, WINDOW, "binary_sensor.other")
    er.async_get(hass).async_update_entity("binary_sensor.other", name="The other one")
    er.async_get(hass).async_remove("binary_sensor.other")
    await hass.async_block_till_done()
    assert house_of(entry) is house
