"""What answering has taken so far, and how soon the next answer could begin.

Recent answers count most: each figure is a moving mean, so that a changed model or power limit
shows after a few questions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .store import Totals
from .tickets import Ticket

_WEIGHT = 0.3


def _mean(before: float | None, value: float) -> float:
    return value if before is None else before + _WEIGHT * (value - before)


@dataclass
class Answers:
    """Figures of finished answers. `joules` returns what a runner's devices have used so far."""

    totals: Totals
    joules: Callable[[str], float | None]
    preempt_s: float | None = None
    first_token_s: float | None = None
    answer_s: float | None = None
    tokens_per_s: float | None = None
    tokens_per_joule: float | None = None

    def __post_init__(self) -> None:
        self._joules_at: dict[int, float] = {}

    def granted(self, ticket: Ticket, *, preempted: bool) -> None:
        """Note that an answer begins; `preempted` says that a miner had to give way for it."""
        if preempted:
            self.totals.preemptions += 1
            self.preempt_s = _mean(
                self.preempt_s, ticket.stamps["granted"] - ticket.stamps["opened"]
            )
        used = self.joules(ticket.runner) if ticket.runner else None
        if used is not None:
            self._joules_at[ticket.id] = used

    def closed(self, ticket: Ticket) -> None:
        """Note a finished question; one that never got a token counts for nothing."""
        began_j = self._joules_at.pop(ticket.id, None)
        stamps = ticket.stamps
        if "first_token" not in stamps or "granted" not in stamps:
            return
        tokens = ticket.usage.completion_tokens if ticket.usage else 0
        self.totals.answers += 1
        self.totals.tokens += tokens
        self.first_token_s = _mean(self.first_token_s, stamps["first_token"] - stamps["granted"])
        self.answer_s = _mean(self.answer_s, stamps["closed"] - stamps["granted"])
        decode_s = stamps["closed"] - stamps["first_token"]
        if tokens > 1 and decode_s > 0:
            self.tokens_per_s = _mean(self.tokens_per_s, (tokens - 1) / decode_s)
        used_j = self.joules(ticket.runner) if ticket.runner else None
        if tokens and began_j is not None and used_j is not None and used_j > began_j:
            self.tokens_per_joule = _mean(self.tokens_per_joule, tokens / (used_j - began_j))

    def predict_s(self, *, hashing: bool, waiting: int, free_slots: int) -> float | None:
        """Return the seconds to the first token if asked now, None before the first answer."""
        if self.first_token_s is None:
            return None
        ahead = max(0, waiting + 1 - free_slots)
        return (
            self.first_token_s + (self.preempt_s or 0.0) * hashing + ahead * (self.answer_s or 0.0)
        )
