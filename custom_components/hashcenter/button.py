"""Buttons: restart a device that can be restarted by itself."""

from functools import partial
from typing import Final, override

from homeassistant.components.button import (
    ButtonDeviceClass,
    ButtonEntity,
    ButtonEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import RigCoordinator
from .entity import HashcenterEntity, Makers, async_follow, unique_id
from .house import HashcenterConfigEntry
from .rigs.registry import device_info
from .wire.messages import Device, RestartDeviceRequest

PARALLEL_UPDATES = 0

RESTART: Final = ButtonEntityDescription(
    key="restart", device_class=ButtonDeviceClass.RESTART, entity_category=EntityCategory.CONFIG
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the buttons of devices that may be restarted."""
    for rig in entry.runtime_data.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return a button for each device that can restart, none where control is not allowed."""
    if not rig.data.allows_control:
        return {}
    described = map(rig.data.described, rig.house.devices.owned(rig.data))
    return {
        unique_id(device.uid, RESTART.key): partial(RestartButton, rig, device)
        for device in described
        if device is not None and device.capabilities.can_restart
    }


class RestartButton(HashcenterEntity[RigCoordinator], ButtonEntity):
    """Restarts a device. A device that is silent is the one to restart, so its rig counts."""

    def __init__(self, rig: RigCoordinator, device: Device) -> None:
        """Belong to the device."""
        super().__init__(rig, RESTART, device.uid, device_info(rig, device))
        self._uid = device.uid

    @property
    @override
    def available(self) -> bool:
        return super().available and self.coordinator.data.controllable

    @override
    async def async_press(self) -> None:
        """Ask the rig to restart the device; raises RigError as it refuses."""
        await self.coordinator.async_send(
            lambda stamp: RestartDeviceRequest(**stamp, uid=self._uid)
        )
