"""The house's devices in Home Assistant: the house, its rigs, GPUs and CPU as the rig's children.

A GPU or a CPU is a child device, named by its kind and its number that the rig never reuses; an
ASIC is a device of its own that is reached via the rig. Their identifiers are their uids, a rig's
cannot be taken for one. A room or a circuit is a service that belongs to its subentry.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.typing import UNDEFINED

from ..const import DOMAIN, MANUFACTURER
from ..coordinator import RigCoordinator
from ..wire.messages import Device
from ..wire.values import DeviceKind


def house_identifier(entry: ConfigEntry) -> tuple[str, str]:
    """Return what identifies the house's device."""
    return (DOMAIN, entry.entry_id)


def rig_identifier(rig_id: str) -> tuple[str, str]:
    """Return what identifies a rig's device; no uid has a slash."""
    return (DOMAIN, f"rig/{rig_id}")


@callback
def async_register_house(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Have the house's device."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={house_identifier(entry)},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        name=entry.title,
    )


@callback
def async_register_rig(hass: HomeAssistant, entry: ConfigEntry, rig: RigCoordinator) -> None:
    """Have the rig's device, with the version its bridge says; children need it to exist."""
    registry = dr.async_get(hass)
    house = registry.async_get_device_by_identifier(house_identifier(entry), entry.entry_id)
    registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=rig.subentry.subentry_id,
        identifiers={rig_identifier(rig.rig_id)},
        manufacturer=MANUFACTURER,
        model="Rig",
        name=rig.name,
        sw_version=rig.data.version or UNDEFINED,
        via_device_id=house.id if house else None,
    )


def device_info(rig: RigCoordinator, device: Device) -> dr.DeviceInfo | dr.ChildDeviceInfo:
    """Return how a device of the rig is registered."""
    entry_id = rig.config_entry.entry_id
    parent = dr.async_get(rig.hass).async_get_device_by_identifier(
        rig_identifier(rig.rig_id), entry_id
    )
    assert parent is not None  # registered before any entity
    identifiers = {(DOMAIN, device.uid)}
    if device.kind in (DeviceKind.GPU, DeviceKind.CPU):
        name = "CPU" if device.kind == DeviceKind.CPU else f"GPU {device.ordinal}"
        return dr.ChildDeviceInfo(identifiers=identifiers, name=name, parent_device_id=parent.id)
    connections = {(dr.CONNECTION_NETWORK_MAC, device.mac)} if device.mac else set()
    return dr.DeviceInfo(
        identifiers=identifiers,
        connections=connections,
        configuration_url=device.url if _is_web_page(device.url) else None,
        manufacturer=None,
        model=device.model,
        name=device.name,
        sw_version=device.firmware,
        via_device_id=parent.id,
    )


def part_info(
    hass: HomeAssistant, entry: ConfigEntry, owner: str, *, model: str, name: str
) -> dr.DeviceInfo:
    """Return how a part of the house that is no machine is registered: a room or a circuit.

    `owner` names it among all that have entities, `model` says what it is.
    """
    registry = dr.async_get(hass)
    house = registry.async_get_device_by_identifier(house_identifier(entry), entry.entry_id)
    assert house is not None  # registered before any entity
    return dr.DeviceInfo(
        identifiers={(DOMAIN, owner)},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        model=model,
        name=name,
        via_device_id=house.id,
    )


@callback
def async_unknown(hass: HomeAssistant, entry: ConfigEntry, owners: Iterable[str]) -> list[str]:
    """Return those parts of the house that have no device yet."""
    registry = dr.async_get(hass)
    return [
        owner
        for owner in owners
        if registry.async_get_device_by_identifier((DOMAIN, owner), entry.entry_id) is None
    ]


@callback
def async_place(hass: HomeAssistant, entry: ConfigEntry, owners: Iterable[str]) -> None:
    """Put new rooms into the areas of their names, which voice goes by.

    Not before their entities are there: Home Assistant puts the area in front of the device in an
    entity's id, so a room's would have its name twice.
    """
    registry = dr.async_get(hass)
    for owner in owners:
        room = registry.async_get_device_by_identifier((DOMAIN, owner), entry.entry_id)
        if room is not None and room.name:
            area = ar.async_get(hass).async_get_or_create(room.name)
            registry.async_update_device(room.id, area_id=area.id)


@callback
def async_remove_devices(hass: HomeAssistant, entry: ConfigEntry, uids: Iterable[str]) -> None:
    """Remove devices of rigs, with their entities."""
    registry = dr.async_get(hass)
    for uid in uids:
        device = registry.async_get_child_device_by_identifier(
            (DOMAIN, uid), entry.entry_id
        ) or registry.async_get_device_by_identifier((DOMAIN, uid), entry.entry_id)
        if device is not None:
            registry.async_remove_device(device.id)


@callback
def ours(hass: HomeAssistant, entity_ids: Iterable[str], key: str) -> set[str]:
    """Return those of the entities that are ours and have this key."""
    registry = er.async_get(hass)
    entries = ((entity_id, registry.async_get(entity_id)) for entity_id in entity_ids)
    return {
        entity_id
        for entity_id, entry in entries
        if entry is not None and entry.platform == DOMAIN and entry.translation_key == key
    }


def uid_of(device: dr.AnyDeviceEntry) -> str | None:
    """Return the uid of a rig's device, None for a rig or the house."""
    if isinstance(device, dr.DeviceEntry) and device.entry_type is dr.DeviceEntryType.SERVICE:
        return None
    uids = [value for domain, value in device.identifiers if domain == DOMAIN]
    return next((uid for uid in uids if "/" not in uid), None)


def rig_of(device: dr.AnyDeviceEntry) -> str | None:
    """Return the id of the rig that a device stands for, None for anything else."""
    uids = [value for domain, value in device.identifiers if domain == DOMAIN]
    return next((uid.removeprefix("rig/") for uid in uids if uid.startswith("rig/")), None)


def _is_web_page(url: str | None) -> bool:
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
