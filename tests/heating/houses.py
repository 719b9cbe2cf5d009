"""Random houses: what they are made of, what heats them, what else happens in 14 winter days.

Everything follows from the seed. Heaters come first, then a building whose design loss is 1/0.8 to
1/2 of what they draw at most; every third house has a breaker that its heaters can fill.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .buildings import TwoStoresOf
from .plant import AsicOf, GpuOf
from .weather import MINUTES_PER_DAY, Weather, weather

_DESIGN_K: Final = 31.0
_SHARE: Final = 0.8
_VOLTS: Final = 230.0


@dataclass(frozen=True)
class BreakerOf:
    """A circuit: its rating, and what else hangs on it by the second of a day."""

    name: str
    amps: float
    parent: str | None
    others_w: float

    @property
    def limit_w(self) -> float:
        """Return the continuous limit."""
        return self.amps * _VOLTS * _SHARE


@dataclass(frozen=True)
class ThermometerOf:
    """A thermometer: how far behind, how noisy, in which steps, how often it speaks."""

    lag_s: float
    noise_k: float
    step_k: float
    every_min: int
    gone: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class HouseOf:
    """A house with everything that happens in it. Spans are (start, end) in minutes."""

    number: int
    days: int
    building: TwoStoresOf
    weather: Weather
    gpus: tuple[GpuOf, ...]
    asics: tuple[AsicOf, ...]
    breakers: tuple[BreakerOf, ...]
    thermometer: ThermometerOf
    day_c: float
    night_c: float
    windows: tuple[tuple[int, int], ...]
    loads: tuple[tuple[str, int, int, float], ...]
    cuts: tuple[tuple[int, int], ...]
    restarts: tuple[tuple[int, int], ...]
    silences: tuple[tuple[str, int, int], ...]
    sunny: bool
    tight: bool

    @property
    def heaters(self) -> list[GpuOf | AsicOf]:
        """What heats it."""
        return [*self.gpus, *self.asics]

    @property
    def installed_w(self) -> float:
        """What the heaters draw at most."""
        return sum(one.max_w for one in self.heaters)

    @property
    def capacity(self) -> float:
        """What the heaters draw at most, in units of the design loss."""
        return self.installed_w / (self.building.heat_loss_w_per_k * _DESIGN_K)

    @property
    def smallest_w(self) -> float:
        """The smallest step above nothing."""
        return min(one.min_w for one in self.heaters)

    def target_c(self, minute: int) -> float:
        """Return the target: warm from 5 to 23 h, set back at night."""
        hour = (minute % MINUTES_PER_DAY) / 60.0
        return self.day_c if 5.0 <= hour < 23.0 else self.night_c

    def occupied(self, minute: int) -> bool:
        """Return whether errors count: from 7 to 23 h, two hours after the set-back's end."""
        return (minute % MINUTES_PER_DAY) / 60.0 >= 7.0 and self.target_c(minute) == self.day_c

    @cached_property
    def others_w(self) -> dict[str, list[float]]:
        """What people have switched on right behind each breaker, by the minute."""
        found = {one.name: [0.0] * (self.days * MINUTES_PER_DAY) for one in self.breakers}
        for name, start, end, watts in self.loads:
            for minute in range(start, min(end, self.days * MINUTES_PER_DAY)):
                found[name][minute] += watts
        return found


