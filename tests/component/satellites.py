"""Voice satellites in rooms: real `assist_satellite` entities of a scripted integration.

`listen`, `process` and `finish` are the pipeline's events as Home Assistant raises them while
somebody talks to the satellite; its entity's state follows from them.
"""

from typing import Any, cast, override

from homeassistant.components.assist_pipeline import PipelineEvent, PipelineEventType
from homeassistant.components.assist_satellite import (
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
)
from homeassistant.components.intent import TimerEventType, TimerInfo, async_register_timer_handler
from homeassistant.config_entries import ConfigEntry, ConfigFlow
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddEntitiesCallback
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    MockPlatform,
    mock_config_flow,
    mock_integration,
    mock_platform,
)

DOMAIN = "satellites"


class Satellite(AssistSatelliteEntity):
    """One satellite."""

    _attr_has_entity_name = True
    _attr_name = None

    def __init__(self, name: str) -> None:
        self._attr_unique_id = name
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, name)}, name=name)

    @property
    def device_id(self) -> str:
        """The id of its device."""
        assert self.device_entry
        return self.device_entry.id

    @override
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        return AssistSatelliteConfiguration([], [], 1)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        pass

    @override
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        pass

    async def listen(self) -> None:
        """Somebody begins to speak."""
        await self._raise(PipelineEventType.STT_START)

    async def process(self) -> None:
        """What was said is being worked on."""
        await self._raise(PipelineEventType.INTENT_START)

    async def finish(self) -> None:
        """Nothing more is to be done."""
        await self._raise(PipelineEventType.RUN_END)

    async def _raise(self, kind: PipelineEventType) -> None:
        self._internal_on_pipeline_event(PipelineEvent(kind))
        await self.hass.async_block_till_done()


async def add_satellites(
    hass: HomeAssistant, areas: dict[str, str | None], *, timers: frozenset[str] = frozenset()
) -> dict[str, Satellite]:
    """Add satellites by name, each in its area; those in `timers` keep timers."""
    assert await async_setup_component(hass, "assist_satellite", {})
    satellites = {name: Satellite(name) for name in areas}

    async def set_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
        await hass.config_entries.async_forward_entry_setups(entry, ["assist_satellite"])

    async def add(hass: HomeAssistant, entry: ConfigEntry, async_add: AddEntitiesCallback) -> None:
        async_add(satellites.values())

    mock_integration(hass, MockModule(DOMAIN, async_setup_entry=cast("Any", set_up)))
    mock_platform(hass, f"{DOMAIN}.config_flow", None)
    mock_platform(hass, f"{DOMAIN}.assist_satellite", MockPlatform(async_setup_entry=add))
    entry = MockConfigEntry(domain=DOMAIN)
    entry.add_to_hass(hass)
    with mock_config_flow(DOMAIN, ConfigFlow):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    for name, area in areas.items():
        device_id = satellites[name].device_id
        if area is not None:
            place = ar.async_get(hass).async_get_or_create(area)
            dr.async_get(hass).async_update_device(device_id, area_id=place.id)
        if name in timers:
            async_register_timer_handler(hass, device_id, _nothing)
    return satellites


def _nothing(_kind: TimerEventType, _timer: TimerInfo) -> None:
    """Hear about a timer."""
