"""Climate: a thermostat for each room. What people want of it is heating.py's to keep.

A room of a child is never made warmer by voice: whatever a turn of a conversation causes (a
sentence, a model's tool, a script that one of them runs) may turn it down or off only.
"""

import time
from datetime import timedelta
from math import ceil, floor, isfinite
from typing import Any, Final, override

from homeassistant.components.climate import (
    ATTR_HVAC_MODE,
    PRESET_NONE,
    ClimateEntity,
    ClimateEntityDescription,
    ClimateEntityFeature,
    HVACAction,
    HVACMode,
)
from homeassistant.components.conversation.chat_log import current_chat_log
from homeassistant.const import ATTR_TEMPERATURE, UnitOfTemperature
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import TemperatureConverter

from .control.seen import HvacMode
from .control.wishes import Preset, RoomWish, changed
from .entities.calm import Calm, Damper
from .entities.part_entity import RoomEntity
from .errors import RaisedByVoice, mistake
from .heat.plan import RoomPlan
from .house import HashcenterConfigEntry, House

PARALLEL_UPDATES = 0

ROOM: Final = ClimateEntityDescription(key="room")

#: A thermometer that flickers between two tenths is no news; a fifth of a kelvin is.
_CALM: Final = Calm(deadband=0.15, drift_s=300.0)
#: A target this close to the high limit would be cut off again and again.
_BELOW_HIGH_K: Final = 1.0
#: For so long something may go on that a voice began.
_ECHO: Final = timedelta(hours=1)
_CELSIUS: Final = UnitOfTemperature.CELSIUS
_FAHRENHEIT: Final = UnitOfTemperature.FAHRENHEIT


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have a thermostat for each room."""
    house = entry.runtime_data
    for room in house.plan.rooms.values():
        async_add_entities([RoomClimate(house, room)], config_subentry_id=room.id)


def target_limits_c(room: RoomPlan, unit: str) -> tuple[float, float]:
    """Return the lowest and the highest target that may be set, whole numbers in °F houses."""
    low_c, high_c = room.frost_c, room.high_c - _BELOW_HIGH_K
    if unit != _FAHRENHEIT:
        return low_c, high_c
    low_f = ceil(TemperatureConverter.convert(low_c, _CELSIUS, _FAHRENHEIT))
    high_f = floor(TemperatureConverter.convert(high_c, _CELSIUS, _FAHRENHEIT))
    return (
        TemperatureConverter.convert(low_f, _FAHRENHEIT, _CELSIUS),
        TemperatureConverter.convert(high_f, _FAHRENHEIT, _CELSIUS),
    )


def is_warmer(before: RoomWish, after: RoomWish) -> bool:
    """Return whether a wish asks for more heat than another; a room that is off asks for none."""
    if after.mode is HvacMode.OFF:
        return False
    return before.mode is HvacMode.OFF or after.target_c > before.target_c


def is_by_voice() -> bool:
    """Return whether a turn of a conversation, spoken or written, causes this.

    Service calls carry no sign of it, but what a turn causes inherits its chat log, a script that
    waits included. After an hour it is forgotten: a timer that was once set up by voice would
    otherwise speak with its voice for ever.
    """
    turn = current_chat_log.get()
    if turn is None:
        return False
    return turn.turn_active or dt_util.utcnow() - turn.content[-1].created < _ECHO


class RoomClimate(RoomEntity, ClimateEntity):
    """A room's thermostat."""

    _attr_name = None
    _attr_native_temperature_unit = _CELSIUS
    _attr_supported_features = (
        ClimateEntityFeature.TARGET_TEMPERATURE
        | ClimateEntityFeature.PRESET_MODE
        | ClimateEntityFeature.TURN_ON
        | ClimateEntityFeature.TURN_OFF
    )

    def __init__(self, house: House, room: RoomPlan) -> None:
        """Be the room's main entity, with its name."""
        super().__init__(house, room, ROOM)
        self._attr_hvac_modes = [HVACMode.HEAT, HVACMode.OFF]
        self._attr_preset_modes = [PRESET_NONE, *Preset]
        self._damper = Damper(_CALM)
        self._shown: tuple[object, ...] | None = None

    @property
    @override
    def min_temp(self) -> float:
        return target_limits_c(self.room, self.hass.config.units.temperature_unit)[0]

    @property
    @override
    def max_temp(self) -> float:
        return target_limits_c(self.room, self.hass.config.units.temperature_unit)[1]

    @property
    @override
    def target_temperature_step(self) -> float:
        return 1.0 if self.hass.config.units.temperature_unit == _FAHRENHEIT else 0.5

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._take()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        if self._take():
            self.async_write_ha_state()

    def _take(self) -> bool:
        """Take over what people want and what happens; return whether anything is to be written."""
        wish, wanted = self.coordinator.heating.wish(self.room.id), self.wanted
        until = wish.boost_until
        self._attr_hvac_mode = HVACMode(wish.mode)
        self._attr_preset_mode = wish.preset or PRESET_NONE
        self._attr_native_target_temperature = wish.target_c
        self._attr_hvac_action = HVACAction(wanted.action) if wanted else None
        self._attr_extra_state_attributes = {
            "boost_until": dt_util.utc_from_timestamp(round(until)).isoformat() if until else None
        }
        temp_c = self._temp_c()
        passed = self._damper.passes(temp_c, time.monotonic())
        if passed:
            self._attr_native_current_temperature = temp_c
        shown = (wish.mode, wish.preset, wish.target_c, until, self._attr_hvac_action)
        news = passed or shown != self._shown
        self._shown = shown
        return news

    def _temp_c(self) -> float | None:
        """Return the room's temperature, None while its thermometer is not believed."""
        seen, wanted = self.seen, self.wanted
        if seen is None or (wanted is not None and wanted.thermometer_stale):
            return None
        temp_c = seen.thermometer.temp_c
        return None if temp_c is None else round(temp_c, 2)

    @override
    async def async_set_hvac_mode(self, hvac_mode: HVACMode) -> None:
        await self._async_wish(mode=HvacMode(hvac_mode))

    @override
    async def async_set_preset_mode(self, preset_mode: str) -> None:
        if preset_mode == PRESET_NONE:
            await self._async_wish(target_c=self.coordinator.heating.wish(self.room.id).target_c)
        else:
            await self._async_wish(preset=Preset(preset_mode))

    @override
    async def async_set_temperature(self, **kwargs: Any) -> None:
        mode: HVACMode | None = kwargs.get(ATTR_HVAC_MODE)
        if mode is not None:
            self._valid_mode_or_raise("hvac", mode, self.hvac_modes)
        if not isfinite(target_c := kwargs[ATTR_TEMPERATURE]):
            raise mistake("no_number", value=str(target_c))
        await self._async_wish(mode=None if mode is None else HvacMode(mode), target_c=target_c)

    async def _async_wish(
        self,
        *,
        mode: HvacMode | None = None,
        preset: Preset | None = None,
        target_c: float | None = None,
    ) -> None:
        """Change what people want of the room; raises RaisedByVoice in a child's room."""
        heating, room = self.coordinator.heating, self.room
        if room.child and is_by_voice():
            before = heating.wish(room.id)
            after = changed(
                before,
                room.presets_c,
                room.boost_s,
                time.time(),
                mode=mode,
                preset=preset,
                target_c=target_c,
            )
            if is_warmer(before, after):
                raise RaisedByVoice(room.name)
        await heating.async_set_room(room.id, mode=mode, preset=preset, target_c=target_c)
