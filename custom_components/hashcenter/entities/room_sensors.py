"""A room's sensors: what it needs, what it gets, what it loses, and what limits it."""

import time
from functools import partial
from typing import Final, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.const import EntityCategory

from ..control.wanted import LimitCode
from ..heat.plan import RoomPlan
from ..house import House
from .calm import Calm
from .calm_sensor import CalmSensor
from .part_entity import RoomEntity, in_words
from .sensor_kinds import SensorDescription, Value, enumerated, measured, power
from .wording import Wording

#: A room takes hours: what it needs and gets is news in larger steps than a device's watts.
_WATTS: Final = Calm(deadband=25.0, share=0.1, drift_s=600.0)

ROOM: Final = (
    power("demand_w", calm=_WATTS),
    power("planned_w", calm=_WATTS, detail=True),
    measured(
        "heat_loss_w_per_k",
        "W/K",
        calm=Calm(deadband=2.0, share=0.02, drift_s=3_600.0),
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    enumerated("limit", LimitCode, lambda room: room.limit.code),
)
DELIVERED: Final = power("delivered_w", calm=_WATTS)
ROOM_LIMIT: Final = SensorDescription(key="limit_sentence", value_fn=lambda text: text)


def room_sensors(house: House, room: RoomPlan) -> list[SensorEntity]:
    """Return the sensors of a room."""
    return [
        *(RoomSensor(house, room, one) for one in ROOM),
        HeatDelivered(house, room, DELIVERED),
        RoomLimit(house, room),
    ]


class RoomSensor(CalmSensor[House], RoomEntity):
    """A sensor of a room; unknown before the first decision."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.wanted) if self.wanted else None


class HeatDelivered(RoomSensor):
    """The heat that a room gets; unknown, not 0, while none of its heaters is heard."""

    @override
    def read(self) -> Value:
        seen = self.coordinator.heating.seen
        mine = [
            one
            for one in (seen.heaters if seen else ())
            if self.room.id in (one.room, *one.also_rooms)
        ]
        if mine and all(one.power_w is None and one.mean_w is None for one in mine):
            return None
        return super().read()


class RoomLimit(RoomSensor):
    """What limits a room, in words."""

    def __init__(self, house: House, room: RoomPlan) -> None:
        """Belong to the room."""
        super().__init__(house, room, ROOM_LIMIT)
        self._wording = Wording(partial(in_words, house))

    @override
    def read(self) -> Value:
        return self._wording.say(self.wanted.limit if self.wanted else None, time.monotonic())
