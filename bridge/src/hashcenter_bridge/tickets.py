"""Who waits for an answer: every request to the HTTP API holds a ticket until it is done.

`http_api.py` opens a ticket and waits for its grant; the arbiter orders the tickets; `loop.py`
grants them, once what stands in the way (a hashing miner, a loading model) is gone. Each stage is
stamped. Until its first token an answer can be recalled: its ticket waits again, nothing was said.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count


class Priority(IntEnum):
    """Who goes first: a person who waits, then a task, then a batch."""

    VOICE = 0
    TASK = 1
    BATCH = 2


class TicketRefused(Exception):
    """The question cannot be answered now. `code` is stable, `text` is one sentence."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Usage:
    """What an answer took, as the runner counted it."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


@dataclass(eq=False)
class Ticket:
    """One request's place in the queue. `stamps` holds seconds of the clock per stage passed.

    Stages: `opened`, `granted`, `first_token`, `closed`. `runner` and the runner's `slot` are set
    with the grant. `on_recall` is what calls an answer off that has said nothing yet; None while
    that is not possible. A `redoable` answer goes to nobody before it is whole.
    `on_said` is told of the first token.
    """

    id: int
    priority: Priority
    model: str | None
    clock: Callable[[], float]
    stamps: dict[str, float] = field(default_factory=dict)
    usage: Usage | None = None
    draws: bool = False
    runner: str | None = None
    slot: int | None = None
    refusal: TicketRefused | None = None
    on_recall: Callable[[], None] | None = None
    redoable: bool = False
    on_said: Callable[[], None] = lambda: None
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waiting(self) -> bool:
        """Whether it is neither granted nor refused."""
        return not self._settled.is_set()

    def stamp(self, stage: str) -> None:
        """Note that `stage` was reached now; the first note stays."""
        if stage not in self.stamps:
            self.stamps[stage] = self.clock()
            if stage == "first_token":
                self.on_said()

    @property
    def recallable(self) -> bool:
        """Whether it is granted and its answer can still be called off."""
        silent = self.redoable or "first_token" not in self.stamps
        return self.on_recall is not None and silent

    def grant(self, runner: str, slot: int = 0) -> None:
        """Let it go to `slot` of `runner`."""
        self.runner, self.slot = runner, slot
        self.stamp("granted")
        self._settled.set()

    def recall(self) -> None:
        """Take the grant back, if nothing was said yet: somebody more urgent needs its place."""
        if not self.recallable:
            return
        call_off, self.on_recall = self.on_recall, None
        self.runner = self.slot = None
        self.stamps = {"opened": self.stamps["opened"]}
        self._settled.clear()
        assert call_off is not None
        call_off()

    def refuse(self, code: str, text: str) -> None:
        """Turn it away, with a reason."""
        if self.waiting:
            self.refusal = TicketRefused(code, text)
            self._settled.set()

    async def granted(self) -> str:
        """Wait for the grant and return the runner's name. Raises TicketRefused."""
        await self._settled.wait()
        if self.refusal is not None:
            raise self.refusal
        assert self.runner is not None
        return self.runner


class Tickets:
    """All open tickets. `changed` wakes the loop; `opened` and `closed` are told of each one."""

    def __init__(
        self,
        clock: Callable[[], float],
        changed: Callable[[], None],
        closed: Callable[[Ticket], None],
        opened: Callable[[Ticket], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._closed = closed
        self._opened = opened
        self._ids = count(1)
        self.open: dict[int, Ticket] = {}

    @contextmanager
    def hold(
        self, priority: Priority, model: str | None, *, draws: bool = False
    ) -> Iterator[Ticket]:
        """Hold a ticket while a request lives; leaving (also by a hang-up) gives its place back.

        `draws`: a picture is wanted, and no answer.
        """
        ticket = Ticket(
            next(self._ids), priority, model, self._clock, on_said=self._changed, draws=draws
        )
        ticket.stamp("opened")
        self.open[ticket.id] = ticket
        self._opened(ticket)
        self._changed()
        try:
            yield ticket
        finally:
            ticket.stamp("closed")
            del self.open[ticket.id]
            self._closed(ticket)
            self._changed()
