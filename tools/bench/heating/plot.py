"""One day of one house as a picture: temperature, watts by heater demand, and the thermostat's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.heating.houses import HouseOf
from tests.heating.loop import Course
from tests.heating.weather import MINUTES_PER_DAY

_SIZE: Final = (1200, 770)
_LEFT, _RIGHT = 70, 1170
_PANELS: Final = ((60, 345), (435, 720))
_INK: Final = (40, 44, 52)
_FAINT: Final = (222, 225, 230)
_COLORS: Final = {
    "target": (150, 150, 150),
    "hysteresis": (214, 134, 60),
    "hashcenter": (20, 110, 190),
    "demand": (90, 160, 90),
}
_DAY: Final = 5
_ENOUGH: Final = 1.1


def telling(houses: list[HouseOf]) -> int:
    """Return a house in which both kinds of heaters take part, and together are enough."""
    able = [one for one in houses if one.asics and not one.tight and one.capacity >= _ENOUGH]
    return (able or houses)[0].number


def draw(house: HouseOf, courses: Mapping[str, Course], file: Path) -> None:
    """Write the picture of a day."""
    day = min(_DAY, house.days - 1)
    span = slice(day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY)
    ours, other = courses["hashcenter"], courses["hysteresis"]
    targets = np.array([house.target_c(minute) for minute in range(house.days * MINUTES_PER_DAY)])
    image = Image.new("RGB", _SIZE, "white")
    pen = ImageDraw.Draw(image)
    _panel(
        pen,
        _PANELS[0],
        "Room temperature (°C)",
        {
            "target": targets[span],
            "hysteresis": other.room_c[span],
            "hashcenter": ours.room_c[span],
        },
        (1.0, 0.5),
    )
    _panel(
        pen,
        _PANELS[1],
        "Watts into the room (W)",
        {
            "hysteresis": other.heating_w[span],
            "demand": np.clip(ours.demand_w[span], 0.0, house.installed_w),
            "hashcenter": ours.heating_w[span],
        },
        (0.0, 1000.0),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, optimize=True)


def _panel(
    pen: ImageDraw.ImageDraw,
    place: tuple[int, int],
    title: str,
    lines: Mapping[str, NDArray[np.float64]],
    grid: tuple[float, float],
) -> None:
    top, bottom = place
    margin, step = grid
    low = float(min(line.min() for line in lines.values())) - margin * 0.3
    high = float(max(line.max() for line in lines.values())) + step * 0.3
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    font = ImageFont.load_default(size=15)
    pen.text((_LEFT, top - 44), title, fill=_INK, font=ImageFont.load_default(size=18))

    def y_of(value: float) -> float:
        return float(bottom - (value - low) / (high - low) * (bottom - top))

    for value in np.arange(low, high + step / 2, step):
        pen.line((_LEFT, y_of(value), _RIGHT, y_of(value)), fill=_FAINT)
        pen.text((_LEFT - 55, y_of(value) - 9), f"{value:g}", fill=_INK, font=font)
    for hour in range(0, 25, 3):
        x = _LEFT + hour / 24.0 * (_RIGHT - _LEFT)
        pen.line((x, top, x, bottom), fill=_FAINT)
        pen.text((x - 16, bottom + 8), f"{hour:02d}:00", fill=_INK, font=font)
    for index, (name, line) in enumerate(lines.items()):
        points = [
            (_LEFT + minute / MINUTES_PER_DAY * (_RIGHT - _LEFT), y_of(float(value)))
            for minute, value in enumerate(line)
        ]
        pen.line(points, fill=_COLORS[name], width=2)
        x = _LEFT + 300 + 150 * index
        pen.line((x, top - 33, x + 26, top - 33), fill=_COLORS[name], width=4)
        pen.text((x + 34, top - 43), name, fill=_INK, font=font)