def house(number: int, seed: int, days: int) -> HouseOf:
    """Return one house of a seed."""
    rng = np.random.default_rng([seed, number])
    sunny, tight = number % 2 == 0, number % 3 == 2
    sky = weather(rng, days, sunny=sunny)
    gpus = [_gpu(rng, index, days) for index in range(int(rng.integers(1, 3)))]
    asics = [_asic(rng, index) for index in range(int(rng.integers(0, 4)))]
    installed_w = sum(one.max_w for one in gpus) + sum(one.max_w for one in asics)
    loss = installed_w / (_DESIGN_K * rng.uniform(0.8, 1.3 if tight else 2.0))
    building = _building(rng, loss)
    # What the target takes, to know when a breaker binds.
    need_w = loss * (21.0 - sky.outdoor_c) - building.gains_w
    gpus, asics, breakers, loads = _wiring(rng, gpus, asics, need_w, days, tight=tight)
    return HouseOf(
        number=number,
        days=days,
        building=building,
        weather=sky,
        gpus=tuple(gpus),
        asics=tuple(asics),
        breakers=tuple(breakers),
        thermometer=_thermometer(rng, days),
        day_c=float(rng.uniform(20.0, 22.0)),
        night_c=float(rng.uniform(17.0, 19.5)),
        windows=tuple(_spans(rng, days, per_day=0.4, shortest=5, longest=20)),
        loads=tuple(loads),
        cuts=tuple(_spans(rng, days, per_day=1.0 / days, shortest=5, longest=30, least=1)),
        restarts=tuple(_spans(rng, days, per_day=2.0 / days, shortest=2, longest=4, least=1)),
        silences=tuple(
            (name, start, end)
            for name in [*(one.name for one in gpus), *(one.name for one in asics)]
            for start, end in _spans(rng, days, per_day=1.0 / days, shortest=3, longest=40)
        ),
        sunny=sunny,
        tight=tight,
    )


def _gpu(rng: np.random.Generator, index: int, days: int) -> GpuOf:
    cards = int(rng.choice([1, 2, 2, 4]))
    card_w = float(rng.choice([250.0, 300.0, 350.0]))
    idle_w = 55.0 + 18.0 * cards
    questions = []
    for day in range(days):
        for _ in range(int(rng.integers(3, 12))):
            start = day * MINUTES_PER_DAY + int(rng.integers(18 * 60, 22 * 60))
            questions.append((start, start + int(rng.integers(1, 4))))
    return GpuOf(
        name=f"gpu{index}",
        idle_w=idle_w,
        min_w=idle_w + 100.0,
        max_w=55.0 + cards * card_w * 1.08,
        draw_share=float(rng.uniform(0.97, 1.0)),
        circuit="",
        questions=tuple(questions),
        delay_s=int(rng.integers(1, 5)),
        value_per_kwh=0.05,
    )


def _asic(rng: np.random.Generator, index: int) -> AsicOf:
    kind = int(rng.integers(0, 4))
    low, high, step = ((330, 900, 10), (900, 1700, 50), (1200, 3068, 50), (1500, 3500, 50))[kind]
    return AsicOf(
        name=f"asic{index}",
        idle_w=(12.0, 25.0, 30.0, 30.0)[kind],
        min_w=float(low),
        max_w=float(high),
        step_w=float(step),
        circuit="",
        boot_s=float(rng.uniform(150.0, 360.0)),
        peak_w=float(high) * float(rng.uniform(0.8, 1.05)),
        stored_w=float(low),
        draw_share=float(rng.uniform(0.98, 1.02)),
        w_per_s=float(rng.uniform(4.0, 15.0)),
        delay_s=int(rng.integers(3, 25)),
        ignores_off=float(rng.choice([0.0, 0.0, 0.2])),
        value_per_kwh=(0.02, 0.08, 0.05, 0.08)[kind],
    )


def _building(rng: np.random.Generator, loss: float) -> TwoStoresOf:
    """Return a 2R2C house with such a loss; times in hours are what makes it light or heavy."""
    leak = loss * rng.uniform(0.15, 0.35)
    through = loss - leak
    inner = through * rng.uniform(3.0, 6.0)
    outer = 1.0 / (1.0 / through - 1.0 / inner)
    return TwoStoresOf(
        air_to_mass_w_per_k=float(inner),
        mass_to_outdoor_w_per_k=float(outer),
        leak_w_per_k=float(leak),
        air_j_per_k=float(loss * rng.uniform(2.0, 5.0) * 3600.0),
        mass_j_per_k=float(loss * rng.uniform(25.0, 80.0) * 3600.0),
        sun_m2=float(loss * rng.uniform(0.01, 0.035)),
        gains_w=float(loss * rng.uniform(0.5, 2.5)),
        window_w_per_k=float(loss * rng.uniform(0.6, 1.5)),
    )


