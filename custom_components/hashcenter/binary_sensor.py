"""Binary sensors: can it answer, is something wrong, is the rig there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import RigCoordinator
from .entities.part_binary_sensors import circuit_binary_sensors, room_binary_sensors
from .entities.sensor_tables import answers
from .entity import (
    DeviceEntity,
    HashcenterEntity,
    HouseEntity,
    Makers,
    RigEntity,
    async_add_exactly,
    async_follow,
    rig_owner,
    unique_id,
)
from .house import HashcenterConfigEntry, House
from .rigs.rig import Rig
from .wire.messages import DeviceState, VoiceProgram

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class HouseBinaryDescription(BinarySensorEntityDescription):
    """A yes or no about the house, for houses where `exists_fn` holds."""

    is_on_fn: Callable[[House], bool | None]
    exists_fn: Callable[[House], bool] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class RigBinaryDescription(BinarySensorEntityDescription):
    """A yes or no about a rig, for rigs where `exists_fn` holds."""

    is_on_fn: Callable[[Rig], bool | None]
    exists_fn: Callable[[Rig], bool] = lambda _: True
    always_available: bool = False


@dataclass(frozen=True, kw_only=True)
class DeviceBinaryDescription(BinarySensorEntityDescription):
    """A yes or no about a device, for those whose readings name it."""

    is_on_fn: Callable[[DeviceState], bool | None]


def _needs_backup(house: House) -> bool | None:
    wanted = house.heating.wanted
    return any(room.needs_backup for room in wanted.rooms.values()) if wanted else None


def _cheaper(house: House) -> bool | None:
    wanted = house.heating.wanted
    return wanted.money.house.cheaper if wanted else None


HOUSE: Final = (
    HouseBinaryDescription(
        key="inference_available", is_on_fn=lambda house: house.data.inference_available
    ),
    HouseBinaryDescription(
        key="problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda house: bool(house.problems),
    ),
    HouseBinaryDescription(
        key="needs_backup",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=_needs_backup,
        exists_fn=lambda house: bool(house.plan.rooms),
    ),
    HouseBinaryDescription(
        key="cheaper_than_alternative",
        is_on_fn=_cheaper,
        exists_fn=lambda house: house.plan.money.has_price and house.plan.money.has_alternative,
    ),
)

RIG: Final = (
    RigBinaryDescription(
        key="inference_available",
        is_on_fn=lambda rig: (
            rig.live.inference.available if rig.live and rig.live.inference else None
        ),
        exists_fn=lambda rig: rig.inventory is not None and answers(rig.inventory),
    ),
    RigBinaryDescription(
        key="inference_local",
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda rig: rig.live.inference.local if rig.live and rig.live.inference else None,
        exists_fn=lambda rig: rig.inventory is not None and answers(rig.inventory),
    ),
    RigBinaryDescription(
        key="connectivity",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda rig: rig.online,
        always_available=True,
    ),
)


SPEECH: Final = "speech"
POOL: Final = DeviceBinaryDescription(
    key="pool_connected",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    is_on_fn=lambda device: device.pool_connected,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the house's binary sensors, and those of its rigs as they come and go."""
    house = entry.runtime_data
    add = partial(async_add_exactly, entry, async_add_entities)
    add([HouseBinarySensor(house, one) for one in HOUSE if one.exists_fn(house)])
    for room in house.plan.rooms.values():
        add(room_binary_sensors(house, room), room.id)
    for circuit in house.plan.circuits.values():
        add(circuit_binary_sensors(house, circuit), circuit.id)
    for rig in house.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the binary sensors of the rig."""
    makers: dict[str, Callable[[], HashcenterEntity[Any]]] = {
        unique_id(rig_owner(rig), description.key): partial(RigBinarySensor, rig, description)
        for description in RIG
        if description.exists_fn(rig.data)
    }
    for name in rig.data.speech:
        makers[unique_id(rig_owner(rig), f"{SPEECH}_{name}")] = partial(SpeechProgram, rig, name)
    for uid in rig.house.devices.owned(rig.data):
        device = rig.data.described(uid)
        if device is not None and POOL.key in device.capabilities.readings:
            makers[unique_id(uid, POOL.key)] = partial(DeviceBinarySensor, rig, device, POOL)
    return makers


class HouseBinarySensor(HouseEntity, BinarySensorEntity):
    """A yes or no about the house."""

    entity_description: HouseBinaryDescription

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.coordinator)


class DeviceBinarySensor(DeviceEntity, BinarySensorEntity):
    """A yes or no about a device."""

    entity_description: DeviceBinaryDescription

    @property
    @override
    def is_on(self) -> bool | None:
        state = self.device_state
        return self.entity_description.is_on_fn(state) if state else None


class RigBinarySensor(RigEntity, BinarySensorEntity):
    """A yes or no about a rig."""

    entity_description: RigBinaryDescription

    @property
    @override
    def available(self) -> bool:
        return self.entity_description.always_available or super().available

    @property
    @override
    def is_on(self) -> bool | None:
        return self.entity_description.is_on_fn(self.coordinator.data)


class SpeechProgram(RigEntity, BinarySensorEntity):
    """Whether a program that hears or speaks (Wyoming) runs on a rig and has said what it can."""

    _unrecorded_attributes = frozenset({"can", "why"})

    def __init__(self, rig: RigCoordinator, name: str) -> None:
        """Be called as its owner calls it."""
        description = BinarySensorEntityDescription(
            key=f"{SPEECH}_{name}",
            device_class=BinarySensorDeviceClass.RUNNING,
            entity_category=EntityCategory.DIAGNOSTIC,
        )
        super().__init__(rig, description)
        self._name = name
        self._attr_translation_key = SPEECH
        self._attr_translation_placeholders = {"program": name}

    @property
    def _program(self) -> VoiceProgram | None:
        return self.coordinator.data.speech.get(self._name)

    @property
    @override
    def available(self) -> bool:
        return super().available and self._program is not None

    @property
    @override
    def is_on(self) -> bool | None:
        program = self._program
        return program.available if program else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """What it can do, and why it is or is not there."""
        program = self._program
        return {"can": list(program.can), "why": program.why} if program else {}
