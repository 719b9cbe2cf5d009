"""Reasons in words that do not flicker: another reason is said at once, other figures in time.

A sentence holds watts and minutes that move with every decision; each change would be a row in the
recorder. Time is an argument.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Protocol

_DRIFT_S: Final = 900.0


class Reason(Protocol):
    """A code and the figures that its sentence needs: a limit, or why a workload is favored."""

    @property
    def code(self) -> StrEnum:
        """What it is."""

    @property
    def values(self) -> Mapping[str, float | str]:
        """The figures, and the names of what it is about."""


class Wording[ReasonT: Reason]:
    """What is said of one thing's reason."""

    def __init__(self, words: Callable[[ReasonT], str]) -> None:
        """`words` makes the sentence."""
        self._words = words
        self._subject: tuple[str, ...] | None = None
        self._at = float("-inf")
        self._said: str | None = None

    def say(self, reason: ReasonT | None, now: float) -> str | None:
        """Return the sentence at `now` (seconds), None while there is no reason."""
        subject = _subject(reason)
        if subject != self._subject or now - self._at >= _DRIFT_S:
            self._subject, self._at = subject, now
            self._said = None if reason is None else short(self._words(reason))
        return self._said


def short(text: str) -> str:
    """Return text that fits into a state."""
    return text if len(text) <= 255 else f"{text[:254]}…"


def _subject(reason: Reason | None) -> tuple[str, ...] | None:
    """Return what a sentence is about, apart from its figures."""
    if reason is None:
        return None
    return (reason.code, *(one for one in reason.values.values() if isinstance(one, str)))
