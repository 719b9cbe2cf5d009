"""Hashcenter: rigs that answer questions, hash and heat, as one house."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.storage import Store
from homeassistant.helpers.typing import ConfigType

from . import issues
from .answers.task_services import async_setup_task_services
from .const import DOMAIN, PLATFORMS
from .dashboard import (
    async_add_dashboard_resource,
    async_remove_dashboard_resource,
    async_serve_dashboard,
)
from .entities.part_entity import room_owner
from .heat import deciding, heating
from .house import HashcenterConfigEntry, House, made_of
from .renames import async_follow_renames
from .rigs import devices
from .rigs.registry import async_place, async_unknown, uid_of
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and serve the dashboard's file."""
    async_setup_services(hass)
    async_setup_task_services(hass)
    await async_serve_dashboard(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: HashcenterConfigEntry) -> None:
    """Bring the house to life."""
    entry.runtime_data = house = House(hass, entry)
    await house.async_start()
    new_rooms = async_unknown(hass, entry, map(room_owner, house.plan.rooms.values()))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_place(hass, entry, new_rooms)
    await async_add_dashboard_resource(hass)
    entry.async_on_unload(async_follow_renames(hass, entry))
    entry.async_on_unload(entry.add_update_listener(_async_reload_if_changed))


async def async_unload_entry(hass: HomeAssistant, entry: HashcenterConfigEntry) -> None:
    """Let go of Home Assistant's side; what was asked of rigs stays asked."""
    await hass.config_entries.async_unload_platforms_or_raise(entry, PLATFORMS)
    await entry.runtime_data.heating.async_close()


async def async_remove_entry(hass: HomeAssistant, entry: HashcenterConfigEntry) -> None:
    """Forget the house; the sequence stays, because rigs remember the last number."""
    for key in (heating.store_key(), deciding.store_key(), devices.store_key()):
        await Store(hass, 1, key).async_remove()
    issues.async_withdraw(hass)
    await async_remove_dashboard_resource(hass)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: HashcenterConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Allow to delete what no rig lists any more; a rig is removed with its subentry."""
    if (uid := uid_of(device)) is None:
        return False
    return not any(
        rig.data.online and rig.data.described(uid) for rig in entry.runtime_data.rigs.values()
    )


async def _async_reload_if_changed(hass: HomeAssistant, entry: HashcenterConfigEntry) -> None:
    """Begin anew with other subentries or options; leases are stored and on the rigs, untouched."""
    if entry.runtime_data.made_of != made_of(entry):
        await hass.config_entries.async_reload(entry.entry_id)
