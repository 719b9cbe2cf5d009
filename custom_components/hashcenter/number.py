"""Numbers: the watts asked of each heater, and how long such a request holds."""

from datetime import timedelta
from enum import IntFlag
from functools import partial
from typing import Final, override

from homeassistant.components.number import (
    NumberDeviceClass,
    NumberEntity,
    NumberEntityDescription,
    NumberMode,
)
from homeassistant.const import EntityCategory, UnitOfPower, UnitOfTemperature, UnitOfTime
from homeassistant.core import HomeAssistant, ServiceResponse
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import TemperatureConverter

from .coordinator import RigCoordinator
from .entities.part_entity import in_words
from .entity import (
    HeaterEntity,
    HouseEntity,
    Makers,
    async_follow,
    heater_owner,
    own_heaters,
    unique_id,
)
from .house import HashcenterConfigEntry

PARALLEL_UPDATES = 0


class HeaterFeature(IntFlag):
    """What tells a heater's number from others; the heat actions ask for it."""

    HEAT = 1


HEAT_REQUEST: Final = NumberEntityDescription(
    key="heat_request",
    device_class=NumberDeviceClass.POWER,
    native_unit_of_measurement=UnitOfPower.WATT,
    native_min_value=0,
    native_step=1,
)
HOLD: Final = NumberEntityDescription(
    key="heat_request_hold",
    device_class=NumberDeviceClass.DURATION,
    entity_category=EntityCategory.CONFIG,
    mode=NumberMode.BOX,
    native_unit_of_measurement=UnitOfTime.HOURS,
    native_min_value=0.25,
    native_max_value=24,
    native_step=0.25,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the hold time, and the heat requests of heaters that may be controlled."""
    house = entry.runtime_data
    async_add_entities([HoldNumber(house, HOLD)])
    for rig in house.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the heat requests of the rig's heaters, none where control is not allowed."""
    if not rig.data.allows_control:
        return {}
    return {
        unique_id(heater_owner(rig, heater), HEAT_REQUEST.key): partial(
            HeatRequestNumber, rig, heater, HEAT_REQUEST
        )
        for heater in own_heaters(rig)
    }


class HoldNumber(HouseEntity, NumberEntity):
    """For how many hours a heat request holds that does not say it itself."""

    @property
    @override
    def native_value(self) -> float:
        return self.coordinator.heating.hold_h

    @override
    async def async_set_native_value(self, value: float) -> None:
        await self.coordinator.heating.async_set_hold(value)


class HeatRequestNumber(HeaterEntity, NumberEntity):
    """The watts asked of a heater; unknown while nothing is asked of it."""

    _attr_supported_features = HeaterFeature.HEAT

    @property
    @override
    def native_max_value(self) -> float:
        return self.heater.max_w if self.heater else 0.0

    @property
    @override
    def native_value(self) -> float | None:
        request = self.coordinator.house.heating.request(self.key)
        return request.power_w if request else None

    @override
    async def async_set_native_value(self, value: float) -> None:
        await self.coordinator.house.heating.async_request_heat(self.key, value)

    async def async_request_heat(
        self,
        power_w: float,
        duration: timedelta | None = None,
        high_limit: float | None = None,
        thermometer: str | None = None,
    ) -> ServiceResponse:
        """Ask for watts for a time; return what the rig answered.

        `high_limit` is in the unit that Home Assistant shows temperatures in.
        """
        house = self.coordinator.house
        unit = self.hass.config.units.temperature_unit
        high_c = None
        if high_limit is not None:
            high_c = TemperatureConverter.convert(high_limit, unit, UnitOfTemperature.CELSIUS)
        response = await house.heating.async_request_heat(
            self.key,
            power_w,
            duration.total_seconds() if duration else None,
            high_limit_c=high_c,
            thermometer=thermometer,
        )
        request = house.heating.request(self.key)
        want = house.heating.wanted.heaters.get(self.key) if house.heating.wanted else None
        return {
            "result": response.result,
            "power_w": request.power_w if request else None,
            "until": dt_util.utc_from_timestamp(request.until).isoformat() if request else None,
            "available_w": self.heater_state.available_w if self.heater_state else None,
            "granted_w": want.power_w if want else None,
            "why": in_words(house, want.limit) if want else None,
        }

    async def async_release_heat(self) -> None:
        """Ask for nothing any more."""
        await self.coordinator.house.heating.async_release_heat(self.key)
