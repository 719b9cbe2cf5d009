"""What is wrong now, and since when: a fault appears once, stays while it lasts, and goes once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .wire.messages import Fault

Key = tuple[str, str | None]


@dataclass
class Faults:
    """Compares what is wrong now with what was wrong before."""

    _since: dict[Key, tuple[float, str]] = field(default_factory=dict)

    def update(self, current: Mapping[Key, str], now: float) -> tuple[list[Key], list[Key]]:
        """Take what is wrong, (code, uid) -> sentence; return what appeared and what went."""
        appeared = [key for key in current if key not in self._since]
        gone = [key for key in self._since if key not in current]
        for key in gone:
            del self._since[key]
        for key, text in current.items():
            since, _ = self._since.get(key, (now, ""))
            self._since[key] = (since, text)
        return appeared, gone

    def list(self, now: float) -> tuple[Fault, ...]:
        """Return all that is wrong, the oldest first."""
        return tuple(
            Fault(code=code, uid=uid, text=text[:400], since_s=round(now - since))
            for (code, uid), (since, text) in sorted(self._since.items(), key=lambda one: one[1][0])
        )
