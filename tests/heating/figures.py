"""The figures of a course, as the bench names them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .houses import HouseOf
from .loop import Course
from .weather import MINUTES_PER_DAY

_WINDOW_MIN: Final = 10
_PRICE_PER_KWH: Final = 0.15


@dataclass(frozen=True)
class Figures:
    """One house under one controller."""

    rmse_k: float
    excess_rmse_k: float
    excess_overshoot_k: float
    cold_kh_per_day: float
    tracking_error_percent: float
    unmet_percent: float
    asic_starts_per_day_worst: float
    circuit_violation_s_max: float
    energy_vs_ideal_percent: float
    net_cost_per_day: float


def figures(house: HouseOf, course: Course, ideal: Course) -> Figures:
    """Return the figures of a course beside the ideal's."""
    minutes = course.room_c.size
    targets = np.array([house.target_c(minute) for minute in range(minutes)])
    occupied = np.array([house.occupied(minute) for minute in range(minutes)])
    own, best = _errors(course, targets, occupied), _errors(ideal, targets, occupied)
    days = minutes / MINUTES_PER_DAY
    tracking, unmet = _tracking(house, course)
    energy_kwh = float(course.heating_w.sum()) / 60_000.0
    ideal_kwh = float(ideal.heating_w.sum()) / 60_000.0
    return Figures(
        rmse_k=_rmse(own),
        excess_rmse_k=_rmse(own) - _rmse(best),
        excess_overshoot_k=float(max(0.0, own.max()) - max(0.0, best.max())),
        cold_kh_per_day=float(np.clip(-own - 0.5, 0.0, None).sum()) / 60.0 / days,
        tracking_error_percent=tracking,
        unmet_percent=unmet,
        asic_starts_per_day_worst=max(course.starts, default=0) / days,
        circuit_violation_s_max=float(course.violation_s),
        energy_vs_ideal_percent=100.0 * (energy_kwh / ideal_kwh - 1.0) if ideal_kwh else 0.0,
        net_cost_per_day=(energy_kwh * _PRICE_PER_KWH - _earned(house, course)) / days,
    )


def _earned(house: HouseOf, course: Course) -> float:
    """Return what hashing earned; the ideal is a plain heater and earns nothing."""
    return sum(course.energy_kwh.get(one.name, 0.0) * one.value_per_kwh for one in house.heaters)


def _errors(
    course: Course, targets: NDArray[np.float64], occupied: NDArray[np.bool_]
) -> NDArray[np.float64]:
    return np.asarray((course.room_c - targets)[occupied])


def _rmse(errors: NDArray[np.float64]) -> float:
    return float(np.sqrt((errors**2).mean()))


def _tracking(house: HouseOf, course: Course) -> tuple[float, float]:
    """Return the error of delivered against demanded watts, and what could never be delivered.

    Both in percent of the demand, over 10-minute means. What lies below the smallest step, or above
    the installed watts, is unmet; everything else that was not delivered as demanded is error.
    """
    size = course.demand_w.size // _WINDOW_MIN * _WINDOW_MIN
    demand = course.demand_w[:size].reshape(-1, _WINDOW_MIN).mean(axis=1)
    delivered = course.heating_w[:size].reshape(-1, _WINDOW_MIN).mean(axis=1)
    total = float(demand.sum())
    if total <= 0:
        return 0.0, 0.0
    reachable = np.minimum(demand, house.installed_w)
    reachable = np.where(reachable < house.smallest_w, 0.0, reachable)
    unmet = float((demand - reachable).sum())
    counted = reachable > 0
    error = float(np.abs(delivered - reachable)[counted].sum())
    return 100.0 * error / total, 100.0 * unmet / total
