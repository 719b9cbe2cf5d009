"""Two satellites that keep timers."""

from typing import override

from homeassistant.components.assist_pipeline import PipelineEvent
from homeassistant.components.assist_satellite import (
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
)
from homeassistant.components.intent import TimerEventType, TimerInfo, async_register_timer_handler
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

NAMES = ("Alice", "Bob")


async def async_setup_entry(
    _hass: HomeAssistant, _entry: ConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add them."""
    async_add_entities(Satellite(name) for name in NAMES)


class Satellite(AssistSatelliteEntity):
    """A satellite that is spoken to in writing."""

    def __init__(self, name: str) -> None:
        self._attr_unique_id = name
        self._attr_name = name
        self._attr_device_info = DeviceInfo(identifiers={("bench_home", name)}, name=name)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        assert self.device_entry is not None
        undo = async_register_timer_handler(self.hass, self.device_entry.id, _nothing)
        self.async_on_remove(undo)

    @override
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        return AssistSatelliteConfiguration([], [], 1)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        pass

    @override
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        pass


def _nothing(_kind: TimerEventType, _timer: TimerInfo) -> None:
    """Hear about a timer."""
