"""Yes or no of rooms and circuits: what their owner has to know, with the reason in words.

A reason is an attribute that is not recorded, and changes with the state or calmly (wording.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import callback

from ..control.seen import RoomSeen
from ..control.wanted import CircuitWanted, Limit, RoomWanted
from ..heat.plan import CircuitPlan, RoomPlan
from ..house import House
from .part_entity import CircuitEntity, RoomEntity, in_words
from .wording import Wording

ATTR_REASON: Final = "reason"


@dataclass(frozen=True, kw_only=True)
class RoomBinaryDescription(BinarySensorEntityDescription):
    """A yes or no about a room, for rooms where `exists_fn` holds."""

    is_on_fn: Callable[[RoomSeen, RoomWanted], bool]
    reason_fn: Callable[[RoomWanted], Limit | None] | None = None
    exists_fn: Callable[[RoomPlan], bool] = lambda _: True


@dataclass(frozen=True, kw_only=True)
class CircuitBinaryDescription(BinarySensorEntityDescription):
    """A yes or no about a circuit."""

    is_on_fn: Callable[[CircuitWanted], bool]
    reason_fn: Callable[[CircuitWanted], Limit | None] | None = None


ROOM: Final = (
    RoomBinaryDescription(
        key="needs_backup",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda _, wanted: wanted.needs_backup,
        reason_fn=lambda wanted: wanted.backup_why,
    ),
    RoomBinaryDescription(
        key="thermometer_silent",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda _, wanted: wanted.thermometer_stale,
    ),
    RoomBinaryDescription(
        key="window_open",
        device_class=BinarySensorDeviceClass.WINDOW,
        is_on_fn=lambda seen, _: seen.windows_open,
        exists_fn=lambda room: bool(room.windows),
    ),
)

CIRCUIT: Final = (
    CircuitBinaryDescription(
        key="circuit_problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        is_on_fn=lambda wanted: wanted.problem is not None,
        reason_fn=lambda wanted: wanted.problem,
    ),
    CircuitBinaryDescription(key="limits_heating", is_on_fn=lambda wanted: wanted.binds),
)


def room_binary_sensors(house: House, room: RoomPlan) -> list[BinarySensorEntity]:
    """Return the binary sensors of a room."""
    return [RoomBinarySensor(house, room, one) for one in ROOM if one.exists_fn(room)]


def circuit_binary_sensors(house: House, circuit: CircuitPlan) -> list[BinarySensorEntity]:
    """Return the binary sensors of a circuit."""
    return [CircuitBinarySensor(house, circuit, one) for one in CIRCUIT]


class _Said(BinarySensorEntity):
    """A yes or no that is written when it, or its reason, is another one."""

    _unrecorded_attributes = frozenset({ATTR_REASON})
    _wording: Wording[Limit] | None = None
    _shown: tuple[bool | None, str | None] | None = None

    def judge(self) -> tuple[bool | None, Limit | None]:
        """Return yes or no (None: unknown) and the reason."""
        raise NotImplementedError

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._take()

    @callback
    def _handle_coordinator_update(self) -> None:
        if self._take():
            self.async_write_ha_state()

    def _take(self) -> bool:
        is_on, limit = self.judge()
        reason = self._wording.say(limit, time.monotonic()) if self._wording else None
        news = self._shown != (is_on, reason)
        self._shown = is_on, reason
        self._attr_is_on = is_on
        if self._wording:
            self._attr_extra_state_attributes = {ATTR_REASON: reason}
        return news


class RoomBinarySensor(_Said, RoomEntity):
    """A yes or no about a room; unknown before the first decision."""

    entity_description: RoomBinaryDescription

    def __init__(self, house: House, room: RoomPlan, description: RoomBinaryDescription) -> None:
        """Belong to the room."""
        super().__init__(house, room, description)
        if description.reason_fn:
            self._wording = Wording(partial(in_words, house))

    @override
    def judge(self) -> tuple[bool | None, Limit | None]:
        seen, wanted, of = self.seen, self.wanted, self.entity_description
        if seen is None or wanted is None:
            return None, None
        return of.is_on_fn(seen, wanted), of.reason_fn(wanted) if of.reason_fn else None


class CircuitBinarySensor(_Said, CircuitEntity):
    """A yes or no about a circuit; unknown before the first decision."""

    entity_description: CircuitBinaryDescription

    def __init__(
        self, house: House, circuit: CircuitPlan, description: CircuitBinaryDescription
    ) -> None:
        """Belong to the circuit."""
        super().__init__(house, circuit, description)
        if description.reason_fn:
            self._wording = Wording(partial(in_words, house))

    @override
    def judge(self) -> tuple[bool | None, Limit | None]:
        wanted, of = self.wanted, self.entity_description
        if wanted is None:
            return None, None
        return of.is_on_fn(wanted), of.reason_fn(wanted) if of.reason_fn else None
