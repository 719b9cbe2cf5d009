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
    REVOLUTIONS_PER_MINUTE,
    EntityCategory,
    UnitOfFrequency,
    UnitOfInformation,
    UnitOfRatio,
    UnitOfTemperature,
    UnitOfTime,
)

from ..wire.messages import Inventory, RigState
from ..wire.values import Activity, DeviceKind, Effect, Throttle
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


def _hash_rate(key: str = "hash_rate_mhs", **rest: Any) -> SensorDescription:
    return measured(key, "MH/s", precision=2, calm=Calm(share=0.1), **rest)


def _hash_rate_of_asics(key: str = "hash_rate_mhs", **rest: Any) -> SensorDescription:
    """Describe a hash rate that is a million times a GPU's."""
    get = attrgetter(key)

    def value_fn(source: Any) -> Value:
        rate_mhs = get(source)
        return None if rate_mhs is None else rate_mhs / 1e6

    return measured(key, "TH/s", precision=2, calm=Calm(share=0.1), value_fn=value_fn, **rest)


def _shares(key: str, **rest: Any) -> SensorDescription:
    return SensorDescription(
        key=key,
        state_class=SensorStateClass.TOTAL_INCREASING,
        calm=COUNTER,
        value_fn=attrgetter(key),
        **rest,
    )


def has_asics(inventory: Inventory) -> bool:
    """Return whether any device of the rig is an ASIC."""
    return any(device.kind == DeviceKind.ASIC for device in inventory.devices)


def _of_inference(key: str) -> Callable[[RigState], Value]:
    return lambda state: getattr(state.inference, key) if state.inference else None


def _cached_percent(state: RigState) -> Value:
    share = state.inference.cached_share if state.inference else None
    return None if share is None else 100 * share


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
    measured(
        "cached_share",
        UnitOfRatio.PERCENTAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(deadband=5.0),
        value_fn=_cached_percent,
        exists_fn=answers,
    ),
    energy(
        "energy_given_up_kwh",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_of_inference("energy_given_up_kwh"),
        exists_fn=lambda inventory: answers(inventory) and hashes(inventory),
    ),
    _hash_rate(exists_fn=lambda inventory: hashes(inventory) and not has_asics(inventory)),
    _hash_rate_of_asics(exists_fn=lambda inventory: hashes(inventory) and has_asics(inventory)),
    _shares("shares_accepted_total", exists_fn=hashes),
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

#: Of a heater that wears with every start.
STARTS_LEFT: Final = measured(
    "starts_left", None, entity_category=EntityCategory.DIAGNOSTIC, calm=Calm()
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

#: These exist for an ASIC, in its own units.
ASIC_READINGS: Final = (
    power("power_w"),
    power("reported_power_w", entity_category=EntityCategory.DIAGNOSTIC),
    power("power_limit_w", entity_category=EntityCategory.DIAGNOSTIC),
    _percent("power_percent", 1.0, entity_category=EntityCategory.DIAGNOSTIC),
    SensorDescription(
        key="step",
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(),
        value_fn=attrgetter("step"),
    ),
    energy("energy_kwh"),
    _temperature("temp_c"),
    _temperature("chip_temp_c"),
    _temperature("regulator_temp_c", detail=True),
    _temperature("inlet_temp_c"),
    _temperature("outlet_temp_c"),
    measured(
        "fan_rpm",
        REVOLUTIONS_PER_MINUTE,
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(deadband=200.0, share=0.1),
    ),
    _percent("fan_percent", 5.0, detail=True),
    _clock("clock_mhz"),
    _hash_rate_of_asics(),
    _hash_rate_of_asics("expected_hash_rate_mhs", detail=True),
    measured("joules_per_terahash", "J/TH", precision=1, calm=Calm(deadband=0.5, share=0.05)),
    _shares("shares_accepted_total"),
    _shares("shares_rejected_total", entity_category=EntityCategory.DIAGNOSTIC),
    SensorDescription(
        key="best_share",
        entity_category=EntityCategory.DIAGNOSTIC,
        suggested_display_precision=0,
        calm=Calm(),
        value_fn=attrgetter("best_share"),
    ),
    SensorDescription(
        key="pool",
        entity_category=EntityCategory.DIAGNOSTIC,
        calm=Calm(),
        value_fn=lambda device: short(device.pool) if device.pool else None,
    ),
    measured(
        "uptime_s",
        UnitOfTime.SECONDS,
        SensorDeviceClass.DURATION,
        detail=True,
        calm=Calm(deadband=float("inf"), drift_s=3600.0),
    ),
)
