"""The values that messages are made of: readings, capabilities, enums.

Canonical source: bridge/src/hashcenter_bridge/wire. Units are in the names. A field's name is also
the key of its entity and of its translation. A reading that is not there is None (absent on the
wire), with its reason in `missing`; it is never 0.
"""

from enum import StrEnum
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field

from .codec import WireModel

EnumT = TypeVar("EnumT", bound=StrEnum)

#: An enum whose unknown values are kept raw instead of refused (what a newer peer says).
Open: TypeAlias = Annotated[
    EnumT | Annotated[str, Field(max_length=64)], Field(union_mode="left_to_right")
]

Watts: TypeAlias = Annotated[float, Field(ge=0, le=1_000_000)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e10)]
#: A counter that outlives its device has less; a forged one would spoil a house's statistics.
Kwh: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]
#: Anything else that is counted or measured: finite sums are left of it.
Amount: TypeAlias = Annotated[float, Field(ge=0, le=1e24)]
Text: TypeAlias = Annotated[str, Field(max_length=400)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=120)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=10**24)]
#: No device is colder or hotter; what a broken sensor says is unknown, and the rest is taken.
Celsius: TypeAlias = Annotated[
    float | None, BeforeValidator(lambda given: _plausible(given, -100.0, 1000.0))
]
Percent: TypeAlias = Annotated[float, Field(ge=0, le=1000)]


def _plausible(given: Any, lowest: float, highest: float) -> Any:
    """Return a number that can be true, None for one that cannot; the rest is judged elsewhere."""
    if isinstance(given, (int, float)) and not lowest <= given <= highest:
        return None
    return given


class Activity(StrEnum):
    """What a device (or a whole rig) is doing."""

    OFF = "off"
    IDLE = "idle"
    STARTING = "starting"
    HASHING = "hashing"
    ANSWERING = "answering"
    PAUSED = "paused"
    FAULT = "fault"


class DeviceKind(StrEnum):
    """What draws the watts."""

    GPU = "gpu"
    CPU = "cpu"
    ASIC = "asic"


class PowerSource(StrEnum):
    """Where a device's watts come from."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    NONE = "none"


class Effect(StrEnum):
    """Whether the measured watts followed the target."""

    SETTLING = "settling"
    REACHED = "reached"
    NO_EFFECT = "no_effect"
    UNVERIFIED = "unverified"


class Favor(StrEnum):
    """Which workload gets a heater's watts first."""

    INFERENCE = "inference"
    HASHING = "hashing"
    BALANCED = "balanced"


class Throttle(StrEnum):
    """Why a GPU runs slower than it could; the most serious reason of several."""

    NONE = "none"
    POWER_LIMIT = "power_limit"
    THERMAL = "thermal"
    POWER_BRAKE = "power_brake"
    OTHER = "other"


class Severity(StrEnum):
    """How much an event matters to a person."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Presence(StrEnum):
    """Whether a bridge is connected to the broker."""

    ONLINE = "online"
    OFFLINE = "offline"


class Verdict(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class LeasePhase(StrEnum):
    """Where a lease is between its two ends."""

    ACTIVE = "active"
    COASTING = "coasting"


class WattRange(WireModel):
    """A knob in watts: what may be asked for."""

    min_w: Watts
    max_w: Watts
    step_w: Watts = 1.0
    default_w: Watts | None = None


class PercentRange(WireModel):
    """A knob in percent: what may be asked for. 100 % draws about `full_w`."""

    min_percent: Percent
    max_percent: Percent = 100.0
    step_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    full_w: Watts


class PowerStep(WireModel):
    """One of a knob's few steps: its name, and about what it draws."""

    name: Name
    power_w: Watts


class Capabilities(WireModel):
    """What a device can be asked and told; found by probing, so it is data and not a class.

    `readings` names the fields of `Readings` that the device can ever answer. The knob is one of
    `power_limit` (watts), `percent` and `steps` (the lowest first), or there is none;
    `reboots_on_set` says that turning it interrupts the work, `stored` that it is written to the
    device's memory and holds over a power cut. `keeps_pause`: a pause outlasts its own reboot.
    `idle_w` is drawn when paused, `nominal_w` at work with no knob touched. `settle_s` is how long
    its watts may take to follow a new target, `start_s` how long they take from a pause on.
    `can_darken`: its screen can be turned off.
    """

    readings: tuple[Name, ...] = ()
    power_source: Open[PowerSource] = PowerSource.NONE
    power_limit: WattRange | None = None
    percent: PercentRange | None = None
    steps: tuple[PowerStep, ...] = ()
    can_pause: bool = False
    can_restart: bool = False
    reboots_on_set: bool = False
    stored: bool = False
    keeps_pause: bool = False
    idle_w: Watts | None = None
    nominal_w: Watts | None = None
    settle_s: Seconds = 15.0
    start_s: Seconds = 0.0
    can_darken: bool = False


class Readings(WireModel):
    """One look at a device.

    `power_w` is what counts; where a plug or meter says it, `reported_power_w` is what the device
    says itself. Where the knob is in percent or steps, `power_percent` or `step` is where it
    stands. `temp_c` is the hottest board (or GPU), `chip_temp_c` the hottest chip on it. `pool` is
    an address without its user.
    """

    power_w: Watts | None = None
    reported_power_w: Watts | None = None
    power_limit_w: Watts | None = None
    power_percent: Percent | None = None
    step: Name | None = None
    energy_kwh: Kwh | None = None
    temp_c: Celsius | None = None
    memory_temp_c: Celsius | None = None
    chip_temp_c: Celsius | None = None
    regulator_temp_c: Celsius | None = None
    inlet_temp_c: Celsius | None = None
    outlet_temp_c: Celsius | None = None
    fan_percent: Percent | None = None
    fan_rpm: Amount | None = None
    utilization_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    memory_used_mib: Amount | None = None
    memory_total_mib: Amount | None = None
    clock_mhz: Amount | None = None
    memory_clock_mhz: Amount | None = None
    throttle: Open[Throttle] | None = None
    foreign_processes: Count | None = None
    hash_rate_mhs: Amount | None = None
    expected_hash_rate_mhs: Amount | None = None
    joules_per_terahash: Amount | None = None
    shares_accepted_total: Count | None = None
    shares_rejected_total: Count | None = None
    best_share: Amount | None = None
    pool: Text | None = None
    pool_connected: bool | None = None
    uptime_s: Seconds | None = None
    missing: dict[Name, Text] = Field(default_factory=dict)

    def with_missing(self, **reasons: str) -> "Readings":
        """Return the same readings with these fields absent and their reasons noted."""
        gone: dict[str, Any] = dict.fromkeys(reasons)
        return self.model_copy(update={**gone, "missing": {**self.missing, **reasons}})
