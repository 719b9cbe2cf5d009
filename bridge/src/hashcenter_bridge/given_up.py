"""What people cost in hashes: what a paused miner would have hashed, and the energy for it.

Counted at the rate and the watts that the miner had when it gave way. Hashes that were never made
are no loss that anybody can measure: this is what the miner itself said it did, times the pause.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .store import Totals

#: A gap in which nobody looked (a suspended machine) is not counted as a pause.
_MAX_GAP_S = 5.0


@dataclass(frozen=True)
class Paused:
    """A miner now: whether it hashes, or gives way to people; its rate and watts if it hashes."""

    name: str
    hashes: bool
    gives_way: bool
    hash_rate_hs: float | None = None
    power_w: float | None = None


@dataclass
class GivenUp:
    """Adds up in `totals`; the fractions that are no whole hash or joule yet stay here."""

    totals: Totals
    _rates: dict[str, tuple[float, float]] = field(default_factory=dict)
    _looked_at: float | None = None
    _hashes: float = 0.0
    _joules: float = 0.0

    def look(self, miners: Iterable[Paused], now: float) -> None:
        """Count what was given up since the last look."""
        gap_s = 0.0 if self._looked_at is None else min(now - self._looked_at, _MAX_GAP_S)
        self._looked_at = now
        for miner in miners:
            if miner.hashes:
                before = self._rates.get(miner.name, (0.0, 0.0))
                self._rates[miner.name] = (
                    before[0] if miner.hash_rate_hs is None else miner.hash_rate_hs,
                    before[1] if miner.power_w is None else miner.power_w,
                )
            elif miner.gives_way and miner.name in self._rates:
                rate_hs, power_w = self._rates[miner.name]
                self._hashes += rate_hs * gap_s
                self._joules += power_w * gap_s
            elif not miner.gives_way:
                # It stopped for another reason: people take nothing from it.
                self._rates.pop(miner.name, None)
        hashes, joules = int(self._hashes), int(self._joules)
        self._hashes -= hashes
        self._joules -= joules
        self.totals.hashes_given_up += hashes
        self.totals.joules_given_up += joules
