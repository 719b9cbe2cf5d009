"""How sensors are described: what they show, how calm they are (calm.py), in which unit.

The tables of sensors (sensor_tables.py and those of rooms, circuits and money) are written with
these. A key is the wire's field, where it is one, and the sensor's translation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfEnergy, UnitOfPower
from homeassistant.helpers.typing import StateType

from ..wire.messages import Inventory
from .calm import Calm

type Value = StateType | datetime

POWER: Final = Calm(deadband=8.0, share=0.05, drift_s=300.0)
#: Only time lets a counter through.
COUNTER: Final = Calm(deadband=float("inf"), drift_s=300.0)


@dataclass(frozen=True, kw_only=True)
class SensorDescription(SensorEntityDescription):
    """A sensor that shows `value_fn` of what its owner says.

    `exists_fn` says of a rig's sensor whether it makes sense for such an inventory. Without `calm`
    every change is written.
    """

    value_fn: Callable[[Any], Value]
    exists_fn: Callable[[Inventory], bool] = lambda _: True
    calm: Calm | None = None


def measured(
    key: str,
    unit: str | None,
    device_class: SensorDeviceClass | None = None,
    *,
    precision: int = 0,
    detail: bool = False,
    value_fn: Callable[[Any], Value] | None = None,
    **rest: Any,
) -> SensorDescription:
    """Describe a measured value; a `detail` is a diagnostic that is off until turned on."""
    if detail:
        rest |= {
            "entity_category": EntityCategory.DIAGNOSTIC,
            "entity_registry_enabled_default": False,
        }
    return SensorDescription(
        key=key,
        device_class=device_class,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=unit,
        suggested_display_precision=precision,
        value_fn=value_fn or attrgetter(key),
        **rest,
    )


def power(key: str, **rest: Any) -> SensorDescription:
    """Describe watts."""
    return measured(key, UnitOfPower.WATT, SensorDeviceClass.POWER, **{"calm": POWER, **rest})


def energy(key: str, **rest: Any) -> SensorDescription:
    """Describe a counter of kWh; what only grows may begin anew at 0."""
    return SensorDescription(
        key=key,
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=3,
        **{"calm": COUNTER, "value_fn": attrgetter(key), **rest},
    )


def enumerated(
    key: str,
    values: type[StrEnum],
    get: Callable[[Any], str | None] | None = None,
    **rest: Any,
) -> SensorDescription:
    """Describe an enum. What a newer bridge says and we do not know is shown as unknown."""
    get, known = get or attrgetter(key), frozenset(values)

    def value_fn(source: Any) -> str | None:
        value = get(source)
        return value if value in known else None

    return SensorDescription(
        key=key,
        device_class=SensorDeviceClass.ENUM,
        options=list(values),
        value_fn=value_fn,
        **rest,
    )
