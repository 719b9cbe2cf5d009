"""Sensors: what the house, its rigs, heaters and devices measure and say (sensor_tables.py).

A value is written when it is worth a recorder row (calm.py); availability is written at once.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from . import sensor_tables as tables
from .calm import Damper
from .coordinator import DeviceCoordinator, RigCoordinator
from .energy import Accumulator, Daily, Remainder
from .entity import (
    DeviceEntity,
    HashcenterEntity,
    HeaterEntity,
    HouseEntity,
    Makers,
    RigEntity,
    async_follow,
    heater_owner,
    rig_owner,
    unique_id,
)
from .house import HashcenterConfigEntry, House
from .sensor_tables import SensorDescription, Value
from .wire.messages import Device, Heater

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the house's sensors, and those of its rigs as they come and go."""
    house = entry.runtime_data
    async_add_entities([HouseSensor(house, description) for description in tables.HOUSE])
    async_add_entities(
        [
            HouseEnergy(house, tables.HOUSE_ENERGY),
            HouseEnergyToday(house, tables.HOUSE_ENERGY_TODAY),
            HouseProblems(house),
        ]
    )
    for rig in house.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the sensors that the rig's inventory calls for."""
    if (inventory := rig.data.inventory) is None:
        return {}
    makers: dict[str, Callable[[], HashcenterEntity[Any]]] = {}
    for description in tables.RIG:
        if description.exists_fn(inventory):
            maker = partial(RigSensor, rig, description)
            makers[unique_id(rig_owner(rig), description.key)] = maker
    other = tables.RIG_OTHER_ENERGY
    makers[unique_id(rig_owner(rig), other.key)] = partial(OtherEnergy, rig, other)
    for heater in inventory.heaters:
        owner = heater_owner(rig, heater)
        for description in tables.HEATER:
            makers[unique_id(owner, description.key)] = partial(
                HeaterSensor, rig, heater, description
            )
        if rig.data.allows_control:
            makers[unique_id(owner, tables.HEAT_REQUEST_UNTIL.key)] = partial(
                HeatRequestUntil, rig, heater
            )
    for uid in rig.house.devices.owned(rig.data):
        if (device := rig.data.described(uid)) is not None:
            for description in _of_device(device):
                makers[unique_id(uid, description.key)] = partial(
                    DeviceSensor, rig, device, description
                )
    return makers


def _of_device(device: Device) -> list[SensorDescription]:
    readings = device.capabilities.readings
    return [*tables.DEVICE, *(one for one in tables.DEVICE_READINGS if one.key in readings)]


class CalmSensor[CoordinatorT: DataUpdateCoordinator[Any]](
    HashcenterEntity[CoordinatorT], SensorEntity
):
    """A sensor that is written when its value is worth it."""

    entity_description: SensorDescription
    _was_available: bool | None = None

    def __init__(self, *args: Any) -> None:
        """Take the owner and the description, as the entity base asks for."""
        super().__init__(*args)
        self._damper = Damper(self.entity_description.calm)

    def read(self) -> Value:
        """Return the value now; asked only while the entity is available."""
        raise NotImplementedError

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
        """Take the value over if it is worth it; return whether anything is to be written."""
        available = self.available
        value = self._rounded(self.read()) if available else None
        worth = self._damper.passes(value, time.monotonic())
        if worth:
            self._attr_native_value = value
        changed = available != self._was_available
        self._was_available = available
        return worth or changed

    def _rounded(self, value: Value) -> Value:
        precision = self.entity_description.suggested_display_precision
        return round(value, precision) if isinstance(value, float) else value


class HouseSensor(CalmSensor[House], HouseEntity):
    """A sensor of the house."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.coordinator.data)


class RigSensor(CalmSensor[RigCoordinator], RigEntity):
    """A sensor of a rig."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.coordinator.data.live)


