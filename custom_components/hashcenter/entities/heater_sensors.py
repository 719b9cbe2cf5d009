"""A heater's sensors of what the house plans with it: watts, the limit that binds, its price."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, override

from homeassistant.const import UnitOfEnergy

from ..control.wanted import HeaterWanted, HouseWanted, LimitCode
from ..coordinator import RigCoordinator
from ..entity import HeaterEntity
from ..wire.messages import Heater
from .calm import Calm
from .calm_sensor import CalmSensor
from .part_entity import in_words
from .sensor_kinds import SensorDescription, Value, enumerated, measured, power
from .wording import Wording

PRICE: Final = Calm(deadband=0.002, share=0.03)

#: These show what is planned with the heater; they exist where control is allowed.
PLANNED: Final = (
    power("planned_w", value_fn=lambda heater: heater.power_w),
    enumerated("limit", LimitCode, lambda heater: heater.limit.code),
)
LIMIT: Final = SensorDescription(key="limit_sentence", value_fn=lambda text: text)
_NET_PRICE: Final = "net_price_per_kwh"


def price(
    key: str, currency: str, value_fn: Callable[[Any], Value] | None = None
) -> SensorDescription:
    """Describe a price of a kWh."""
    unit = f"{currency}/{UnitOfEnergy.KILO_WATT_HOUR}"
    return measured(key, unit, precision=3, calm=PRICE, value_fn=value_fn)


def heater_sensors(rig: RigCoordinator, heater: Heater) -> dict[str, Callable[[], HeaterEntity]]:
    """Return makers of a heater's sensors by their keys."""
    makers: dict[str, Callable[[], HeaterEntity]] = {}
    if rig.data.allows_control:
        makers |= {one.key: partial(PlannedSensor, rig, heater, one) for one in PLANNED}
        makers[LIMIT.key] = partial(HeaterLimit, rig, heater)
    if rig.house.plan.money.has_price:
        description = price(_NET_PRICE, rig.hass.config.currency)
        makers[_NET_PRICE] = partial(HeaterPrice, rig, heater, description)
    return makers


class DecidedSensor(CalmSensor[RigCoordinator], HeaterEntity):
    """A sensor of what the house decided on a heater; unknown before the first decision."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        # A decision may come between two heartbeats of the rig, or just after one.
        house = self.coordinator.house
        self.async_on_remove(house.async_add_decision_listener(self._handle_coordinator_update))

    @property
    def decided(self) -> HouseWanted | None:
        """What the house decided last."""
        return self.coordinator.house.heating.wanted


class PlannedSensor(DecidedSensor):
    """What the house plans with a heater."""

    @property
    def wanted(self) -> HeaterWanted | None:
        """What the rules said of the heater last."""
        return self.decided.heaters.get(self.key) if self.decided else None

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.wanted) if self.wanted else None


class HeaterLimit(PlannedSensor):
    """What limits a heater, in words."""

    def __init__(self, rig: RigCoordinator, heater: Heater) -> None:
        """Belong to the heater."""
        super().__init__(rig, heater, LIMIT)
        self._wording = Wording(partial(in_words, rig.house))

    @override
    def read(self) -> Value:
        return self._wording.say(self.wanted.limit if self.wanted else None, time.monotonic())


class HeaterPrice(DecidedSensor):
    """What a kWh of heat from the heater costs, net of what its work earns."""

    @override
    def read(self) -> Value:
        found = self.decided.money.heaters.get(self.key) if self.decided else None
        return found.net_per_kwh if found else None
