"""Adds up energy of counters that come, go and begin anew, without ever jumping or going back.

A counter's first value is where counting starts; a smaller value than the last is a new start. What
was counted stays counted when a rig or a device leaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self


@dataclass(frozen=True)
class Accumulator:
    """The kWh that several counters went up by; `counters` holds the last value of each."""

    total_kwh: float = 0.0
    counters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def add(self, readings: Mapping[str, float]) -> Self:
        """Return the sum after these counter readings (kWh)."""
        risen = sum(
            max(0.0, kwh - self.counters[name])
            for name, kwh in readings.items()
            if name in self.counters
        )
        counters = MappingProxyType({**self.counters, **readings})
        return replace(self, total_kwh=self.total_kwh + risen, counters=counters)


@dataclass(frozen=True)
class Daily:
    """The kWh that several counters went up by on one day, named as its ISO date."""

    day: str = ""
    sum: Accumulator = field(default_factory=Accumulator)

    def add(self, readings: Mapping[str, float], day: str) -> Self:
        """Return the sum of `day` after these counter readings (kWh); a new day begins at 0."""
        counted = self.sum if day == self.day else replace(self.sum, total_kwh=0.0)
        return replace(self, day=day, sum=counted.add(readings))


@dataclass(frozen=True)
class Remainder:
    """What a whole used beyond its parts, in kWh.

    Whole and parts are read at different moments, so the difference may dip for a moment; what was
    said once is never taken back. So nothing new is said while a part is still to be heard: after a
    long silence the whole would be ahead of its parts.
    """

    whole: Accumulator = field(default_factory=Accumulator)
    parts: Accumulator = field(default_factory=Accumulator)
    said_kwh: float = 0.0

    def add(self, whole_kwh: float, parts: Mapping[str, float], *, complete: bool) -> Self:
        """Return the remainder after these counter readings (kWh); `complete` if no part lacks."""
        whole = self.whole.add({"whole": whole_kwh})
        read = self.parts.add(parts)
        left = whole.total_kwh - read.total_kwh if complete else 0.0
        return replace(self, whole=whole, parts=read, said_kwh=max(self.said_kwh, left))
