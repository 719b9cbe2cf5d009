"""Sixty lamps."""

from typing import Any, override

from homeassistant.components.light import ColorMode, LightEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

COUNT = 60
_ROOMS = ("Kitchen", "Attic", "Cellar", "Hall", "Study", "Garden")


async def async_setup_entry(
    _hass: HomeAssistant, _entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them."""
    async_add_entities(Lamp(number) for number in range(COUNT))


class Lamp(LightEntity):
    """A lamp."""

    _attr_should_poll = False
    _attr_color_mode = ColorMode.ONOFF
    _attr_is_on = False

    def __init__(self, number: int) -> None:
        self._attr_supported_color_modes = {ColorMode.ONOFF}
        self._attr_unique_id = f"lamp-{number}"
        self._attr_name = f"{_ROOMS[number % len(_ROOMS)]} lamp number {number}"

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._attr_is_on = True
        self.async_write_ha_state()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._attr_is_on = False
        self.async_write_ha_state()
