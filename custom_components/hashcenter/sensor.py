"""Sensors: what the house, its rigs, heaters and devices measure and say (sensor_tables.py).

Those of rooms, circuits, money and what is planned with heaters have files of their own.
A value is written when it is worth a recorder row (calm.py); availability is written at once.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import DeviceCoordinator, RigCoordinator
from .entities import sensor_tables as tables
from .entities.calm_sensor import CalmSensor, HouseSensor, RigSensor
from .entities.circuit_sensors import circuit_sensors
from .entities.energy_sensors import HouseEnergy, HouseEnergyToday, OtherEnergy
from .entities.favor_sensors import favor_sensors
from .entities.heater_sensors import heater_sensors
from .entities.money_sensors import house_sensors
from .entities.room_sensors import room_sensors
from .entities.sats_sensor import sats_sensors
from .entities.sensor_kinds import SensorDescription, Value
from .entity import (
    DeviceEntity,
    HashcenterEntity,
    HeaterEntity,
    Makers,
    async_add_exactly,
    async_follow,
    heater_owner,
    own_heaters,
    rig_owner,
    unique_id,
)
from .house import HashcenterConfigEntry, House
from .wire.messages import Device, Heater
from .wire.values import DeviceKind

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the house's sensors, and those of its rigs as they come and go."""
    house = entry.runtime_data
    add = partial(async_add_exactly, entry, async_add_entities)
    add(
        [
            *(HouseSensor(house, description) for description in tables.HOUSE),
            HouseEnergy(house, tables.HOUSE_ENERGY),
            HouseEnergyToday(house, tables.HOUSE_ENERGY_TODAY),
            HouseProblems(house),
            *favor_sensors(house),
            *house_sensors(house),
            *sats_sensors(house, async_add_entities),
        ]
    )
    for room in house.plan.rooms.values():
        add(room_sensors(house, room), room.id)
    for circuit in house.plan.circuits.values():
        add(circuit_sensors(house, circuit), circuit.id)
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
    for heater in own_heaters(rig):
        owner = heater_owner(rig, heater)
        for description in tables.HEATER:
            makers[unique_id(owner, description.key)] = partial(
                HeaterSensor, rig, heater, description
            )
        if heater.starts_per_day is not None:
            makers[unique_id(owner, tables.STARTS_LEFT.key)] = partial(
                HeaterSensor, rig, heater, tables.STARTS_LEFT
            )
        planned = heater_sensors(rig, heater).items()
        makers |= {unique_id(owner, key): maker for key, maker in planned}
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
    known = tables.ASIC_READINGS if device.kind == DeviceKind.ASIC else tables.DEVICE_READINGS
    return [*tables.DEVICE, *(one for one in known if one.key in readings)]


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
