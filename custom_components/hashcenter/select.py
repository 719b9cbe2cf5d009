"""Selects: what the house favors."""

from typing import Final, override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import HouseEntity
from .house import HashcenterConfigEntry
from .wire.values import Favor

PARALLEL_UPDATES = 0

FAVOR: Final = SelectEntityDescription(key="favor", options=list(Favor))


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the house's select."""
    async_add_entities([FavorSelect(entry.runtime_data, FAVOR)])


class FavorSelect(HouseEntity, SelectEntity):
    """Which workload gets a heater's watts first."""

    @property
    @override
    def current_option(self) -> str:
        return self.coordinator.heating.favor

    @override
    async def async_select_option(self, option: str) -> None:
        await self.coordinator.heating.async_set_favor(Favor(option))
