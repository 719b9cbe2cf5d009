"""Every sensor in tables: of the house, of a rig, of a heater, of a device.

A key is the wire's field and the sensor's translation. What is measured says how calm it is
(calm.py); noisy details are there for whoever turns them on.
"""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    EntityCategory,
    UnitOfFrequency,
    UnitOfInformation,
    UnitOfRatio,
    UnitOfTemperature,
    UnitOfTime,
)

from .calm import Calm
from .sensor_kinds import (
    COUNTER,
    SensorDescription,
    Value,
    energy,
    enumerated,
    measured,
    power,
)
from .wire.messages import Inventory, RigState
from .wire.values import Activity, Effect, Throttle
from .wording import short


def hashes(inventory: Inventory) -> bool:
    """Return whether anything of the rig can hash."""
    return any(heater.can_hash for heater in inventory.heaters)


def answers(inventory: Inventory) -> bool:
    """Return whether anything of the rig can answer questions."""
    return bool(inventory.runners) or any(heater.can_answer for heater in inventory.heaters)


def _temperature(key: str, **rest: Any) -> SensorDescription:
    unit, device_class = UnitOfTemperature.CELSIUS, SensorDeviceClass.TEMPERATURE
    return measured(key, unit, device_class, calm=Calm(deadband=2.0), **rest)


def _percent(key: str, deadband: float, **rest: Any) -> SensorDescription:
    return measured(key, UnitOfRatio.PERCENTAGE, calm=Calm(deadband=deadband), **rest)


def _clock(key: str) -> SensorDescription:
    unit, device_class = UnitOfFrequency.MEGAHERTZ, SensorDeviceClass.FREQUENCY
    return measured(key, unit, device_class, detail=True, calm=Calm(deadband=50.0, share=0.1))


def _seconds_to_first_token(value_fn: Callable[[Any], Value], **rest: Any) -> SensorDescription:
    return measured(
        "first_token_s",
        UnitOfTime.SECONDS,
        SensorDeviceClass.DURATION,
        precision=1,
        calm=Calm(deadband=0.3, share=0.2),
        value_fn=value_fn,
        **rest,
    )


def _hash_rate(**rest: Any) -> SensorDescription:
    return measured("hash_rate_mhs", "MH/s", precision=2, calm=Calm(share=0.1), **rest)


def _of_inference(key: str) -> Callable[[RigState], Value]:
    return lambda state: getattr(state.inference, key) if state.inference else None


HOUSE: Final = (
    power("power_w"),
    power("hashing_w"),
    power("answering_w"),
    power("idle_w"),
    measured("tokens_per_s", "tokens/s", precision=1, calm=Calm(deadband=1.0, share=0.1)),
    measured("tokens_per_joule", "tokens/J", precision=3, calm=Calm(deadband=0.002, share=0.1)),
    _seconds_to_first_token(attrgetter("first_token_s")),
    SensorDescription(key="why", calm=Calm(), value_fn=lambda summary: short(summary.why)),
)

#: These add up counters instead of showing one (sensor.py).
HOUSE_ENERGY: Final = energy("energy_kwh")
#: Small and looked at: it moves every minute, where the counters move every third.
HOUSE_ENERGY_TODAY: Final = replace(
    energy("energy_today_kwh"), calm=Calm(deadband=float("inf"), drift_s=60.0)
)
RIG_OTHER_ENERGY: Final = energy("other_energy_kwh")

HOUSE_PROBLEMS: Final = SensorDescription(key="problems", calm=Calm(), value_fn=short)

RIG: Final = (
    power("power_w"),
    energy("energy_kwh"),
    enumerated("activity", Activity),
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
        calm=COUNTER,
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
    power("available_w"),
    enumerated("effect", Effect),
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
    enumerated("activity", Activity),
    power("target_w", detail=True),
)

DEVICE_READINGS: Final = (
    power("power_w"),
    power("power_limit_w", entity_category=EntityCategory.DIAGNOSTIC),
    energy("energy_kwh"),
    _temperature("temp_c"),
    _temperature("memory_temp_c", detail=True),
    _percent("fan_percent", 5.0, detail=True),
    _percent("utilization_percent", 15.0),
    measured(
        "memory_used_mib",
        UnitOfInformation.MEBIBYTES,
        SensorDeviceClass.DATA_SIZE,
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(deadband=256.0),
    ),
    measured(
        "memory_total_mib", UnitOfInformation.MEBIBYTES, SensorDeviceClass.DATA_SIZE, detail=True
    ),
    _clock("clock_mhz"),
    _clock("memory_clock_mhz"),
    enumerated("throttle", Throttle, calm=Calm(), entity_category=EntityCategory.DIAGNOSTIC),
    measured("foreign_processes", None, detail=True, calm=Calm()),
    _hash_rate(),
)
