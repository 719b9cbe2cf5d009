"""Every controller on one house and one building model, on equal seeds."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .buildings import Building
from .controllers import TPI_DEFAULTS, TPI_SWEPT, Hysteresis, Tpi
from .figures import Figures, figures
from .houses import HouseOf
from .loop import Course, run, run_ideal
from .ours import Hashcenter
from .weather import MINUTES_PER_DAY

#: Days on which TPI's parameters are swept: after the first, so that it starts warm.
_SWEEP_DAYS = (1, 3)


@dataclass(frozen=True)
class Compared:
    """The figures of every controller on one house, and the courses behind them."""

    figures: Mapping[str, Figures]
    courses: Mapping[str, Course]
    took_s: float


def compare(
    house: HouseOf, building: Callable[[], Building], only: frozenset[str] = frozenset()
) -> Compared:
    """Run the house with each controller (or those in `only`); each gets a new building."""
    began = time.monotonic()
    max_w = {one.name: one.max_w for one in house.heaters}
    ideal = run_ideal(house, building())
    makers: dict[str, Callable[[], Course]] = {
        "hashcenter": lambda: run(
            house, building(), lambda gpus, asics: Hashcenter(house, gpus, asics)
        ),
        "hysteresis": lambda: run(house, building(), lambda _gpus, _asics: Hysteresis(max_w)),
        "tpi": lambda: run(house, building(), lambda _gpus, _asics: Tpi(max_w, TPI_DEFAULTS)),
        "tpi_best": lambda: _best_tpi(house, building, max_w),
    }
    courses = {name: make() for name, make in makers.items() if not only or name in only}
    courses["ideal"] = ideal
    found = {name: figures(house, course, ideal) for name, course in courses.items()}
    return Compared(found, courses, time.monotonic() - began)


def _best_tpi(
    house: HouseOf, building: Callable[[], Building], max_w: Mapping[str, float]
) -> Course:
    """Run TPI with the swept parameters that kept this very house closest to its target."""
    first, last = (min(day, house.days) * MINUTES_PER_DAY for day in _SWEEP_DAYS)
    if last <= first:
        first, last = 0, house.days * MINUTES_PER_DAY
    targets = np.array([house.target_c(minute) for minute in range(first, last)])
    occupied = np.array([house.occupied(minute) for minute in range(first, last)])

    def error(parameters: tuple[float, float, int]) -> float:
        course = run(house, building(), lambda _gpus, _asics: Tpi(max_w, parameters), first, last)
        off = (course.room_c[first:last] - targets)[occupied]
        return float(np.sqrt((off**2).mean()))

    best = min(TPI_SWEPT, key=error)
    return run(house, building(), lambda _gpus, _asics: Tpi(max_w, best))
