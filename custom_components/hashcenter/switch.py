"""Switches: Stop all for the house, hands-off for each heater."""

from functools import partial
from typing import Any, Final, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import RigCoordinator
from .entity import HeaterEntity, HouseEntity, Makers, async_follow, heater_owner, unique_id
from .house import HashcenterConfigEntry

PARALLEL_UPDATES = 0

STOP_ALL: Final = SwitchEntityDescription(key="stop_all")
HANDS_OFF: Final = SwitchEntityDescription(key="hands_off", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have Stop all, and the switches of heaters that may be controlled."""
    house = entry.runtime_data
    async_add_entities([StopAllSwitch(house, STOP_ALL)])
    for rig in house.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the switches of the rig's heaters, none where control is not allowed."""
    inventory = rig.data.inventory
    if inventory is None or not rig.data.allows_control:
        return {}
    return {
        unique_id(heater_owner(rig, heater), HANDS_OFF.key): partial(
            HandsOffSwitch, rig, heater, HANDS_OFF
        )
        for heater in inventory.heaters
    }


class StopAllSwitch(HouseEntity, SwitchEntity):
    """Stops everything that draws watts until a person releases it; on also if a rig is stopped."""

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.data.stopped

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.coordinator.heating.async_stop_all(engaged=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.coordinator.heating.async_stop_all(engaged=False)


class HandsOffSwitch(HeaterEntity, SwitchEntity):
    """Leaves a heater to its owner: nothing of ours touches it until this is off again."""

    @property
    @override
    def available(self) -> bool:
        return True

    @property
    @override
    def is_on(self) -> bool:
        return self.key in self.coordinator.house.heating.state.hands_off

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hands_off(self.key, hands_off=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hands_off(self.key, hands_off=False)
