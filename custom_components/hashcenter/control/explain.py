"""The limit that binds, as an English sentence; translations use the same codes and values.

A sentence says what happens and why, in the words of somebody who owns the house.
"""

from collections.abc import Mapping
from typing import Final

from .tilt import TiltCode, TiltReason
from .wanted import Limit, LimitCode

_SENTENCES: Final[Mapping[LimitCode, str]] = {
    LimitCode.DEMAND: "The room gets the {power_w:.0f} W it needs.",
    LimitCode.NO_DEMAND: "No heat is needed from it now.",
    LimitCode.STOP_ALL: "Stop all is on; a person has to release it.",
    LimitCode.HANDS_OFF: "It is left to its owner's hands.",
    LimitCode.OFFLINE: "Its rig does not answer.",
    LimitCode.NOT_CONTROLLABLE: "Its rig takes no requests.",
    LimitCode.AVAILABLE: "Its rig can give {available_w:.0f} W now: {why}.",
    LimitCode.NO_EFFECT: "Its watts did not follow; it is asked again in an hour.",
    LimitCode.CIRCUIT: "The circuit {circuit} is full.",
    LimitCode.STAGED: "Something on the circuit {circuit} has to come down first.",
    LimitCode.METER_STALE: "The meter of the circuit {circuit} is silent, so nothing goes up.",
    LimitCode.UNATTENDED: (
        "After a power cut the circuit {circuit} would carry too much: lower what its miners do "
        "by themselves."
    ),
    LimitCode.TRIPPED: "The breaker of the circuit {circuit} is off.",
    LimitCode.STAGGERED: "Another heater on the circuit {circuit} is just starting.",
    LimitCode.BELOW_STEP: "The {power_w:.0f} W needed are below its lowest step, {min_w:.0f} W.",
    LimitCode.PATIENCE: "It starts or stops if this lasts {remaining_min:.0f} min more.",
    LimitCode.CAPACITY: "It gives all it can, {max_w:.0f} W.",
    LimitCode.ROOM_OFF: "Heating is off in this room.",
    LimitCode.WINDOW: "A window is open.",
    LimitCode.FROST: "The room is at {temp_c:.1f} °C and is kept from freezing.",
    LimitCode.OVER_TARGET: "The room is at {temp_c:.1f} °C, above {limit_c:.1f} °C.",
    LimitCode.HIGH_LIMIT: "{temp_c:.1f} °C is above the high limit of {limit_c:.1f} °C.",
    LimitCode.THERMOMETER_STALE: "The thermometer has been silent for {age_min:.0f} min.",
    LimitCode.QUIET: "Quiet hours allow {max_w:.0f} W.",
    LimitCode.PEAK: "A peak-price event holds the target down.",
    LimitCode.GENERATOR: "The house runs on a generator or a battery, so nothing hashes.",
    LimitCode.OUTSIDE: "{power_w:.0f} W are asked of it for {remaining_min:.0f} min more.",
    LimitCode.PAYS: "It hashes because that pays.",
    LimitCode.NO_ROOM: "Nobody needs its heat.",
    LimitCode.BACKUP: "The back-up heats the room.",
}
_BY_FAN: Final = (
    "Quiet hours allow {max_w:.0f} W, so that its fan stays below {max_fan_percent:.0f} %."
)
_UNAVAILABLE: Final = "The thermometer is unavailable."
_TILTS: Final[Mapping[TiltCode, str]] = {
    TiltCode.MANUAL: "A person chose it.",
    TiltCode.COLD: "It is {outdoor_c:.1f} °C outside, below {limit_c:.1f} °C.",
    TiltCode.WARM: "It is {outdoor_c:.1f} °C outside, above {limit_c:.1f} °C.",
    TiltCode.MILD: "It is {outdoor_c:.1f} °C outside, neither cold nor warm.",
    TiltCode.DEAR: "A kWh costs {price_per_kwh:.3f}, more than {limit_per_kwh:.3f}.",
    TiltCode.CHEAP: "A kWh costs {price_per_kwh:.3f}, less than {limit_per_kwh:.3f}.",
    TiltCode.USUAL_PRICE: "A kWh costs {price_per_kwh:.3f}, neither dear nor cheap.",
    TiltCode.SURPLUS: "{surplus_w:.0f} W of solar would be exported.",
    TiltCode.NO_SURPLUS: "Too little solar is left over.",
    TiltCode.IN_HOURS: "From {from} to {to} answering goes first.",
    TiltCode.OUT_OF_HOURS: "Answering goes first from {from} to {to}, not now.",
    TiltCode.UNKNOWN: "What the tilt goes by is not known.",
}


def sentence(
    limit: Limit, names: Mapping[str, str] | None = None, *, fahrenheit: bool = False
) -> str:
    """Return the limit as a sentence; `names` are what people call the circuits."""
    values: dict[str, float | str] = dict(limit.values)
    circuit = values.get("circuit")
    if names is not None and isinstance(circuit, str):
        values["circuit"] = names.get(circuit, circuit)
    for seconds, minutes in (("age_s", "age_min"), ("remaining_s", "remaining_min")):
        number = values.get(seconds)
        if isinstance(number, int | float):
            values[minutes] = max(1.0, number / 60.0)
    if limit.code is LimitCode.THERMOMETER_STALE and values.get("age_s") == -1.0:
        return _UNAVAILABLE
    by_fan = limit.code is LimitCode.QUIET and "max_fan_percent" in values
    words = _BY_FAN if by_fan else _SENTENCES[limit.code]
    text = _filled(words, values, fahrenheit=fahrenheit)
    return text.replace("..", ".").replace(": .", ".")


def tilt_sentence(reason: TiltReason, *, fahrenheit: bool = False) -> str:
    """Return why a workload is favored, or none, as a sentence."""
    return _filled(_TILTS[reason.code], reason.values, fahrenheit=fahrenheit)


def _filled(text: str, values: Mapping[str, float | str], *, fahrenheit: bool) -> str:
    """Return the sentence with its figures; temperatures (`_c`) in what the house speaks."""
    if fahrenheit:
        text = text.replace("°C", "°F")
        values = {name: _fahrenheit(name, value) for name, value in values.items()}
    return text.format_map(_Missing(values))


def _fahrenheit(name: str, value: float | str) -> float | str:
    is_temperature = name.endswith("_c") and not isinstance(value, str)
    return float(value) * 1.8 + 32.0 if is_temperature else value


class _Missing(dict[str, float | str]):
    """Values in which a missing figure does not break a sentence."""

    def __missing__(self, key: str) -> float:
        """Stand in for a figure that is not known."""
        return 0.0
