"""What the miner counts: hash rates over xmrig's three windows, and what became of its shares."""

from collections import deque
from dataclasses import dataclass, field

#: xmrig's windows: ten seconds, a minute, a quarter of an hour.
WINDOWS_S = (10.0, 60.0, 900.0)


class HashRate:
    """The hash rate of one hashing process, from its reports. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._samples: deque[tuple[float, int]] = deque([(now, 0)])

    def add(self, hashes: int, now: float) -> None:
        """Count hashes that were done since the last report."""
        self._samples.append((now, self._samples[-1][1] + hashes))
        # The newest sample older than the longest window is still needed as its start.
        while len(self._samples) > 1 and self._samples[1][0] <= now - WINDOWS_S[-1]:
            self._samples.popleft()

    def per_second(self, window_s: float, now: float) -> float | None:
        """Return hashes per second over the last window, or None before a whole one has passed."""
        for time, hashes in reversed(self._samples):
            if time <= now - window_s:
                return (self._samples[-1][1] - hashes) / (now - time)
        return None


def total(rates: list[float | None]) -> float | None:
    """Add hash rates; unknown if one of them is."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if rates and len(known) == len(rates) else None


@dataclass
class Shares:
    """What the pool said to our shares. Difficulties are in expected hashes."""

    accepted: int = 0
    rejected: int = 0
    hashes: int = 0
    best: list[int] = field(default_factory=lambda: [0] * 10)

    def accept(self, difficulty: int, actual: int) -> None:
        """Count an accepted share: asked for `difficulty`, its hash was worth `actual`."""
        self.accepted += 1
        self.hashes += difficulty
        self.best = sorted([*self.best, actual], reverse=True)[:10]

    def reject(self) -> None:
        """Count a share that the pool refused."""
        self.rejected += 1
