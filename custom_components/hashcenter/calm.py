"""How a measured value becomes few recorder rows: what a person would call a change passes at once.

Rigs speak every few seconds and watts never stand still. A change beyond the deadband passes while
the budget lasts; a smaller one waits until the last written value is old. Time is an argument.
"""

from dataclasses import dataclass, field
from typing import Final

#: So many changes in a row pass at once, and then one more each `_REFILL_S`.
_BURST: Final = 10.0
_REFILL_S: Final = 90.0


@dataclass(frozen=True)
class Calm:
    """What counts as a change: more than `deadband` and more than `share` of the written value.

    Anything smaller is written when the last written value is `drift_s` old.
    """

    deadband: float = 0.0
    share: float = 0.0
    drift_s: float = 300.0


@dataclass
class Damper:
    """Judges one entity's values against the last one that passed."""

    calm: Calm
    _written: object = None
    _at: float = field(default=float("-inf"))
    _budget: float = _BURST
    _budget_at: float = field(default=float("-inf"))

    def passes(self, value: object, now: float) -> bool:
        """Return whether `value`, seen at `now` (seconds), is to be written; remember it if so."""
        if value == self._written:
            return False
        if value is not None and self._written is not None and not self._worth(value, now):
            return False
        self._written, self._at = value, now
        return True

    def _worth(self, value: object, now: float) -> bool:
        if not self._is_step(value):
            return now - self._at >= self.calm.drift_s
        self._budget = min(_BURST, self._budget + (now - self._budget_at) / _REFILL_S)
        self._budget_at = now
        if self._budget < 1.0:
            return False
        self._budget -= 1.0
        return True

    def _is_step(self, value: object) -> bool:
        if not isinstance(value, int | float) or not isinstance(self._written, int | float):
            return True
        limit = max(self.calm.deadband, self.calm.share * abs(self._written))
        return abs(value - self._written) > limit
