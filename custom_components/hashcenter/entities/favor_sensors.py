"""Which workload goes first on a heater's watts now, and why: a person's word or a policy's."""

import time
from functools import partial
from typing import Final, override

from homeassistant.components.sensor import SensorEntity

from ..control.explain import tilt_sentence
from ..control.tilt import TiltReason
from ..house import House
from ..wire.values import Favor
from .calm_sensor import HouseSensor
from .part_entity import speaks_fahrenheit
from .sensor_kinds import SensorDescription, Value, enumerated
from .wording import Wording

FAVOR: Final = enumerated("favor_in_force", Favor, lambda heating: heating.favor)
REASON: Final = SensorDescription(key="favor_reason", value_fn=lambda text: text)


def favor_sensors(house: House) -> list[SensorEntity]:
    """Return the sensors of what is favored."""
    return [FavorInForce(house, FAVOR), FavorReason(house)]


class FavorInForce(HouseSensor):
    """What is favored now, whoever decided it."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.coordinator.heating)


class FavorReason(HouseSensor):
    """Why it is favored, in words."""

    def __init__(self, house: House) -> None:
        """Belong to the house."""
        super().__init__(house, REASON)
        self._wording = Wording[TiltReason](
            partial(tilt_sentence, fahrenheit=speaks_fahrenheit(house))
        )

    @override
    def read(self) -> Value:
        return self._wording.say(self.coordinator.heating.deciding.tilting.reason, time.monotonic())
