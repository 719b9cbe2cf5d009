"""Tickets: everybody who asks holds one, and gives it back however the request ends."""

import asyncio
from dataclasses import dataclass, field

import pytest

from hashcenter_bridge.tickets import Priority, Ticket, TicketRefused, Tickets


@dataclass
class Counter:
    """A counter hall: what happened at it, and its clock."""

    now: float = 0.0
    changes: int = 0
    closed: list[Ticket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tickets = Tickets(lambda: self.now, self._change, self.closed.append)

    def _change(self) -> None:
        self.changes += 1


@pytest.fixture
def hall() -> Counter:
    return Counter()


async def test_a_ticket_is_open_while_it_is_held(hall: Counter) -> None:
    with hall.tickets.hold(Priority.VOICE, "llama") as ticket:
        assert hall.tickets.open == {ticket.id: ticket}
        assert ticket.waiting
        assert hall.changes == 1
    assert hall.tickets.open == {}
    assert hall.closed == [ticket]
    assert hall.changes == 2


async def test_a_ticket_is_given_back_when_the_client_hangs_up(hall: Counter) -> None:
    async def request() -> None:
        with hall.tickets.hold(Priority.TASK, None) as ticket:
            await ticket.granted()

    asking = asyncio.create_task(request())
    await asyncio.sleep(0)
    assert len(hall.tickets.open) == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert hall.tickets.open == {}
    assert "closed" in hall.closed[0].stamps
    assert "granted" not in hall.closed[0].stamps


async def test_a_ticket_is_given_back_when_the_request_fails(hall: Counter) -> None:
    with pytest.raises(RuntimeError), hall.tickets.hold(Priority.TASK, None):
        raise RuntimeError
    assert hall.tickets.open == {}


async def test_ids_are_never_reused(hall: Counter) -> None:
    seen = set()
    for _ in range(5):
        with hall.tickets.hold(Priority.BATCH, None) as ticket:
            seen.add(ticket.id)
    assert len(seen) == 5


async def test_a_grant_is_waited_for_and_names_the_runner(hall: Counter) -> None:
    with hall.tickets.hold(Priority.VOICE, None) as ticket:
        waiting = asyncio.create_task(ticket.granted())
        await asyncio.sleep(0)
        assert not waiting.done()
        hall.now = 3.0
        ticket.grant("llama")
        assert await waiting == "llama"
        assert not ticket.waiting
        assert ticket.stamps == {"opened": 0.0, "granted": 3.0}


async def test_a_refusal_is_raised_with_its_code_and_sentence(hall: Counter) -> None:
    with hall.tickets.hold(Priority.VOICE, None) as ticket:
        ticket.refuse("stopped", "Everything was stopped.")
        with pytest.raises(TicketRefused, match="Everything was stopped") as err:
            await ticket.granted()
        assert err.value.code == "stopped"
        assert not ticket.waiting


async def test_what_is_granted_can_no_longer_be_refused(hall: Counter) -> None:
    with hall.tickets.hold(Priority.VOICE, None) as ticket:
        ticket.grant("llama")
        ticket.refuse("stopped", "too late")
        assert await ticket.granted() == "llama"


async def test_a_recalled_ticket_waits_again_and_calls_its_answer_off(hall: Counter) -> None:
    called_off = []
    with hall.tickets.hold(Priority.BATCH, None) as ticket:
        ticket.grant("llama", 1)
        ticket.recall()
        assert not ticket.waiting, "nothing says yet how to call it off"
        ticket.on_recall = lambda: called_off.append(True)
        ticket.recall()
        ticket.recall()
        assert called_off == [True]
        assert (ticket.waiting, ticket.runner, ticket.slot) == (True, None, None)
        assert set(ticket.stamps) == {"opened"}
        ticket.grant("other", 0)
        assert await ticket.granted() == "other"


async def test_an_answer_that_speaks_is_not_recalled(hall: Counter) -> None:
    with hall.tickets.hold(Priority.BATCH, None) as ticket:
        ticket.grant("llama", 1)
        ticket.on_recall = lambda: pytest.fail("called off in the middle of its answer")
        assert ticket.recallable
        ticket.stamp("first_token")
        ticket.recall()
        assert (ticket.recallable, ticket.runner) == (False, "llama")


async def test_the_first_stamp_of_a_stage_stays(hall: Counter) -> None:
    with hall.tickets.hold(Priority.VOICE, None) as ticket:
        hall.now = 1.0
        ticket.stamp("first_token")
        hall.now = 2.0
        ticket.stamp("first_token")
        assert ticket.stamps["first_token"] == 1.0


def test_voice_outranks_task_outranks_batch() -> None:
    assert sorted(Priority, key=int) == [Priority.VOICE, Priority.TASK, Priority.BATCH]
