"""The dashboard strategy: its file is served, and the frontend is told of it exactly once."""

from typing import Any

from homeassistant.components.lovelace.const import LOVELACE_DATA
from homeassistant.components.lovelace.resources import ResourceStorageCollection
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, MqttMockHAClient

from tests.component.rigs import ATTIC, set_up_house

PATH = "/hashcenter_static/hashcenter-dashboard.js"


async def resources(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return our entries among the dashboard resources."""
    collection = hass.data[LOVELACE_DATA].resources
    await collection.async_get_info()
    return [item for item in collection.async_items() if item["url"].startswith(PATH)]


async def test_the_frontend_is_told_once_however_often_the_house_is_set_up(
    hass: HomeAssistant, mqtt_mock: MqttMockHAClient
) -> None:
    assert await async_setup_component(hass, "lovelace", {})
    entry = await set_up_house(hass, ATTIC)
    (item,) = await resources(hass)
    assert item["type"] == "module"
    assert "?v=" in item["url"]
    await hass.config_entries.async_reload(entry.entry_id)
    assert await resources(hass) == [item]


async def test_an_older_version_is_replaced(
    hass: HomeAssistant, mqtt_mock: MqttMockHAClient
) -> None:
    assert await async_setup_component(hass, "lovelace", {})
    collection = hass.data[LOVELACE_DATA].resources
    assert isinstance(collection, ResourceStorageCollection)
    await collection.async_get_info()
    await collection.async_create_item({"res_type": "module", "url": f"{PATH}?v=0.0.1"})
    await set_up_house(hass, ATTIC)
    (item,) = await resources(hass)
    assert not item["url"].endswith("?v=0.0.1")


async def test_a_removed_house_takes_it_away(
    hass: HomeAssistant, mqtt_mock: MqttMockHAClient
) -> None:
    assert await async_setup_component(hass, "lovelace", {})
    entry = await set_up_house(hass, ATTIC)
    await hass.config_entries.async_remove(entry.entry_id)
    assert await resources(hass) == []


async def test_resources_kept_in_yaml_are_left_alone(
    hass: HomeAssistant, mqtt_mock: MqttMockHAClient
) -> None:
    config = {"lovelace": {"resource_mode": "yaml", "resources": []}}
    assert await async_setup_component(hass, "lovelace", config)
    await set_up_house(hass, ATTIC)
    assert await resources(hass) == []


async def test_the_file_is_served(
    hass: HomeAssistant, mqtt_mock: MqttMockHAClient, hass_client: ClientSessionGenerator
) -> None:
    await set_up_house(hass, ATTIC)
    answer = await (await hass_client()).get(PATH)
    assert answer.status == 200
    assert "ll-strategy-dashboard-hashcenter" in await answer.text()
