"""Every sensor in tables: of the house, of a rig, of a heater, of a device.

A key is the wire's field and the sensor's translation. What is measured says how calm it is
(calm.py); noisy details are there for whoever turns them on.
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
from homeassistant.const import (
    EntityCategory,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfInformation,
    UnitOfPower,
    UnitOfRatio,
    UnitOfTemperature,
    UnitOfTime,
)
from homeassistant.helpers.typing import StateType

from .calm import Calm
from .wire.messages import Inventory, RigState
from .wire.values import Activity, Effect, Throttle

type Value = StateType | datetime

_POWER: Final = Calm(deadband=8.0, share=0.05, drift_s=300.0)
#: Only time lets a counter through.
_COUNTER: Final = Calm(deadband=float("inf"), drift_s=300.0)


@dataclass(frozen=True, kw_only=True)
class SensorDescription(SensorEntityDescription):
    """A sensor that shows `value_fn` of what its owner says.

    `exists_fn` says of a rig's sensor whether it makes sense for such an inventory. Without `calm`
    every change is written.
    """

    value_fn: Callable[[Any], Value]
    exists_fn: Callable[[Inventory], bool] = lambda _: True
    calm: Calm | None = None


def hashes(inventory: Inventory) -> bool:
    """Return whether anything of the rig can hash."""
    return any(heater.can_hash for heater in inventory.heaters)


def answers(inventory: Inventory) -> bool:
    """Return whether anything of the rig can answer questions."""
    return bool(inventory.runners) or any(heater.can_answer for heater in inventory.heaters)


def short(text: str) -> str:
    """Return text that fits into a state."""
    return text if len(text) <= 255 else f"{text[:254]}…"


def _measured(
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


def _power(key: str, **rest: Any) -> SensorDescription:
    return _measured(key, UnitOfPower.WATT, SensorDeviceClass.POWER, calm=_POWER, **rest)


def _energy(key: str) -> SensorDescription:
    return SensorDescription(
        key=key,
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=3,
        calm=_COUNTER,
        value_fn=attrgetter(key),
    )


def _temperature(key: str, **rest: Any) -> SensorDescription:
    unit, device_class = UnitOfTemperature.CELSIUS, SensorDeviceClass.TEMPERATURE
    return _measured(key, unit, device_class, calm=Calm(deadband=2.0), **rest)


def _percent(key: str, deadband: float, **rest: Any) -> SensorDescription:
    return _measured(key, UnitOfRatio.PERCENTAGE, calm=Calm(deadband=deadband), **rest)


def _clock(key: str) -> SensorDescription:
    unit, device_class = UnitOfFrequency.MEGAHERTZ, SensorDeviceClass.FREQUENCY
    return _measured(key, unit, device_class, detail=True, calm=Calm(deadband=50.0, share=0.1))


def _seconds_to_first_token(value_fn: Callable[[Any], Value], **rest: Any) -> SensorDescription:
    return _measured(
        "first_token_s",
        UnitOfTime.SECONDS,
        SensorDeviceClass.DURATION,
        precision=1,
        calm=Calm(deadband=0.3, share=0.2),
        value_fn=value_fn,
        **rest,
    )


def _hash_rate(**rest: Any) -> SensorDescription:
    return _measured("hash_rate_mhs", "MH/s", precision=2, calm=Calm(share=0.1), **rest)


def _enum(key: str, values: type[StrEnum], **rest: Any) -> SensorDescription:
    """Describe an enum. What a newer bridge says and we do not know is shown as unknown."""
    get, known = attrgetter(key), frozenset(values)

    def value_fn(source: Any) -> str | None:
        value: str | None = get(source)
        return value if value in known else None

    return SensorDescription(
        key=key,
        device_class=SensorDeviceClass.ENUM,
        options=list(values),
        value_fn=value_fn,
        **rest,
    )


def _of_inference(key: str) -> Callable[[RigState], Value]:
    return lambda state: getattr(state.inference, key) if state.inference else None


HOUSE: Final = (
    _power("power_w"),
    _power("hashing_w"),
    _power("answering_w"),
    _power("idle_w"),
    _measured("tokens_per_s", "tokens/s", precision=1, calm=Calm(deadband=1.0, share=0.1)),
    _measured("tokens_per_joule", "tokens/J", precision=3, calm=Calm(deadband=0.002, share=0.1)),
    _seconds_to_first_token(attrgetter("first_token_s")),
    SensorDescription(key="why", calm=Calm(), value_fn=lambda summary: short(summary.why)),
)

#: These add up counters instead of showing one (sensor.py).
HOUSE_ENERGY: Final = _energy("energy_kwh")
HOUSE_ENERGY_TODAY: Final = _energy("energy_today_kwh")
RIG_OTHER_ENERGY: Final = _energy("other_energy_kwh")

HOUSE_PROBLEMS: Final = SensorDescription(key="problems", calm=Calm(), value_fn=short)

RIG: Final = (
    _power("power_w"),
    _energy("energy_kwh"),
    _enum("activity", Activity),
    _seconds_to_first_token(_of_inference("first_token_s"), exists_fn=answers),
    SensorDescription(key="model", value_fn=_of_inference("model"), exists_fn=answers),
    SensorDescription(
        key="waiting",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(),
        value_fn=_of_inference("waiting"),
        exists_fn=answers,
    ),
    _hash_rate(exists_fn=hashes),
    SensorDescription(
        key="shares_accepted_total",
        state_class=SensorStateClass.TOTAL_INCREASING,
        calm=_COUNTER,
        value_fn=attrgetter("shares_accepted_total"),
        exists_fn=hashes,
    ),
    SensorDescription(
        key="faults",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda state: len(state.faults),
    ),
)

HEATER: Final = (
    _power("available_w"),
    _enum("effect", Effect),
    SensorDescription(
        key="reason", calm=Calm(), value_fn=lambda heater: short(heater.reason) or None
    ),
    SensorDescription(
        key="lease_remaining_s",
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        calm=Calm(deadband=30.0),
        value_fn=lambda heater: heater.lease.remaining_s if heater.lease else None,
    ),
)

HEAT_REQUEST_UNTIL: Final = SensorDescription(
    key="heat_request_until",
    device_class=SensorDeviceClass.TIMESTAMP,
    value_fn=lambda until: until,
)

#: These exist for every device; those below only where `capabilities.readings` names them.
DEVICE: Final = (
    _enum("activity", Activity),
    _power("target_w", detail=True),
)

DEVICE_READINGS: Final = (
    _power("power_w"),
    _power("power_limit_w", entity_category=EntityCategory.DIAGNOSTIC),
    _energy("energy_kwh"),
    _temperature("temp_c"),
    _temperature("memory_temp_c", detail=True),
    _percent("fan_percent", 5.0, detail=True),
    _percent("utilization_percent", 15.0),
    _measured(
        "memory_used_mib",
        UnitOfInformation.MEBIBYTES,
        SensorDeviceClass.DATA_SIZE,
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(deadband=256.0),
    ),
    _measured(
        "memory_total_mib", UnitOfInformation.MEBIBYTES, SensorDeviceClass.DATA_SIZE, detail=True
    ),
    _clock("clock_mhz"),
    _clock("memory_clock_mhz"),
    _enum("throttle", Throttle, calm=Calm(), entity_category=EntityCategory.DIAGNOSTIC),
    _measured("foreign_processes", None, detail=True, calm=Calm()),
    _hash_rate(),
)
