"""Selects: what the house favors, and who decides it."""

from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .control.tilt import Tilt
from .entity import HouseEntity
from .house import HashcenterConfigEntry
from .wire.values import Favor

PARALLEL_UPDATES = 0

FAVOR: Final = SelectEntityDescription(key="favor", options=list(Favor))
TILT: Final = SelectEntityDescription(key="tilt", options=list(Tilt))


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the house's selects."""
    house = entry.runtime_data
    async_add_entities([FavorSelect(house, FAVOR), TiltSelect(house, TILT)])


class FavorSelect(HouseEntity, SelectEntity):
    """Which workload gets a heater's watts first."""

    @property
    @override
    def current_option(self) -> str:
        return self.coordinator.heating.favor

    @override
    async def async_select_option(self, option: str) -> None:
        await self.coordinator.heating.async_set_favor(Favor(option))


class TiltSelect(HouseEntity, SelectEntity):
    """What decides the favor: a person, or a policy by cold, price, sun or the hour."""

    @property
    @override
    def current_option(self) -> str:
        return self.coordinator.heating.tilt

    @override
    async def async_select_option(self, option: str) -> None:
        await self.coordinator.heating.async_set_tilt(Tilt(option))
