"""What a day comes to: kWh that counters went up by, each at what it was worth at that moment.

Pure. A kWh counts once: over a silence the counter catches up, and nothing is invented for a time
that nobody measured. A new local day begins at 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

#: Between two looks further apart nobody knows what a rate was.
_GAP_S: Final = 60.0
_DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class Tally:
    """The worth of what several counters (kWh) went up by on `day`, an ISO date."""

    day: str = ""
    amount: float = 0.0
    counters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def add(
        self, readings: Mapping[str, float], worth: Mapping[str, float | None], day: str
    ) -> Self:
        """Return the tally of `day` after these readings, a kWh of each worth so much now.

        What nobody knows the worth of waits, and is counted at the next worth of the same day.
        """
        amount = self.amount if day == self.day else 0.0
        counters = dict(self.counters)
        for name, kwh in readings.items():
            before, value = counters.get(name), worth.get(name)
            if value is None and before is not None and day == self.day:
                continue
            if value is not None and before is not None:
                amount += max(0.0, kwh - before) * value
            counters[name] = kwh
        return type(self)(day, amount, MappingProxyType(counters))

    def stored(self) -> dict[str, Any]:
        """Return the tally as it is kept over a restart."""
        return {"day": self.day, "amount": self.amount, "counters": dict(self.counters)}

    @classmethod
    def restored(cls, data: Mapping[str, Any]) -> Self:
        """Return the tally that `stored` kept."""
        return cls(data["day"], data["amount"], MappingProxyType(data["counters"]))


@dataclass(frozen=True)
class Flow:
    """What came in on `day` at a rate that is looked at now and then; `at` is the last look."""

    day: str = ""
    amount: float = 0.0
    at: float | None = None

    def add(self, per_day: float | None, day: str, now: float) -> Self:
        """Return the flow after a look at `now` (seconds); the rate holds since the last look."""
        amount = self.amount if day == self.day else 0.0
        if per_day is not None and self.at is not None and 0.0 < now - self.at <= _GAP_S:
            amount += per_day * (now - self.at) / _DAY_S
        return type(self)(day, amount, now if per_day is not None else None)
