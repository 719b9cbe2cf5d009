"""The base of all sensors: a value is written when it is worth a recorder row (calm.py).

Availability is written at once.
"""

import time
from typing import Any, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator

from ..coordinator import RigCoordinator
from ..entity import HashcenterEntity, HouseEntity, RigEntity
from ..house import House
from .calm import Damper
from .sensor_kinds import SensorDescription, Value


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