class HeaterSensor(CalmSensor[RigCoordinator], HeaterEntity):
    """A sensor of a heater."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.heater_state)


class DeviceSensor(CalmSensor[DeviceCoordinator], DeviceEntity):
    """A sensor of a device."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.device_state)


class HeatRequestUntil(HeaterSensor):
    """When the heat request of a heater is over."""

    def __init__(self, rig: RigCoordinator, heater: Heater) -> None:
        """Belong to the heater."""
        super().__init__(rig, heater, tables.HEAT_REQUEST_UNTIL)

    @override
    def read(self) -> Value:
        request = self.coordinator.house.heating.request(self.key)
        return datetime.fromtimestamp(round(request.until), UTC) if request else None


class HouseProblems(HouseSensor):
    """What is wrong, since when, in words; the list is in an attribute that is not recorded."""

    _unrecorded_attributes = frozenset({"problems"})

    def __init__(self, house: House) -> None:
        """Belong to the house."""
        super().__init__(house, tables.HOUSE_PROBLEMS)

    @override
    def read(self) -> Value:
        problems = self.coordinator.problems.values()
        self._attr_extra_state_attributes = {
            "problems": [
                {"text": text, "since": since.replace(microsecond=0).isoformat()}
                for text, since in problems
            ]
        }
        said = [
            f"{text} (since {dt_util.as_local(since):%b %d, %H:%M})" for text, since in problems
        ]
        return self.entity_description.value_fn("; ".join(said) or "Nothing is wrong")


class HouseEnergy(HouseSensor, RestoreEntity):
    """The house's energy: what its rigs' counters went up by, since the house was set up."""

    _sum = Accumulator()

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            self._sum = _accumulator(stored.as_dict())
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData(_to_store(self._sum))

    @override
    def read(self) -> Value:
        self._sum = self._sum.add(_rig_counters(self.coordinator))
        return self._sum.total_kwh


class HouseEnergyToday(HouseSensor, RestoreEntity):
    """The house's energy since midnight, where Home Assistant lives."""

    _today = Daily()

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._today = Daily(data["day"], _accumulator(data["sum"]))
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData({"day": self._today.day, "sum": _to_store(self._today.sum)})

    @override
    def read(self) -> Value:
        today = dt_util.now().date().isoformat()
        self._today = self._today.add(_rig_counters(self.coordinator), today)
        return self._today.sum.total_kwh


class OtherEnergy(RigSensor, RestoreEntity):
    """What a rig used beyond its GPUs and its CPU: the machine itself and its power supply."""

    _rest = Remainder()

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._rest = Remainder(
                _accumulator(data["whole"]), _accumulator(data["parts"]), data["said_kwh"]
            )
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        rest = self._rest
        return RestoredExtraData(
            {
                "whole": _to_store(rest.whole),
                "parts": _to_store(rest.parts),
                "said_kwh": rest.said_kwh,
            }
        )

    @override
    def read(self) -> Value:
        rig = self.coordinator.data
        if rig.live is not None and rig.live.energy_kwh is not None:
            parts = {
                uid: state.energy_kwh
                for uid, state in rig.devices.items()
                if state.energy_kwh is not None
            }
            devices = rig.inventory.devices if rig.inventory else ()
            complete = all(
                one.uid in parts for one in devices if "energy_kwh" in one.capabilities.readings
            )
            self._rest = self._rest.add(rig.live.energy_kwh, parts, complete=complete)
        return self._rest.said_kwh if self._rest.whole.counters else None


def _rig_counters(house: House) -> dict[str, float]:
    return {
        rig.rig_id: rig.data.live.energy_kwh
        for rig in house.rigs.values()
        if rig.data.live and rig.data.live.energy_kwh is not None
    }


def _to_store(sum_: Accumulator) -> dict[str, Any]:
    return {"total_kwh": sum_.total_kwh, "counters": dict(sum_.counters)}


def _accumulator(stored: dict[str, Any]) -> Accumulator:
    return Accumulator(stored["total_kwh"], MappingProxyType(stored["counters"]))
