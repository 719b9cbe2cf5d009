"""How a measured value becomes few recorder rows: what a person would call a change passes at once.

Rigs speak every few seconds and watts never stand still. A change beyond the deadband passes while
the budget lasts, then once in 40 s; a leap (somebody did something) then waits 10 s at
most. A smaller change waits until the last written value is old. Time is an argument.
"""

from dataclasses import dataclass, field
from typing import Final

#: So many changes in a row pass at once, and then one more each `_REFILL_S`.
_BURST: Final = 10.0
_REFILL_S: Final = 40.0
#: A change of so many deadbands is what somebody did, not how a load wanders.
_LEAP: Final = 4.0
_LEAP_AFTER_S: Final = 10.0


@dataclass(frozen=True)
class Calm:
    """What counts as a change: more than `deadband` and more than `share` of the written value.

    Anything smaller is written when the last written value is `drift_s` old.
    """

    deadband: float = 0.0
    share: float = 0.0
    drift_s: float = 600.0


@dataclass
class Damper:
    """Judges an entity's values against the last that passed; without `calm` all changes pass."""

    calm: Calm | None
    _written: object = None
    _at: float = field(default=float("-inf"))
    _budget: float = _BURST
    _budget_at: float = field(default=float("-inf"))

    def passes(self, value: object, now: float) -> bool:
        """Return whether `value`, seen at `now` (seconds), is to be written; remember it if so."""
        if value == self._written:
            return False
        known = value is not None and self._written is not None
        if known and self.calm is not None and not self._worth(value, self.calm, now):
            return False
        self._written, self._at = value, now
        return True

    def _worth(self, value: object, calm: Calm, now: float) -> bool:
        deadbands = self._deadbands(value, calm)
        if deadbands <= 1.0:
            return now - self._at >= calm.drift_s
        self._budget = min(_BURST, self._budget + (now - self._budget_at) / _REFILL_S)
        self._budget_at = now
        if self._budget < 1.0:
            return deadbands > _LEAP and now - self._at >= _LEAP_AFTER_S
        self._budget -= 1.0
        return True

    def _deadbands(self, value: object, calm: Calm) -> float:
        """Return how many deadbands the change is wide; words have none, so they always leap."""
        if not isinstance(value, int | float) or not isinstance(self._written, int | float):
            return float("inf")
        deadband = max(calm.deadband, calm.share * abs(self._written))
        change = abs(value - self._written)
        if deadband == 0.0:
            return 2.0 if change else 0.0
        return change / deadband
