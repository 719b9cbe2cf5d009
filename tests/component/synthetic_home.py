"""Homes made of descriptions: real entities of Home Assistant that do at once what they are told.

`build` adds areas, devices and entities as a test set describes them, exposes them to Assist, and
returns them by entity id; `put` brings one into a state.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, cast, override

from homeassistant import components
from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.cover import CoverEntity
from homeassistant.components.fan import FanEntity, FanEntityFeature
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.components.light import ATTR_BRIGHTNESS, ColorMode, LightEntity
from homeassistant.components.lock import LockEntity
from homeassistant.components.media_player import MediaPlayerEntity, MediaPlayerState
from homeassistant.components.sensor import SensorEntity
from homeassistant.components.todo import TodoItem, TodoListEntity
from homeassistant.components.vacuum import StateVacuumEntity, VacuumActivity
from homeassistant.components.valve import ValveEntity
from homeassistant.config_entries import ConfigEntry, ConfigFlow
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
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

DOMAIN = "synthetic_home"


class Made(Entity):
    """What all have in common. `put` takes a state and attributes as a test set words them."""

    _attr_should_poll = False
    _attr_has_entity_name = True

    def __init__(self, described: Mapping[str, Any], device: str) -> None:
        self.entity_id = described["id"]
        self._attr_unique_id = described["id"]
        # Home Assistant puts the device's name in front.
        self._attr_name = described["name"].removeprefix(device).strip() or None
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, described["device"])}, name=device
        )
        attributes = {name: _value(one) for name, one in _attributes(described).items()}
        for name, value in attributes.items():
            setattr(self, f"_attr_{name}", value)
        self.put(described.get("state"), {})

    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        """Be in this state, with these attributes."""
        for name, value in attributes.items():
            setattr(self, f"_attr_{name}", value)


class Light(Made, LightEntity):
    """A light."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_is_on = state == "on"
        modes = self._attr_supported_color_modes or {ColorMode.ONOFF}
        self._attr_supported_color_modes = {ColorMode(mode) for mode in modes}
        self._attr_color_mode = next(iter(self._attr_supported_color_modes))

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._attr_is_on = True
        self._attr_brightness = kwargs.get(ATTR_BRIGHTNESS, self._attr_brightness)
        self.async_write_ha_state()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._attr_is_on = False
        self.async_write_ha_state()


class Cover(Made, CoverEntity):
    """A cover."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_is_closed = state != "open"
        if self._attr_current_cover_position is not None or "current_position" in attributes:
            default = 0 if self._attr_is_closed else 100
            self._attr_current_cover_position = attributes.get("current_position", default)

    async def _move(self, position: int) -> None:
        self._attr_is_closed = position == 0
        if self._attr_current_cover_position is not None:
            self._attr_current_cover_position = position
        self.async_write_ha_state()

    @override
    async def async_open_cover(self, **kwargs: Any) -> None:
        await self._move(100)

    @override
    async def async_close_cover(self, **kwargs: Any) -> None:
        await self._move(0)

    @override
    async def async_set_cover_position(self, **kwargs: Any) -> None:
        await self._move(kwargs["position"])


class Valve(Made, ValveEntity):
    """A valve that reports its position."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        default = 100 if state == "open" else 0
        self._attr_current_valve_position = attributes.get("current_position", default)

    @override
    async def async_set_valve_position(self, position: int) -> None:
        self._attr_current_valve_position = position
        self.async_write_ha_state()

    @override
    async def async_open_valve(self) -> None:
        await self.async_set_valve_position(100)

    @override
    async def async_close_valve(self) -> None:
        await self.async_set_valve_position(0)


class Lock(Made, LockEntity):
    """A lock."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_is_locked = state == "locked"

    @override
    async def async_lock(self, **kwargs: Any) -> None:
        self._attr_is_locked = True
        self.async_write_ha_state()

    @override
    async def async_unlock(self, **kwargs: Any) -> None:
        self._attr_is_locked = False
        self.async_write_ha_state()


class Vacuum(Made, StateVacuumEntity):
    """A vacuum cleaner."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        known = state in list(VacuumActivity)
        self._attr_activity = VacuumActivity(state) if known else VacuumActivity.IDLE

    @override
    async def async_start(self) -> None:
        self._attr_activity = VacuumActivity.CLEANING
        self.async_write_ha_state()

    @override
    async def async_return_to_base(self, **kwargs: Any) -> None:
        self._attr_activity = VacuumActivity.RETURNING
        self.async_write_ha_state()


