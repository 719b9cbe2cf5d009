"""What answering has taken so far, and how soon the next answer could begin.

Recent answers count most: each figure is a moving mean, so that a changed model or power limit
shows after a few questions. Stages of an answer: it waits in the queue, hashing pauses, the model
loads, the prompt is read; then it speaks.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .store import Totals
from .tickets import Priority, Ticket
from .wire.messages import LastAnswer, Stages

_WEIGHT = 0.3
#: What is left of an answer's energy at the next one.
_FADE = 0.9
#: Fewer tokens say nothing about how fast a prompt is read.
_READ_TOKENS = 32


def _mean(before: float | None, value: float) -> float:
    return value if before is None else before + _WEIGHT * (value - before)


@dataclass(frozen=True)
class _Start:
    """How the counters stood when a question was granted."""

    joules: float | None
    hashes_given_up: int
    joules_given_up: int
    preempted: bool


@dataclass
class Answers:
    """Figures of finished answers. `joules` returns what a runner's devices have used so far."""

    totals: Totals
    joules: Callable[[str], float | None]
    preempt_s: float | None = None
    first_token_s: float | None = None
    answer_s: float | None = None
    tokens_per_s: float | None = None
    prompt_tokens_per_s: float | None = None
    cached_share: float | None = None
    last: LastAnswer | None = None

    def __post_init__(self) -> None:
        self._starts: dict[int, _Start] = {}
        self._opened: dict[int, tuple[int, int]] = {}
        self._tokens = self._joules = 0.0

    @property
    def tokens_per_joule(self) -> float | None:
        """The tokens of recent answers over their energy, None before any was measured.

        Sums of both, in which the latest count most: meters are read once a second, so of two short
        answers one may have cost nothing and the other twice its share.
        """
        return self._tokens / self._joules if self._tokens and self._joules else None

    def opened(self, ticket: Ticket) -> None:
        """Note a new question: from now on hashing may give way to it."""
        self._opened[ticket.id] = (self.totals.hashes_given_up, self.totals.joules_given_up)

    def granted(self, ticket: Ticket, *, preempted: bool) -> None:
        """Note that an answer begins; `preempted` says that a miner had to give way for it."""
        if preempted:
            self.totals.preemptions += 1
            self.preempt_s = _mean(
                self.preempt_s, ticket.stamps["granted"] - ticket.stamps["opened"]
            )
        hashes, joules = self._opened.get(
            ticket.id, (self.totals.hashes_given_up, self.totals.joules_given_up)
        )
        used = self.joules(ticket.runner) if ticket.runner else None
        self._starts[ticket.id] = _Start(used, hashes, joules, preempted)

    def closed(self, ticket: Ticket) -> None:
        """Note a finished question; one that never got a token counts for nothing."""
        self._opened.pop(ticket.id, None)
        start = self._starts.pop(ticket.id, None)
        stamps = ticket.stamps
        if start is None or "first_token" not in stamps or "granted" not in stamps:
            return
        usage = ticket.usage
        tokens = usage.completion_tokens if usage else 0
        self.totals.answers += 1
        self.totals.tokens += tokens
        read_s = stamps["first_token"] - stamps["granted"]
        self.first_token_s = _mean(self.first_token_s, read_s)
        self.answer_s = _mean(self.answer_s, stamps["closed"] - stamps["granted"])
        decode_s = stamps["closed"] - stamps["first_token"]
        if tokens > 1 and decode_s > 0:
            self.tokens_per_s = _mean(self.tokens_per_s, (tokens - 1) / decode_s)
        used_j = self.joules(ticket.runner) if ticket.runner else None
        took_j = None if used_j is None or start.joules is None else used_j - start.joules
        if tokens and took_j is not None:
            self._tokens = self._tokens * _FADE + tokens
            self._joules = self._joules * _FADE + max(0.0, took_j)
        if usage and usage.prompt_tokens:
            self._count_prompt(ticket, usage.prompt_tokens, usage.cached_tokens, read_s)
        self.last = self._figures(ticket, start, took_j)

    def _count_prompt(self, ticket: Ticket, tokens: int, cached: int, read_s: float) -> None:
        if ticket.priority is Priority.VOICE:
            self.cached_share = _mean(self.cached_share, min(1.0, cached / tokens))
        if tokens - cached >= _READ_TOKENS and read_s > 0:
            self.prompt_tokens_per_s = _mean(self.prompt_tokens_per_s, (tokens - cached) / read_s)

    def _figures(self, ticket: Ticket, start: _Start, took_j: float | None) -> LastAnswer:
        stamps, usage = ticket.stamps, ticket.usage
        waited_s = stamps["granted"] - stamps["opened"]
        given_up_wh = (self.totals.joules_given_up - start.joules_given_up) / 3600
        return LastAnswer(
            priority=ticket.priority.name.lower(),
            queue_s=0.0 if start.preempted else round(waited_s, 3),
            pause_s=round(waited_s, 3) if start.preempted else 0.0,
            read_s=round(stamps["first_token"] - stamps["granted"], 3),
            speak_s=round(stamps["closed"] - stamps["first_token"], 3),
            prompt_tokens=usage.prompt_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            energy_wh=None if took_j is None else round(max(0.0, took_j) / 3600, 4),
            hashes_given_up=self.totals.hashes_given_up - start.hashes_given_up,
            energy_given_up_wh=round(given_up_wh, 4),
        )

    def stages(
        self, *, hashing: bool, waiting: int, free_slots: int, load_s: float, unread: int
    ) -> Stages | None:
        """Return what stands before the first token if asked now, None before the first answer.

        `load_s` is how much longer the model loads; `unread` is how many tokens of the house's
        prompt the runner has not read.
        """
        if self.first_token_s is None:
            return None
        ahead = max(0, waiting + 1 - free_slots)
        unread_s = unread / self.prompt_tokens_per_s if self.prompt_tokens_per_s else 0.0
        return Stages(
            queue_s=round(ahead * (self.answer_s or 0.0), 3),
            pause_s=round((self.preempt_s or 0.0) * hashing, 3),
            load_s=round(load_s, 3),
            read_s=round(self.first_token_s + unread_s, 3),
        )
