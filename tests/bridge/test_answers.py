"""What answering took, and how soon the next answer could begin."""

from collections.abc import Callable

import pytest

from hashcenter_bridge.answers import Answers
from hashcenter_bridge.store import Totals
from hashcenter_bridge.tickets import Priority, Ticket, Usage


class Desk:
    """Answers questions with given times."""

    def __init__(self, joules: Callable[[str], float | None] = lambda _: None) -> None:
        self.now = 0.0
        self.answers = Answers(Totals(), joules)
        self._id = 0

    def answer(
        self,
        *,
        waits_s: float = 0.0,
        prefill_s: float = 1.0,
        decode_s: float = 9.0,
        tokens: int = 10,
        preempted: bool = False,
    ) -> None:
        """Answer one question."""
        self._id += 1
        ticket = Ticket(self._id, Priority.VOICE, None, lambda: self.now)
        ticket.stamp("opened")
        self.now += waits_s
        ticket.grant("runner")
        self.answers.granted(ticket, preempted=preempted)
        self.now += prefill_s
        ticket.stamp("first_token")
        self.now += decode_s
        ticket.usage = Usage(completion_tokens=tokens)
        ticket.stamp("closed")
        self.answers.closed(ticket)


def test_a_finished_answer_is_counted_with_its_tokens() -> None:
    desk = Desk()
    desk.answer(tokens=10)
    desk.answer(tokens=30)
    assert (desk.answers.totals.answers, desk.answers.totals.tokens) == (2, 40)


def test_speed_is_tokens_after_the_first_over_their_time() -> None:
    desk = Desk()
    desk.answer(decode_s=9.0, tokens=10)
    assert desk.answers.tokens_per_s == pytest.approx(1.0)
    assert desk.answers.first_token_s == pytest.approx(1.0)


def test_recent_answers_count_most_but_not_alone() -> None:
    desk = Desk()
    for _ in range(3):
        desk.answer(prefill_s=1.0)
    desk.answer(prefill_s=2.0)
    assert desk.answers.first_token_s is not None
    assert 1.0 < desk.answers.first_token_s < 1.5
    for _ in range(20):
        desk.answer(prefill_s=2.0)
    assert desk.answers.first_token_s == pytest.approx(2.0, abs=0.01)


def test_a_question_without_an_answer_counts_for_nothing() -> None:
    desk = Desk()
    ticket = Ticket(1, Priority.VOICE, None, lambda: 0.0)
    ticket.stamp("opened")
    ticket.stamp("closed")
    desk.answers.closed(ticket)
    ticket.grant("runner")
    desk.answers.granted(ticket, preempted=False)
    desk.answers.closed(ticket)
    assert desk.answers.totals == Totals()
    assert desk.answers.first_token_s is None
    assert desk.answers._joules_at == {}


def test_one_token_makes_no_speed() -> None:
    desk = Desk()
    desk.answer(tokens=1)
    desk.answer(tokens=0)
    assert desk.answers.tokens_per_s is None


def test_tokens_per_joule_come_from_what_the_devices_used() -> None:
    desk = Desk(lambda _: desk.now * 100.0)
    desk.answer(prefill_s=1.0, decode_s=9.0, tokens=50)
    assert desk.answers.tokens_per_joule == pytest.approx(50 / 1000.0)
    assert desk.answers._joules_at == {}


def test_nothing_is_predicted_before_the_first_answer() -> None:
    assert Desk().answers.predict_s(hashing=True, waiting=3, free_slots=0) is None


def test_a_prediction_adds_the_pause_and_those_ahead() -> None:
    desk = Desk()
    desk.answer(waits_s=2.0, prefill_s=1.0, decode_s=9.0, preempted=True)
    predict = desk.answers.predict_s
    assert predict(hashing=False, waiting=0, free_slots=1) == pytest.approx(1.0)
    assert predict(hashing=True, waiting=0, free_slots=1) == pytest.approx(3.0)
    assert predict(hashing=False, waiting=0, free_slots=0) == pytest.approx(11.0)
    assert predict(hashing=False, waiting=2, free_slots=0) == pytest.approx(31.0)
    assert predict(hashing=False, waiting=0, free_slots=5) == pytest.approx(1.0)


def test_preemptions_are_counted() -> None:
    desk = Desk()
    desk.answer(preempted=True)
    desk.answer()
    assert desk.answers.totals.preemptions == 1