class Fan(Made, FanEntity):
    """A fan; since 2025 one that can be turned on has to say so."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_supported_features |= FanEntityFeature.TURN_ON | FanEntityFeature.TURN_OFF
        self._attr_percentage = 100 if state == "on" else 0

    @override
    async def async_turn_on(
        self, percentage: int | None = None, preset_mode: str | None = None, **kwargs: Any
    ) -> None:
        self._attr_percentage = 100 if percentage is None else percentage
        self.async_write_ha_state()

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        self._attr_percentage = 0
        self.async_write_ha_state()


class MediaPlayer(Made, MediaPlayerEntity):
    """A media player that plays an album."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_state = MediaPlayerState(state)

    async def _be(self, state: MediaPlayerState) -> None:
        self._attr_state = state
        self.async_write_ha_state()

    async def _track(self, by: int) -> None:
        self._attr_media_track = (self._attr_media_track or 0) + by
        self.async_write_ha_state()

    @override
    async def async_media_pause(self) -> None:
        await self._be(MediaPlayerState.PAUSED)

    @override
    async def async_media_play(self) -> None:
        await self._be(MediaPlayerState.PLAYING)

    @override
    async def async_turn_off(self) -> None:
        await self._be(MediaPlayerState.OFF)

    @override
    async def async_media_next_track(self) -> None:
        await self._track(1)

    @override
    async def async_media_previous_track(self) -> None:
        await self._track(-1)

    @override
    async def async_set_volume_level(self, volume: float) -> None:
        self._attr_volume_level = volume
        self.async_write_ha_state()


class TodoList(Made, TodoListEntity):
    """A list of things to do."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_todo_items = []

    @override
    async def async_create_todo_item(self, item: TodoItem) -> None:
        self._attr_todo_items = [*(self._attr_todo_items or []), item]
        self.async_write_ha_state()


class Sensor(Made, SensorEntity):
    """A sensor."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_native_value = state


class BinarySensor(Made, BinarySensorEntity):
    """A binary sensor."""

    @override
    def put(self, state: Any, attributes: Mapping[str, Any]) -> None:
        super().put(state, attributes)
        self._attr_is_on = state == "on"


KINDS: dict[str, type[Made]] = {
    "light": Light,
    "cover": Cover,
    "valve": Valve,
    "lock": Lock,
    "vacuum": Vacuum,
    "fan": Fan,
    "media_player": MediaPlayer,
    "todo": TodoList,
    "sensor": Sensor,
    "binary_sensor": BinarySensor,
}


async def build(
    hass: HomeAssistant,
    areas: Iterable[Mapping[str, Any]],
    devices: Iterable[Mapping[str, Any]],
    entities: Iterable[Mapping[str, Any]],
) -> dict[str, Made]:
    """Add a home and expose it."""
    devices = list(devices)
    names = {one["id"]: one["name"] for one in devices}
    made = {
        one["id"]: KINDS[one["id"].partition(".")[0]](one, names[one["device"]]) for one in entities
    }
    domains = sorted({entity_id.partition(".")[0] for entity_id in made})
    for domain in domains:
        assert await async_setup_component(hass, domain, {})

    async def set_up(hass: HomeAssistant, entry: ConfigEntry) -> None:
        await hass.config_entries.async_forward_entry_setups(entry, domains)

    mock_integration(hass, MockModule(DOMAIN, async_setup_entry=cast("Any", set_up)))
    mock_platform(hass, f"{DOMAIN}.config_flow", None)
    for domain in domains:
        of_domain = [one for entity_id, one in made.items() if entity_id.startswith(f"{domain}.")]
        mock_platform(hass, f"{DOMAIN}.{domain}", MockPlatform(async_setup_entry=_adder(of_domain)))
    entry = MockConfigEntry(domain=DOMAIN)
    entry.add_to_hass(hass)
    with mock_config_flow(DOMAIN, ConfigFlow):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    _place(hass, entry, areas, devices)
    for entity_id, one in made.items():
        assert one.entity_id == entity_id
        async_expose_entity(hass, "conversation", entity_id, should_expose=True)
    return made


def _adder(entities: list[Made]) -> Any:
    async def add(hass: HomeAssistant, entry: ConfigEntry, async_add: AddEntitiesCallback) -> None:
        async_add(entities)

    return add


def _place(
    hass: HomeAssistant,
    entry: ConfigEntry,
    areas: Iterable[Mapping[str, Any]],
    devices: Iterable[Mapping[str, Any]],
) -> None:
    registry = dr.async_get(hass)
    ids = {one["id"]: ar.async_get(hass).async_get_or_create(one["name"]).id for one in areas}
    for one in devices:
        known = registry.async_get_device_by_identifier((DOMAIN, one["id"]), entry.entry_id)
        if known is not None and one.get("area") in ids:
            registry.async_update_device(known.id, area_id=ids[one["area"]])
    assert er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)


def _attributes(described: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(described.get("attributes") or {})
    if described["id"].startswith(("cover.", "valve.")) and "current_position" in found:
        kind = described["id"].partition(".")[0]
        found[f"current_{kind}_position"] = found.pop("current_position")
    found.pop("todo_items", None)
    return found


def _value(text: Any) -> Any:
    """Return a constant of Home Assistant by its name, a list of features as their sum."""
    if isinstance(text, list):
        values = [_value(one) for one in text]
        if values and all(isinstance(one, int) for one in values):
            total = values[0]
            for one in values[1:]:
                total |= one
            return total
        return set(values)
    if isinstance(text, str) and text.count(".") == 2:
        domain, _, name = text.partition(".")
        __import__(f"{components.__name__}.{domain}")
        return attrgetter(f"{domain}.{name}")(components)
    return text
