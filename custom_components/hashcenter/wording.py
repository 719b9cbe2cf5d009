"""Limits in words that do not flicker: another limit is said at once, other figures in time.

A sentence holds watts and minutes that move with every decision; each change would be a row in the
recorder. Time is an argument.
"""

from collections.abc import Callable
from typing import Final

from .control.wanted import Limit
from .sensor_kinds import short

_DRIFT_S: Final = 300.0


class Wording:
    """What is said of one thing's limit."""

    def __init__(self, words: Callable[[Limit], str]) -> None:
        """`words` makes the sentence."""
        self._words = words
        self._subject: tuple[str, ...] | None = None
        self._at = float("-inf")
        self._said: str | None = None

    def say(self, limit: Limit | None, now: float) -> str | None:
        """Return the sentence at `now` (seconds), None while there is no limit."""
        subject = _subject(limit)
        if subject != self._subject or now - self._at >= _DRIFT_S:
            self._subject, self._at = subject, now
            self._said = None if limit is None else short(self._words(limit))
        return self._said


def _subject(limit: Limit | None) -> tuple[str, ...] | None:
    """Return what a sentence is about, apart from its figures."""
    if limit is None:
        return None
    return (limit.code, *(one for one in limit.values.values() if isinstance(one, str)))
