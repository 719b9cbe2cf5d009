"""Energy that never goes backwards: a hardware counter, or integrated watts where there is none.

Counter and integrated watts are cross-checked: on a card whose counter stands still or runs away,
the watts are believed. A counter that restarts (driver reload) or jumps is bridged by the watts of
that interval.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, field

_J_PER_KWH = 3_600_000.0
#: Integrating over a longer silence would invent energy.
_MAX_GAP_S = 30.0
_CHECK_J = 20_000.0
#: No device draws more: a counter that says so jumped.
_MOST_W = 20_000.0
#: What may have been used while the bridge was not running.
_MOST_AWAY_J = 100 * _J_PER_KWH


@dataclass
class Meter:
    """One device's meter. `kept` is its place in the store: `kwh` and the last `counter_j`."""

    kept: MutableMapping[str, float]
    agreement: float | None = None
    _at: float | None = None
    _counted_at: float | None = None
    _power_w: float | None = None
    _distrusted: bool = False
    _counted_j: float = field(default=0.0)
    _integrated_j: float = field(default=0.0)

    @property
    def kwh(self) -> float:
        """Energy since the device was first seen."""
        return self.kept.get("kwh", 0.0)

    def update(self, now: float, power_w: float | None, counter_j: float | None = None) -> float:
        """Take a look at `now` (seconds) and return the energy so far in kWh."""
        integrated_j = self._integrate(now, power_w)
        joules = integrated_j
        if counter_j is not None:
            last = self.kept.get("counter_j")
            delta = None if last is None else counter_j - last
            self.kept["counter_j"] = counter_j
            if delta is not None and not self._distrusted and 0 <= delta <= self._most_j(now):
                joules = delta
            self._counted_at = now
            if delta is not None and integrated_j > 0:
                self._cross_check(max(delta, 0.0), integrated_j)
        self.kept["kwh"] = self.kwh + max(0.0, joules) / _J_PER_KWH
        return self.kwh

    def _most_j(self, now: float) -> float:
        """Return the most that a counter can have counted since it was read last."""
        if self._counted_at is None:
            return _MOST_AWAY_J
        return _MOST_W * max(0.0, now - self._counted_at)

    def _integrate(self, now: float, power_w: float | None) -> float:
        before_at, before_w = self._at, self._power_w
        self._at, self._power_w = now, power_w
        if before_at is None or before_w is None or power_w is None:
            return 0.0
        gap_s = now - before_at
        return (before_w + power_w) / 2 * gap_s if 0 < gap_s <= _MAX_GAP_S else 0.0

    def _cross_check(self, counted_j: float, integrated_j: float) -> None:
        self._counted_j += counted_j
        self._integrated_j += integrated_j
        if self._integrated_j < _CHECK_J:
            return
        self.agreement = self._counted_j / self._integrated_j
        self._distrusted = not 0.75 <= self.agreement <= 1.25
        self._counted_j = self._integrated_j = 0.0
