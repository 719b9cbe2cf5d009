"""A home to talk to: lamps by name and satellites that keep timers. For measurements only."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

PLATFORMS = [Platform.ASSIST_SATELLITE, Platform.LIGHT]


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Add lamps and satellites."""
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
