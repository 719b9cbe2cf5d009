"""From watts to a setting and back: what a knob's places draw, corrected by what was measured.

A limit is not a draw: firmware told to take 3031 W took 3137 W. So the ratio of measured to nominal
watts is learned for each part of the knob's range and used from then on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from ...wire.values import Capabilities
from .types import Setting

#: Beyond this a meter, not a knob, is wrong.
_LEAST, _MOST = 0.5, 1.6
#: So far from what is known of it a knob may still be the cause of the watts.
_PLAUSIBLE: Final = 0.25
_LEARN: Final = 0.3
_PARTS: Final = 10
#: Unknown idle draw of a machine that keeps its controller and fans on.
_IDLE_SHARE: Final = 0.05


@dataclass(frozen=True)
class Knob:
    """A machine's knob and what is known of it. Without one there is a single place: at work."""

    can: Capabilities
    ratios: Mapping[str, float]

    @property
    def exists(self) -> bool:
        """Whether anything can be set."""
        return bool(self.can.power_limit or self.can.percent or self.can.steps)

    @property
    def idle_w(self) -> float:
        """What a paused machine draws."""
        if self.can.idle_w is not None:
            return self.can.idle_w
        return _IDLE_SHARE * self.nominal_w

    @cached_property
    def nominal_w(self) -> float:
        """What it draws at work with no knob touched, by its maker's word."""
        if self.can.nominal_w is not None:
            return self.can.nominal_w
        return max((self._nominal(one) for one in self._ends()), default=0.0)

    @cached_property
    def min_w(self) -> float:
        """Watts of its lowest place."""
        return min((self.watts(one) for one in self._ends()), default=self._plain_w)

    @cached_property
    def max_w(self) -> float:
        """Watts of its highest place."""
        return max((self.watts(one) for one in self._ends()), default=self._plain_w)

    @property
    def step_w(self) -> float:
        """Watts between two places; of the widest gap, where they differ."""
        if self.can.power_limit:
            return max(1.0, self.can.power_limit.step_w)
        if self.can.percent:
            return max(1.0, self.can.percent.step_percent / 100 * self.can.percent.full_w)
        watts = sorted(step.power_w for step in self.can.steps)
        return max((b - a for a, b in pairwise(watts)), default=1.0)

    @property
    def lowest(self) -> Setting | None:
        """Its lowest place, None without a knob."""
        ends = self._ends()
        return min(ends, key=self.watts) if ends else None

    def watts(self, setting: Setting | None) -> float:
        """Return what it draws at work at this place, as far as known."""
        if setting is None or not self.exists:
            return self._plain_w
        return self._nominal(setting) * self._ratio(setting)

    def setting_for(self, power_w: float) -> Setting | None:
        """Return the highest place that draws no more than `power_w`; the lowest if none does."""
        lowest = self.lowest
        if lowest is None:
            return None
        if self.can.steps:
            fitting = [one.name for one in self.can.steps if self.watts(one.name) <= power_w + 1e-6]
            return max(fitting, key=self.watts) if fitting else lowest
        low, high, step = self._range()
        # The ratio depends on the place: two rounds are enough for what is smooth.
        value = high
        for _ in range(3):
            aimed = power_w / (self._full_w() * self._ratio(value))
            value = min(high, max(low, low + math.floor((aimed - low) / step + 1e-6) * step))
        while value > low and self.watts(value) > power_w + 1e-6:
            value = max(low, value - step)
        return round(value, 3)

    def same(self, one: Setting | None, other: Setting | None) -> bool:
        """Return whether two places are one: within half a step."""
        if isinstance(one, str) or isinstance(other, str) or one is None or other is None:
            return one == other
        return abs(one - other) <= max(self._range()[2] / 2, 0.005 * max(one, other))

    def learned(self, setting: Setting | None, power_w: float) -> Mapping[str, float]:
        """Return the ratios with one more look at a machine that has settled there."""
        nominal_w = self._plain_nominal_w if setting is None else self._nominal(setting)
        if nominal_w <= 0:
            return self.ratios
        seen = min(_MOST, max(_LEAST, power_w / nominal_w))
        place = self._place(setting)
        before = self.ratios.get(place, seen)
        return {**self.ratios, place: before + _LEARN * (seen - before)}

    def is_plausible(self, setting: Setting | None, power_w: float) -> bool:
        """Return whether these watts may be what this place draws."""
        known_w = self.watts(setting)
        return abs(power_w - known_w) <= _PLAUSIBLE * known_w

    @property
    def _plain_nominal_w(self) -> float:
        return self.can.nominal_w or 0.0

    @property
    def _plain_w(self) -> float:
        return self._plain_nominal_w * self._ratio(None)

    def _ends(self) -> tuple[Setting, ...]:
        if self.can.steps:
            return tuple(step.name for step in self.can.steps)
        if self.can.power_limit or self.can.percent:
            return self._range()[:2]
        return ()

    def _range(self) -> tuple[float, float, float]:
        """Return the lowest and highest number and the step between two."""
        if self.can.power_limit:
            limit = self.can.power_limit
            return limit.min_w, limit.max_w, max(limit.step_w, 1e-3)
        if self.can.percent:
            percent = self.can.percent
            return percent.min_percent, percent.max_percent, percent.step_percent
        return 0.0, 0.0, 1.0

    def _full_w(self) -> float:
        """Return the nominal watts of one unit of the number."""
        return (
            1.0 if self.can.power_limit or not self.can.percent else self.can.percent.full_w / 100
        )

    def _nominal(self, setting: Setting) -> float:
        if isinstance(setting, str):
            # A place that nobody announced draws as much as any.
            known = {one.name: one.power_w for one in self.can.steps}
            return known.get(setting, self.can.nominal_w or max(known.values(), default=0.0))
        return setting * self._full_w()

    def _place(self, setting: Setting | None) -> str:
        """Return which part of the range this is: watts per number change slowly along it."""
        if setting is None or isinstance(setting, str):
            return setting or ""
        low, high, _ = self._range()
        return str(round(_PARTS * (setting - low) / (high - low)) if high > low else 0)

    def _ratio(self, setting: Setting | None) -> float:
        place = self._place(setting)
        if place in self.ratios or not self.ratios:
            return self.ratios.get(place, 1.0)
        if isinstance(setting, float | int):
            parts = [int(part) for part in self.ratios if part.isdigit()]
            if parts:
                return self.ratios[str(min(parts, key=lambda part: abs(part - int(place))))]
        return sum(self.ratios.values()) / len(self.ratios)
