"""Sets the back-up thermostats of rooms (furnace, baseboard): the effects of control/handover.py.

A room's need is the rules' word; what the back-up was before is stored, so that a restart of Home
Assistant in the middle of a cold night gives it back all the same.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, TypeIs

from homeassistant.components.climate import (
    ATTR_HVAC_MODE,
    ATTR_TARGET_TEMP_HIGH,
    ATTR_TARGET_TEMP_LOW,
    DOMAIN as CLIMATE_DOMAIN,
    SERVICE_SET_HVAC_MODE,
    SERVICE_SET_TEMPERATURE,
    ClimateEntityCapabilityAttribute,
    ClimateEntityFeature,
    ClimateEntityStateAttribute,
    HVACMode,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import (
    ATTR_ENTITY_ID,
    ATTR_TEMPERATURE,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityStateAttribute,
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.unit_conversion import TemperatureConverter

from ..const import DOMAIN
from ..control.handover import Handover, Setting, follow
from ..control.seen import HouseSeen, HvacMode, RoomSeen
from ..control.wanted import HouseWanted
from .plan import RoomPlan

_LOGGER = logging.getLogger(__name__)

#: What a back-up is set to that cannot simply heat.
_MODES: Final = (HVACMode.HEAT, HVACMode.AUTO, HVACMode.HEAT_COOL)
_HAS_TARGET: Final = (
    ClimateEntityFeature.TARGET_TEMPERATURE | ClimateEntityFeature.TARGET_TEMPERATURE_RANGE
)
_ABOVE_FROST_K: Final = 1.0


class BackupHeat:
    """The back-up thermostats of the house's rooms."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Prepare; `restore` brings back which of them heat for us."""
        self._hass = hass
        self._entry = entry
        self._handovers: dict[str, Handover] = {}
        #: What could not be set, a sentence by entity id.
        self.problems: dict[str, str] = {}

    @callback
    def async_follow(
        self, rooms: Mapping[str, RoomPlan], seen: HouseSeen, wanted: HouseWanted
    ) -> None:
        """Take over and give back, as the rooms need it now."""
        for room in seen.rooms:
            if (entity_id := rooms[room.id].backup) is None:
                self._handovers.pop(room.id, None)
                continue
            state = self._hass.states.get(entity_id)
            heat = None
            if wanted.rooms[room.id].needs_backup and state is not None:
                heat = self._heat(state, room)
            memory, setting = follow(
                self._handovers.get(room.id), heat, self._shows(state), time.time()
            )
            if memory is None:
                self._handovers.pop(room.id, None)
            else:
                self._handovers[room.id] = memory
            if setting is not None:
                self._entry.async_create_background_task(
                    self._hass, self._async_set(entity_id, setting), f"{DOMAIN} {entity_id}"
                )

    def stored(self) -> dict[str, Any]:
        """Return which back-ups heat for us, as JSON's values."""
        return {room: asdict(memory) for room, memory in self._handovers.items()}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Bring back what `stored` returned; raises KeyError or TypeError for anything else."""
        self._handovers = {room: _handover(one) for room, one in stored.items()}

    def _shows(self, state: State | None) -> Setting | None:
        """Return what a back-up is set to, None while it is unavailable."""
        if state is None or state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
            return None
        target = state.attributes.get(ClimateEntityStateAttribute.TARGET_TEMPERATURE)
        if target is None:
            target = state.attributes.get(ClimateEntityStateAttribute.TARGET_TEMP_LOW)
        if not _is_number(target):
            return Setting(state.state)
        return Setting(state.state, self._to_celsius(target))

    def _heat(self, state: State, room: RoomSeen) -> Setting | None:
        """Return how the back-up heats the room: as near to its target as it can be set."""
        said = state.attributes.get(ClimateEntityCapabilityAttribute.HVAC_MODES)
        modes = said if isinstance(said, list | tuple) else ()
        mode = next((mode for mode in _MODES if mode in modes), None)
        if mode is None:
            self.problems[state.entity_id] = (
                f"{state.name} ({state.entity_id}) cannot heat: choose another back-up for "
                f"{room.name}."
            )
            return None
        features = state.attributes.get(EntityStateAttribute.SUPPORTED_FEATURES, 0)
        if not isinstance(features, int) or not features & _HAS_TARGET:
            return Setting(mode)
        # A room that is off is only kept from freezing.
        heats = room.mode is HvacMode.HEAT
        target_c = room.target_c if heats else room.frost_c + _ABOVE_FROST_K
        for bound, choose in (
            (ClimateEntityCapabilityAttribute.MIN_TEMP, max),
            (ClimateEntityCapabilityAttribute.MAX_TEMP, min),
        ):
            if _is_number(limit := state.attributes.get(bound)):
                target_c = choose(target_c, self._to_celsius(limit))
        return Setting(mode, target_c)

    async def _async_set(self, entity_id: str, setting: Setting) -> None:
        target: dict[str, Any] = {ATTR_ENTITY_ID: entity_id}
        try:
            if setting.target_c is not None:
                await self._async_call(
                    SERVICE_SET_TEMPERATURE,
                    {**target, **self._temperatures(entity_id, setting)},
                )
            await self._async_call(SERVICE_SET_HVAC_MODE, {**target, ATTR_HVAC_MODE: setting.mode})
        except HomeAssistantError as err:
            text = f"{entity_id} could not be set to {setting.mode}: {err}"
            if self.problems.get(entity_id) != text:
                _LOGGER.warning("The back-up %s", text)
            self.problems[entity_id] = text
        else:
            self.problems.pop(entity_id, None)

    async def _async_call(self, action: str, data: dict[str, Any]) -> None:
        await self._hass.services.async_call(CLIMATE_DOMAIN, action, data, blocking=True)

    def _temperatures(self, entity_id: str, setting: Setting) -> dict[str, float]:
        """Return the target in the words of the entity: one temperature, or a range above it."""
        assert setting.target_c is not None
        target = self._from_celsius(setting.target_c)
        state = self._hass.states.get(entity_id)
        attributes = state.attributes if state else {}
        step = attributes.get(ClimateEntityCapabilityAttribute.TARGET_TEMP_STEP)
        if _is_number(step) and step > 0:
            target = round(target / step) * step
        high = attributes.get(ClimateEntityStateAttribute.TARGET_TEMP_HIGH)
        if setting.mode == HVACMode.HEAT_COOL and _is_number(high):
            return {ATTR_TARGET_TEMP_LOW: target, ATTR_TARGET_TEMP_HIGH: max(high, target + 1.0)}
        return {ATTR_TEMPERATURE: round(target, 2)}

    def _to_celsius(self, value: float) -> float:
        unit = self._hass.config.units.temperature_unit
        return TemperatureConverter.convert(value, unit, UnitOfTemperature.CELSIUS)

    def _from_celsius(self, value_c: float) -> float:
        unit = self._hass.config.units.temperature_unit
        return TemperatureConverter.convert(value_c, UnitOfTemperature.CELSIUS, unit)


def _is_number(said: object) -> TypeIs[int | float]:
    return isinstance(said, int | float) and math.isfinite(said)


def _handover(data: Mapping[str, Any]) -> Handover:
    settings = {
        name: None if data[name] is None else Setting(**data[name])
        for name in ("before", "told", "showed")
    }
    return Handover(**{**data, **settings})
