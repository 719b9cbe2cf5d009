"""What all entities share: who they belong to, when they are available, when they exist.

An entity's key is the wire's field, its translation and the end of its unique id. House entities
hang on the house, rig and heater entities on their rig's heartbeat, device entities on their device
alone. `async_follow` adds and withdraws a rig's entities as its inventory says.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    async_get_current_platform,
)
from homeassistant.helpers.update_coordinator import CoordinatorEntity, DataUpdateCoordinator

from .control.requests import HeaterKey
from .coordinator import DeviceCoordinator, RigCoordinator
from .house import House
from .rigs.registry import device_info, house_identifier, rig_identifier, uid_of
from .wire.messages import Device, DeviceState, Heater, HeaterState
from .wire.values import DeviceKind


class HashcenterEntity[CoordinatorT: DataUpdateCoordinator[Any]](CoordinatorEntity[CoordinatorT]):
    """Base of all entities."""

    _attr_has_entity_name = True
    #: Called when the entity has left Home Assistant.
    on_gone: Callable[[], None] | None = None

    def __init__(
        self,
        coordinator: CoordinatorT,
        description: EntityDescription,
        owner: str,
        info: dr.DeviceInfo | dr.ChildDeviceInfo,
    ) -> None:
        """Name the entity by its owner and its key."""
        super().__init__(coordinator)
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = unique_id(owner, description.key)
        self._attr_device_info = info

    @override
    async def async_will_remove_from_hass(self) -> None:
        await super().async_will_remove_from_hass()
        if self.on_gone:
            self.on_gone()


class HouseEntity(HashcenterEntity[House]):
    """An entity of the house."""

    def __init__(self, house: House, description: EntityDescription) -> None:
        """Belong to the house's device."""
        entry = house.config_entry
        info = dr.DeviceInfo(identifiers={house_identifier(entry)})
        super().__init__(house, description, entry.entry_id, info)


class RigEntity(HashcenterEntity[RigCoordinator]):
    """An entity of a rig; unavailable while the rig is offline."""

    def __init__(self, rig: RigCoordinator, description: EntityDescription) -> None:
        """Belong to the rig's device."""
        info = dr.DeviceInfo(identifiers={rig_identifier(rig.rig_id)})
        super().__init__(rig, description, rig_owner(rig), info)

    @property
    @override
    def available(self) -> bool:
        return super().available and self.coordinator.data.online


class HeaterEntity(HashcenterEntity[RigCoordinator]):
    """An entity of a heater. It belongs to the ASIC that the heater is, else to the rig."""

    def __init__(self, rig: RigCoordinator, heater: Heater, description: EntityDescription) -> None:
        """Belong to the device that stands for the heater."""
        self.key = HeaterKey(rig.rig_id, heater.id)
        asic = asic_of(rig, heater)
        info = (
            device_info(rig, asic)
            if asic
            else dr.DeviceInfo(identifiers={rig_identifier(rig.rig_id)})
        )
        super().__init__(rig, description, heater_owner(rig, heater), info)

    @property
    def heater(self) -> Heater | None:
        """The heater in the inventory."""
        return self.coordinator.data.heater(self.key.heater)

    @property
    def heater_state(self) -> HeaterState | None:
        """What the heater does now."""
        return self.coordinator.data.heater_state(self.key.heater)

    @property
    @override
    def available(self) -> bool:
        return super().available and self.heater_state is not None


class DeviceEntity(HashcenterEntity[DeviceCoordinator]):
    """An entity of a GPU, a CPU or an ASIC; unavailable without a fresh word from it."""

    def __init__(self, rig: RigCoordinator, device: Device, description: EntityDescription) -> None:
        """Belong to the device."""
        super().__init__(rig.device(device.uid), description, device.uid, device_info(rig, device))

    @property
    def device_state(self) -> DeviceState | None:
        """What the device says now."""
        return self.coordinator.data

    @property
    @override
    def available(self) -> bool:
        return super().available and self.coordinator.data is not None


