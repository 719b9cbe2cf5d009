"""Winter weather by the minute: outdoor temperature and sun, drawn from a seed.

Fronts pass every few days, nights are colder than days, and a sunny winter has clear and dull days.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MINUTES_PER_DAY: Final = 1440
_SUNRISE_H: Final = 8.0
_SUNSET_H: Final = 16.5
#: Irradiation on a south wall at a clear winter noon.
_CLEAR_W_PER_M2: Final = 550.0


@dataclass(frozen=True)
class Weather:
    """`outdoor_c` and `sun_w_per_m2` (on a south wall), one value per minute."""

    outdoor_c: NDArray[np.float64]
    sun_w_per_m2: NDArray[np.float64]


def weather(rng: np.random.Generator, days: int, *, sunny: bool) -> Weather:
    """Return `days` of winter."""
    hours = np.arange(days * 24 + 1)
    mean_c = rng.uniform(-3.0, 4.0)
    swing_c = rng.uniform(1.5, 4.0)
    front = np.zeros(hours.size)
    for hour in range(1, hours.size):
        front[hour] = 0.985 * front[hour - 1] + rng.normal(0.0, 0.55)
    daily = -swing_c * np.cos((hours - 3.0) / 24.0 * 2 * np.pi)
    by_hour = mean_c + front + daily
    minutes = np.arange(days * MINUTES_PER_DAY)
    outdoor_c = np.interp(minutes / 60.0, hours, by_hour)
    of_day_h = (minutes % MINUTES_PER_DAY) / 60.0
    arc = np.sin((of_day_h - _SUNRISE_H) / (_SUNSET_H - _SUNRISE_H) * np.pi)
    arc = np.where((of_day_h > _SUNRISE_H) & (of_day_h < _SUNSET_H), arc, 0.0)
    clear = rng.uniform(0.1, 1.0, days) if sunny else rng.uniform(0.0, 0.12, days)
    clouds = np.interp(
        minutes / 30.0, np.arange(days * 48 + 1), rng.uniform(0.6, 1.0, days * 48 + 1)
    )
    sun = _CLEAR_W_PER_M2 * arc * clear[minutes // MINUTES_PER_DAY] * clouds
    return Weather(outdoor_c, sun)
