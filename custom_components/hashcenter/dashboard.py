"""Makes the dashboard strategy known: serves its file and registers it as a dashboard resource.

A resource is loaded before dashboards are shown, which a plain script is not. With resources kept
in YAML, or without a frontend, nothing is changed; docs/dashboard.md says what to write then.
"""

from pathlib import Path
from typing import Final

from homeassistant.components.http import StaticPathConfig
from homeassistant.components.lovelace.const import LOVELACE_DATA
from homeassistant.components.lovelace.resources import ResourceStorageCollection
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import DOMAIN

_URL: Final = f"/{DOMAIN}_static/hashcenter-dashboard.js"
_FILE: Final = Path(__file__).parent / "frontend/hashcenter-dashboard.js"


async def async_serve_dashboard(hass: HomeAssistant) -> None:
    """Serve the strategy's file; once, in `async_setup`."""
    await hass.http.async_register_static_paths([StaticPathConfig(_URL, str(_FILE), True)])


async def async_add_dashboard_resource(hass: HomeAssistant) -> None:
    """Have the frontend load the strategy of this version, once."""
    if (resources := _resources(hass)) is None:
        return
    version = (await async_get_integration(hass, DOMAIN)).version
    url = f"{_URL}?v={version}"
    await resources.async_get_info()  # loads them
    for item in resources.async_items():
        if item["url"].partition("?")[0] == _URL:
            if item["url"] != url:
                await resources.async_update_item(item["id"], {"url": url})
            return
    await resources.async_create_item({"res_type": "module", "url": url})


async def async_remove_dashboard_resource(hass: HomeAssistant) -> None:
    """Take the strategy out again, when the house entry is removed."""
    if (resources := _resources(hass)) is None:
        return
    await resources.async_get_info()
    for item in list(resources.async_items()):
        if item["url"].partition("?")[0] == _URL:
            await resources.async_delete_item(item["id"])


def _resources(hass: HomeAssistant) -> ResourceStorageCollection | None:
    lovelace = hass.data.get(LOVELACE_DATA)
    resources = lovelace.resources if lovelace else None
    return resources if isinstance(resources, ResourceStorageCollection) else None
