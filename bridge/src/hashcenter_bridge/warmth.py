"""Who is about to ask: while somebody speaks, hashing gives way and the prompt is made ready.

Each announcement lapses by itself, so that a satellite that dies pauses nothing for long. It never
has a model loaded: that takes longer than anybody speaks.
"""

from collections.abc import Callable
from typing import Final

#: How long an announcement holds, unless it is renewed.
LAPSES_S: Final = 10.0
#: More satellites than that do not listen at the same time.
_MOST: Final = 64


class Warmth:
    """The announcements in force. `clock` counts seconds; `changed` wakes the loop."""

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._until: dict[str, float] = {}

    def begin(self, who: str) -> None:
        """Note, or note again, that `who` hears somebody speak."""
        self._until.pop(who, None)
        if len(self._until) >= _MOST:
            del self._until[next(iter(self._until))]
        self._until[who] = self._clock() + LAPSES_S
        self._changed()

    def end(self, who: str) -> None:
        """Note that no question follows from `who` after all."""
        if self._until.pop(who, None) is not None:
            self._changed()

    @property
    def active(self) -> bool:
        """Whether somebody is about to ask."""
        now = self._clock()
        self._until = {who: until for who, until in self._until.items() if until > now}
        return bool(self._until)