def _wiring(
    rng: np.random.Generator,
    gpus: list[GpuOf],
    asics: list[AsicOf],
    need_w: NDArray[np.float64],
    days: int,
    *,
    tight: bool,
) -> tuple[list[GpuOf], list[AsicOf], list[BreakerOf], list[tuple[str, int, int, float]]]:
    """Put every heater behind a breaker, kettle and dryer beside them.

    A tight house has one breaker for all, chosen so that it fills on about a third of its hours;
    its owner has told the miners to sleep after a reboot where they would not fit.
    """
    kettle_w, dryer_w = float(rng.uniform(1800, 2200)), float(rng.uniform(1500, 2600))
    loads: list[tuple[str, int, int, float]] = []
    for day in range(days):
        base = day * MINUTES_PER_DAY
        for _ in range(int(rng.integers(2, 6))):
            start = base + int(rng.integers(7 * 60, 22 * 60))
            loads.append(("c0", start, start + int(rng.integers(2, 6)), kettle_w))
        if rng.random() < 0.5:
            start = base + int(rng.integers(9 * 60, 20 * 60))
            loads.append(("main", start, start + int(rng.integers(40, 80)), dryer_w))
    # Two kettles at once would be a second kettle: people have one.
    loads = [
        load
        for index, load in enumerate(loads)
        if not any(
            load[0] == one[0] and load[1] < one[2] and one[1] < load[2] for one in loads[:index]
        )
    ]
    main = BreakerOf("main", 100.0, None, dryer_w)
    if tight:
        least_w = max([0.0, *(one.min_w for one in asics)])
        fills_w = float(np.quantile(np.clip(need_w, 0.0, None), rng.uniform(0.72, 0.85)))
        quiet_w = sum(one.min_w * 1.05 + 60.0 for one in gpus) + 65.0 * len(asics)
        heat_w = max(fills_w * 1.06, least_w + quiet_w)
        breaker = BreakerOf("c0", (heat_w + kettle_w) / (_VOLTS * _SHARE), "main", kettle_w)
        # A peak that never fits would leave a miner off for good.
        asics = [
            replace(one, circuit="c0", stored_w=0.0, peak_w=min(one.peak_w, heat_w - quiet_w))
            for one in asics
        ]
        return [replace(one, circuit="c0") for one in gpus], asics, [main, breaker], loads
    breakers = [main, BreakerOf("c0", 32.0, "main", kettle_w)]
    gpus = [replace(one, circuit="c0") for one in gpus]
    for index, one in enumerate(asics):
        name = f"c{index + 1}"
        breakers.append(BreakerOf(name, 20.0 if one.max_w < 3200.0 else 25.0, "main", 0.0))
        asics[index] = replace(one, circuit=name)
    return gpus, asics, breakers, loads


def _thermometer(rng: np.random.Generator, days: int) -> ThermometerOf:
    return ThermometerOf(
        lag_s=float(rng.uniform(60.0, 300.0)),
        noise_k=float(rng.uniform(0.02, 0.07)),
        step_k=float(rng.choice([0.01, 0.1, 0.1])),
        every_min=int(rng.choice([1, 1, 2, 5])),
        gone=tuple(_spans(rng, days, per_day=2.0 / days, shortest=10, longest=90)),
    )


def _spans(
    rng: np.random.Generator,
    days: int,
    *,
    per_day: float,
    shortest: int,
    longest: int,
    least: int = 0,
) -> list[tuple[int, int]]:
    """Return random spans, `least` of them or more, in order."""
    spans = []
    for _ in range(max(least, int(rng.poisson(per_day * days)))):
        start = int(rng.integers(MINUTES_PER_DAY // 2, days * MINUTES_PER_DAY))
        spans.append((start, start + int(rng.integers(shortest, longest + 1))))
    return sorted(spans)
