"""The controllers that are compared: ours, hysteresis, TPI, and the ideal.

Each is asked once a minute what every heater should do, with what Home Assistant would know. Ours
is the shipped `decide` behind the same simple door.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

#: What a heater is asked: (watts, cap).
Asked = Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Look:
    """What a controller knows in a minute."""

    minute: int
    target_c: float
    thermometer_c: float | None
    thermometer_age_s: float
    outdoor_c: float
    window_open: bool


class Controller(Protocol):
    """Something that heats a house."""

    def ask(self, look: Look) -> Asked:
        """Return what every heater should draw."""
        ...

    @property
    def demand_w(self) -> float:
        """Return what it wanted to deliver, before every clamp."""
        ...


class Hysteresis:
    """A plain thermostat: everything on below the band, everything off above it."""

    def __init__(self, max_w: Mapping[str, float], band_k: float = 0.3) -> None:
        self._max_w, self._band_k = max_w, band_k
        self._on = False

    @property
    def demand_w(self) -> float:
        """Return the watts it switched on."""
        return sum(self._max_w.values()) if self._on else 0.0

    def ask(self, look: Look) -> Asked:
        """Return all or nothing; without a temperature it stays as it is."""
        if look.thermometer_c is not None:
            if look.thermometer_c <= look.target_c - self._band_k:
                self._on = True
            elif look.thermometer_c >= look.target_c + self._band_k:
                self._on = False
        return {name: (max_w if self._on else 0.0, None) for name, max_w in self._max_w.items()}


#: The published defaults of Versatile Thermostat: coefficients and cycle.
TPI_DEFAULTS: Final = (0.6, 0.01, 5)
#: What is swept for the best of each house.
TPI_SWEPT: Final = tuple(
    (internal, external, cycle)
    for internal in (0.3, 0.6, 1.0)
    for external in (0.01, 0.025)
    for cycle in (10, 30)
)


class Tpi:
    """Time-proportional integral: on for a share of each cycle, `a * error + b * cold`."""

    def __init__(self, max_w: Mapping[str, float], parameters: tuple[float, float, int]) -> None:
        self._max_w = max_w
        self._internal, self._external, self._cycle = parameters
        self._share = 0.0

    @property
    def demand_w(self) -> float:
        """Return the mean watts of the cycle."""
        return self._share * sum(self._max_w.values())

    def ask(self, look: Look) -> Asked:
        """Return all or nothing for this minute of the cycle."""
        within = look.minute % self._cycle
        if within == 0 and look.thermometer_c is not None:
            share = self._internal * (look.target_c - look.thermometer_c)
            share += self._external * (look.target_c - look.outdoor_c)
            self._share = min(max(share, 0.0), 1.0)
        on = within < round(self._share * self._cycle)
        return {name: (max_w if on else 0.0, None) for name, max_w in self._max_w.items()}
