"""Follows entities that are renamed: a room whose thermometer got another id must not go blind.

What the owner set up names entities by their ids. When Home Assistant renames one, its id is
replaced wherever it stands in the house's options and subentries.
"""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er


@callback
def async_follow_renames(hass: HomeAssistant, entry: ConfigEntry) -> CALLBACK_TYPE:
    """Begin to follow; return what ends it."""

    @callback
    def rename(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] != "update" or "old_entity_id" not in event.data:
            return
        old, new = event.data["old_entity_id"], event.data["entity_id"]
        entries = hass.config_entries
        for subentry in list(entry.subentries.values()):
            entries.async_update_subentry(
                entry, subentry, data=_renamed(dict(subentry.data), old, new)
            )
        entries.async_update_entry(entry, options=_renamed(dict(entry.options), old, new))

    return hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, rename)


def _renamed[ValueT](value: ValueT, old: str, new: str) -> ValueT:
    """Return the value with the id replaced where it stands by itself, at any depth."""
    renamed: Any = value
    if isinstance(value, dict):
        renamed = {key: _renamed(one, old, new) for key, one in value.items()}
    elif isinstance(value, list | tuple):
        renamed = [_renamed(one, old, new) for one in value]
    elif value == old:
        renamed = new
    result: ValueT = renamed
    return result