type Makers = Mapping[str, Callable[[], HashcenterEntity[Any]]]


def unique_id(owner: str, key: str) -> str:
    """Return the unique id of the entity `key` of `owner`."""
    return f"{owner}_{key}"


def rig_owner(rig: RigCoordinator) -> str:
    """Return whose a rig's entities are."""
    return f"rig/{rig.rig_id}"


def heater_owner(rig: RigCoordinator, heater: Heater) -> str:
    """Return whose a heater's entities are."""
    return f"{rig_owner(rig)}/{heater.id}"


def asic_of(rig: RigCoordinator, heater: Heater) -> Device | None:
    """Return the ASIC that the heater is, None for a machine's heater."""
    device = rig.data.described(heater.devices[0]) if len(heater.devices) == 1 else None
    return device if device and device.kind == DeviceKind.ASIC else None


@callback
def async_add_exactly(
    entry: ConfigEntry,
    add: AddConfigEntryEntitiesCallback,
    entities: Sequence[Entity],
    subentry_id: str | None = None,
) -> None:
    """Have these entities of a part of the house (None: the house itself), and no others.

    What its owner's figures made sense of before and now do not is removed.
    """
    domain = async_get_current_platform().domain
    registry = er.async_get(async_get_current_platform().hass)
    wanted = {entity.unique_id for entity in entities}
    for known in er.async_entries_for_config_entry(registry, entry.entry_id):
        ours = known.domain == domain and known.config_subentry_id == subentry_id
        if ours and known.unique_id not in wanted:
            registry.async_remove(known.entity_id)
    add(entities, config_subentry_id=subentry_id)


def own_heaters(rig: RigCoordinator) -> tuple[Heater, ...]:
    """Return the rig's heaters, but no ASIC that belongs to another rig: devices.py says which."""
    inventory = rig.data.inventory
    theirs = {
        device.uid
        for device in (inventory.devices if inventory else ())
        if rig.house.devices.owner(device.uid) not in (None, rig.rig_id)
    }
    heaters = inventory.heaters if inventory else ()
    return tuple(one for one in heaters if not (one.devices and theirs.issuperset(one.devices)))


@callback
def async_follow(
    rig: RigCoordinator, add: AddConfigEntryEntitiesCallback, wanted: Callable[[], Makers]
) -> None:
    """Have those entities of the rig that `wanted` names by unique id, now and in future.

    Only a live inventory takes entities away, and never those of a device that it leaves out: that
    device's time is kept by the house.
    """
    platform = async_get_current_platform()
    present: set[str] = set()

    @callback
    def follow() -> None:
        makers = wanted()
        fresh = [make() for uid, make in makers.items() if uid not in present]
        for entity in fresh:
            name = entity.unique_id or ""
            present.add(name)
            entity.on_gone = lambda name=name: present.discard(name)
        if fresh:
            add(fresh, config_subentry_id=rig.subentry.subentry_id)
        if rig.data.inventory_current:
            _withdraw(rig, platform.domain, makers)

    follow()
    rig.config_entry.async_on_unload(rig.async_add_structure_listener(follow))


def _withdraw(rig: RigCoordinator, domain: str, makers: Makers) -> None:
    """Remove the rig's registered entities of this platform that are no longer wanted."""
    entities = er.async_get(rig.hass)
    devices = dr.async_get(rig.hass)
    for entry in er.async_entries_for_config_entry(entities, rig.config_entry.entry_id):
        if (
            entry.domain != domain
            or entry.config_subentry_id != rig.subentry.subentry_id
            or entry.unique_id in makers
        ):
            continue
        device = devices.async_get(entry.device_id) if entry.device_id else None
        uid = uid_of(device) if device else None
        if uid is None or rig.data.described(uid) is not None:
            entities.async_remove(entry.entity_id)
