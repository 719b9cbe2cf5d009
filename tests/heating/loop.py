"""Runs one house with one controller on a virtual clock: a minute of heat, its 60 s of watts.

Per minute: sensors are read, the controller asks, every device draws for 60 seconds, circuits are
checked second by second, and the building takes the minute's mean watts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .buildings import Building
from .controllers import Controller, Look
from .houses import HouseOf
from .ours import Hashcenter
from .plant import Asic, Gpu
from .weather import MINUTES_PER_DAY

#: A meter speaks this long after the load, and is silent for minutes now and then.
_METER_DELAY_S = 15.0
#: The two ends of a lease (wire rule 2), in minutes.
_TTL_MIN = 5
_COAST_MIN = 35


@dataclass(frozen=True)
class Course:
    """What happened, minute by minute, and over all."""

    room_c: NDArray[np.float64]
    heating_w: NDArray[np.float64]
    demand_w: NDArray[np.float64]
    starts: tuple[int, ...]
    violation_s: int
    binding: NDArray[np.bool_]
    #: What each heater drew, in kWh.
    energy_kwh: Mapping[str, float] = field(default_factory=dict)


class Sensor:
    """The thermometer: lag, noise, steps, silences."""

    def __init__(self, house: HouseOf, start_c: float) -> None:
        self._of = house.thermometer
        self._rng = np.random.default_rng([house.number, 7])
        self._lagged_c = start_c
        self._said_c, self._said_at = start_c, -1

    def read(self, minute: int, room_c: float) -> tuple[float | None, float]:
        """Return (value, age in seconds); None while it is unavailable."""
        of = self._of
        self._lagged_c += (room_c - self._lagged_c) * 60.0 / (60.0 + of.lag_s)
        noisy = self._lagged_c + self._rng.normal(0.0, of.noise_k)
        gone = next(
            (index for index, span in enumerate(of.gone) if span[0] <= minute < span[1]), -1
        )
        if gone >= 0:
            # Every other outage says so; the rest is silence.
            age_s = (minute - self._said_at) * 60.0
            return (None, 0.0) if gone % 2 else (self._said_c, age_s)
        if minute % of.every_min == 0:
            self._said_c, self._said_at = round(noisy / of.step_k) * of.step_k, minute
        return self._said_c, (minute - self._said_at) * 60.0


def _inside(spans: tuple[tuple[int, int], ...], minute: int) -> bool:
    return any(start <= minute < end for start, end in spans)


def run_ideal(house: HouseOf, building: Building) -> Course:
    """Heat with a continuous heater of the same watts that knows the temperature to come."""
    minutes = house.days * MINUTES_PER_DAY
    room_c, watts = np.empty(minutes), np.empty(minutes)
    building.settle(house.target_c(0), 0)
    for minute in range(minutes):
        is_open = _inside(house.windows, minute)
        free_c, gain = building.prepare(minute, window_open=is_open)
        power_w = (house.target_c(minute) - free_c) / gain
        if is_open or _inside(house.cuts, minute):
            power_w = 0.0
        watts[minute] = min(max(power_w, 0.0), house.installed_w)
        building.step(watts[minute])
        room_c[minute] = building.room_c
    nothing = np.zeros(minutes, dtype=np.bool_)
    return Course(room_c, watts, watts, (), 0, nothing)


def run(
    house: HouseOf,
    building: Building,
    controller_of: Callable[[list[Gpu], list[Asic]], Controller],
    first: int = 0,
    last: int | None = None,
) -> Course:
    """Heat the house with a controller and real devices."""
    rng = np.random.default_rng([house.number, 11])
    gpus = [Gpu(of, rng) for of in house.gpus]
    asics = [Asic(of, rng) for of in house.asics]
    devices: list[Gpu | Asic] = [*gpus, *asics]
    controller = controller_of(gpus, asics)
    ours = controller if isinstance(controller, Hashcenter) else None
    minutes = house.days * MINUTES_PER_DAY if last is None else last
    building.settle(house.target_c(first), first)
    sensor = Sensor(house, building.room_c)
    chains = _chains(house)
    limits = {one.name: one.limit_w for one in house.breakers}
    room_c, heating_w, demand_w = (np.zeros(minutes) for _ in range(3))
    binding = np.zeros(minutes, dtype=np.bool_)
    violation_s = 0
    energy_kwh = {one.of.name: 0.0 for one in devices}
    away = False
    for minute in range(first, minutes):
        mains = not _inside(house.cuts, minute)
        others = {
            name: by_minute[minute] if mains else 0.0 for name, by_minute in house.others_w.items()
        }
        value_c, age_s = sensor.read(minute, building.room_c)
        offline = frozenset(name for name, start, end in house.silences if start <= minute < end)
        outdoor_c = float(house.weather.outdoor_c[minute])
        is_open = _inside(house.windows, minute)
        look = Look(minute, house.target_c(minute), value_c, age_s, outdoor_c, is_open)
        if ours is not None:
            ours.measure()
            ours.offline = offline
            ours.meters = _meters(house, minute, chains)
        if not mains or _inside(house.restarts, minute):
            away = True
        else:
            if away and ours is not None:
                ours.restart()
            away = False
            asked = controller.ask(look)
            for one in devices:
                if one.of.name in asked and one.of.name not in offline:
                    one.ask(*asked[one.of.name], minute)
        _expire(house, devices, minute)
        total = np.zeros(60)
        loads = {name: np.full(60, float(others[name])) for name in limits}
        for name, parent in ((one.name, one.parent) for one in house.breakers):
            if parent is not None:
                loads[parent] = loads[parent] + others[name]
        for one in devices:
            draw = one.seconds(minute, mains=mains)
            energy_kwh[one.of.name] += one.minute_mean_w / 60_000.0
            total += draw
            for name in chains[one.of.circuit]:
                loads[name] += draw
        above = [load > limits[name] for name, load in loads.items() if load.max() > limits[name]]
        if above:
            violation_s += int(np.logical_or.reduce(above).sum())
        mean_w = float(total.mean())
        building.prepare(minute, window_open=is_open)
        building.step(mean_w)
        room_c[minute], heating_w[minute] = building.room_c, mean_w
        demand_w[minute] = controller.demand_w
        if ours is not None and ours.wanted is not None:
            binding[minute] = any(one.binds for one in ours.wanted.circuits.values())
    starts = tuple(one.starts for one in asics)
    return Course(room_c, heating_w, demand_w, starts, violation_s, binding, energy_kwh)


def _expire(house: HouseOf, devices: list[Gpu | Asic], minute: int) -> None:
    """Let leases end that nobody could renew: first to the lowest step, then to nothing."""
    for device in devices:
        of = device.of
        for name, start, end in house.silences:
            if name == of.name and start <= minute < end:
                if minute - start == _COAST_MIN:
                    device.ask(0.0, device.cap_w, minute)
                elif minute - start == _TTL_MIN and device.asked_w > of.min_w:
                    device.ask(of.min_w, device.cap_w, minute)


def _chains(house: HouseOf) -> dict[str, tuple[str, ...]]:
    parents = {one.name: one.parent for one in house.breakers}
    found = {}
    for name, feeds in parents.items():
        chain, parent = [name], feeds
        while parent is not None:
            chain.append(parent)
            parent = parents[parent]
        found[name] = tuple(chain)
    return found


def _meters(
    house: HouseOf, minute: int, chains: dict[str, tuple[str, ...]]
) -> dict[str, tuple[float, float]]:
    """Return (watts, age) of the meter on what people switch on; silent 20 minutes a day."""
    silent_s = (minute % MINUTES_PER_DAY - 600) * 60.0
    age_s = silent_s if 0 < silent_s < 1200 else _METER_DELAY_S
    # What came on in this minute is not seen yet.
    before = max(0, minute - 1)
    return {
        name: (sum(house.others_w[one][before] for one in chains if name in chains[one]), age_s)
        for name in chains
    }
