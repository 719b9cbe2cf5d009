"""Two building models behind one door: watts in, temperatures out, a minute at a time.

Both are linear systems stepped implicitly (backward Euler), so that the temperature a minute from
now is `free + gain * watts`: the ideal heater needs nothing else. `TwoStores` is ours (2R2C);
`Nodes` is a node system that somebody else's program assembled (iso52016_nodes.py).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .weather import Weather


class Building(Protocol):
    """A building with one zone. A step is a minute; `window_open` airs the room."""

    @property
    def room_c(self) -> float:
        """The temperature that counts."""
        ...

    def settle(self, target_c: float, minute: int) -> None:
        """Start as if long heated to the target."""
        ...

    def prepare(self, minute: int, *, window_open: bool) -> tuple[float, float]:
        """Return (free, gain) of the step to come: the room ends at free + gain * watts."""
        ...

    def step(self, heating_w: float) -> None:
        """Go the prepared minute with the mean watts of it."""
        ...


@dataclass(frozen=True)
class TwoStoresOf:
    """What the 2R2C house is made of. Units: W/K, J/K, m2."""

    air_to_mass_w_per_k: float
    mass_to_outdoor_w_per_k: float
    leak_w_per_k: float
    air_j_per_k: float
    mass_j_per_k: float
    sun_m2: float
    gains_w: float
    window_w_per_k: float

    @property
    def heat_loss_w_per_k(self) -> float:
        """Return the watts that hold it one kelvin above the outdoors."""
        through = 1.0 / (1.0 / self.air_to_mass_w_per_k + 1.0 / self.mass_to_outdoor_w_per_k)
        return through + self.leak_w_per_k


class TwoStores:
    """Air with furniture, and the building's mass; half the sun falls on each."""

    def __init__(self, made_of: TwoStoresOf, weather: Weather) -> None:
        self._of, self._weather = made_of, weather
        self._air_c = self._mass_c = 20.0
        self._next = (0.0, 0.0, 0.0, 0.0)

    @property
    def room_c(self) -> float:
        """The air's temperature."""
        return self._air_c

    def settle(self, target_c: float, minute: int) -> None:
        """Start as if long heated to the target."""
        of, outdoor_c = self._of, float(self._weather.outdoor_c[minute])
        share = of.air_to_mass_w_per_k / (of.air_to_mass_w_per_k + of.mass_to_outdoor_w_per_k)
        self._air_c = target_c
        self._mass_c = outdoor_c + (target_c - outdoor_c) * share

    def prepare(self, minute: int, *, window_open: bool) -> tuple[float, float]:
        """Return (free, gain) of the step to come."""
        of, outdoor_c = self._of, float(self._weather.outdoor_c[minute])
        sun_w = of.sun_m2 * float(self._weather.sun_w_per_m2[minute])
        leak = of.leak_w_per_k + (of.window_w_per_k if window_open else 0.0)
        to_mass = of.air_to_mass_w_per_k
        air, mass = of.air_j_per_k / 60.0, of.mass_j_per_k / 60.0
        a, d = air + leak + to_mass, mass + to_mass + of.mass_to_outdoor_w_per_k
        determinant = a * d - to_mass * to_mass
        air_w = air * self._air_c + leak * outdoor_c + 0.5 * sun_w + of.gains_w
        mass_w = mass * self._mass_c + of.mass_to_outdoor_w_per_k * outdoor_c + 0.5 * sun_w
        free_c = (d * air_w + to_mass * mass_w) / determinant
        mass_c = (to_mass * air_w + a * mass_w) / determinant
        self._next = (free_c, d / determinant, mass_c, to_mass / determinant)
        return free_c, d / determinant

    def step(self, heating_w: float) -> None:
        """Go the prepared minute."""
        free_c, gain, mass_c, mass_gain = self._next
        self._air_c = free_c + gain * heating_w
        self._mass_c = mass_c + mass_gain * heating_w


@dataclass(frozen=True)
class NodesOf:
    """A node system: `static` and `capacity` (J/K) per node, `constant` by hour, who gets heat.

    `static @ T + capacity * dT/dt = constant + heat * watts`; `room` weighs the nodes to the
    temperature that counts.
    """

    static: NDArray[np.float64]
    capacity: NDArray[np.float64]
    constant: NDArray[np.float64]
    heat: NDArray[np.float64]
    room: NDArray[np.float64]
    air: int
    outdoor_c: NDArray[np.float64]
    window_w_per_k: float


class Nodes:
    """Somebody else's node system, stepped by the minute with our watts as its heat."""

    def __init__(self, made_of: NodesOf, step_s: float = 60.0) -> None:
        self._of, self._step_s = made_of, step_s
        self._rates: NDArray[np.float64] = made_of.capacity / step_s
        self._inverse: dict[bool, NDArray[np.float64]] = {}
        self._temps: NDArray[np.float64] = np.full(made_of.capacity.size, 20.0)
        self._free = self._temps
        self._gain = self._temps
        self._gains: dict[bool, NDArray[np.float64]] = {}

    @property
    def room_c(self) -> float:
        """The weighed temperature of the zone."""
        return float(self._of.room @ self._temps)

    @property
    def nodes_c(self) -> NDArray[np.float64]:
        """All nodes' temperatures."""
        return self._temps

    def start(self, nodes_c: NDArray[np.float64]) -> None:
        """Start from these temperatures."""
        self._temps = nodes_c

    def settle(self, target_c: float, minute: int) -> None:
        """Start in the steady state of the hour at the target."""
        inverse = np.linalg.inv(self._of.static)
        free = inverse @ self._of.constant[:, minute // 60]
        gain = inverse @ self._of.heat
        watts = (target_c - self._of.room @ free) / (self._of.room @ gain)
        self._temps = free + gain * watts

    def prepare(self, minute: int, *, window_open: bool) -> tuple[float, float]:
        """Return (free, gain) of the step to come."""
        of = self._of
        if window_open not in self._inverse:
            matrix = of.static + np.diag(self._rates)
            if window_open:
                matrix[of.air, of.air] += of.window_w_per_k
            self._inverse[window_open] = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
            self._gains[window_open] = self._inverse[window_open] @ of.heat
        hour = minute // 60
        right = self._rates * self._temps + of.constant[:, hour]
        if window_open:
            right[of.air] += of.window_w_per_k * of.outdoor_c[hour]
        self._free = self._inverse[window_open] @ right
        self._gain = self._gains[window_open]
        return float(of.room @ self._free), float(of.room @ self._gain)

    def step(self, heating_w: float) -> None:
        """Go the prepared step."""
        self._temps = self._free + self._gain * heating_w
