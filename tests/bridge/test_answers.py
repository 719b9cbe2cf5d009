"""What answering took, and how soon the next answer could begin."""

from collections.abc import Callable
from typing import Any

import pytest

from hashcenter_bridge.answers import Answers
from hashcenter_bridge.store import Totals
from hashcenter_bridge.tickets import Priority, Ticket, Usage


class Desk:
    """Answers questions with given times."""

    def __init__(self, joules: Callable[[str], float | None] = lambda _: None) -> None:
        self.now = 0.0
        self.answers = Answers(Totals(), joules)
        #: What hashing gives up while a question is answered, by counter.
        self.meanwhile: dict[str, int] = {}
        self._id = 0

    def answer(
        self,
        *,
        waits_s: float = 0.0,
        prefill_s: float = 1.0,
        decode_s: float = 9.0,
        tokens: int = 10,
        preempted: bool = False,
        usage: Usage | None = None,
        priority: Priority = Priority.VOICE,
    ) -> None:
        """Answer one question."""
        self._id += 1
        ticket = Ticket(self._id, priority, None, lambda: self.now)
        ticket.stamp("opened")
        self.answers.opened(ticket)
        self.now += waits_s
        ticket.grant("runner")
        self.answers.granted(ticket, preempted=preempted)
        self.now += prefill_s
        ticket.stamp("first_token")
        self.now += decode_s
        ticket.usage = usage or Usage(completion_tokens=tokens)
        for counter, more in self.meanwhile.items():
            setattr(self.answers.totals, counter, getattr(self.answers.totals, counter) + more)
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
    assert desk.answers._starts == {}


def test_one_token_makes_no_speed() -> None:
    desk = Desk()
    desk.answer(tokens=1)
    desk.answer(tokens=0)
    assert desk.answers.tokens_per_s is None


def test_tokens_per_joule_come_from_what_the_devices_used() -> None:
    desk = Desk(lambda _: desk.now * 100.0)
    desk.answer(prefill_s=1.0, decode_s=9.0, tokens=50)
    assert desk.answers.tokens_per_joule == pytest.approx(50 / 1000.0)
    assert desk.answers._starts == {}


def test_a_meter_that_is_read_once_a_second_does_not_make_short_answers_cheap() -> None:
    """Each takes 0.4 s at 100 W, but only some of them are over a look at the meter."""
    desk = Desk(lambda _: int(desk.now) * 100.0)
    for _ in range(20):
        desk.answer(prefill_s=0.1, decode_s=0.3, tokens=8)
    assert desk.answers.tokens_per_joule == pytest.approx(8 / 40.0, rel=0.35)


def predicted(desk: Desk, **now: Any) -> float | None:
    """Return the seconds to the first token of a rig that rests, apart from what is `now`."""
    rests: dict[str, Any] = {"hashing": False, "waiting": 0, "free_slots": 1}
    stages = desk.answers.stages(**{**rests, "load_s": 0.0, "unread": 0, **now})
    if stages is None:
        return None
    return stages.queue_s + stages.pause_s + stages.load_s + stages.read_s


def test_nothing_is_predicted_before_the_first_answer() -> None:
    assert predicted(Desk(), hashing=True, waiting=3, free_slots=0) is None


def test_a_prediction_adds_the_pause_and_those_ahead() -> None:
    desk = Desk()
    desk.answer(waits_s=2.0, prefill_s=1.0, decode_s=9.0, preempted=True)
    assert predicted(desk) == pytest.approx(1.0)
    assert predicted(desk, hashing=True) == pytest.approx(3.0)
    assert predicted(desk, free_slots=0) == pytest.approx(11.0)
    assert predicted(desk, waiting=2, free_slots=0) == pytest.approx(31.0)
    assert predicted(desk, free_slots=5) == pytest.approx(1.0)


def test_a_prediction_adds_the_load_and_what_is_not_read_yet() -> None:
    desk = Desk()
    desk.answer(prefill_s=2.0, usage=Usage(prompt_tokens=1000, completion_tokens=10))
    assert desk.answers.prompt_tokens_per_s == pytest.approx(500.0)
    assert predicted(desk, load_s=7.0) == pytest.approx(9.0)
    assert predicted(desk, unread=1500) == pytest.approx(5.0)


def test_the_share_that_was_cached_is_that_of_voice() -> None:
    desk = Desk()
    desk.answer(usage=Usage(prompt_tokens=1000, cached_tokens=900, completion_tokens=5))
    assert desk.answers.cached_share == pytest.approx(0.9)
    usage = Usage(prompt_tokens=1000, completion_tokens=5)
    desk.answer(usage=usage, priority=Priority.TASK)
    assert desk.answers.cached_share == pytest.approx(0.9)


def test_a_prompt_that_was_cached_says_nothing_about_reading_speed() -> None:
    desk = Desk()
    desk.answer(usage=Usage(prompt_tokens=1000, cached_tokens=990, completion_tokens=5))
    assert desk.answers.prompt_tokens_per_s is None


def test_the_last_answer_is_told_stage_by_stage_with_what_it_cost() -> None:
    desk = Desk(lambda _: desk.now * 100.0)
    desk.meanwhile = {"hashes_given_up": 5_000_000, "joules_given_up": 7200}
    usage = Usage(prompt_tokens=1000, cached_tokens=900, completion_tokens=9)
    desk.answer(waits_s=0.25, prefill_s=0.5, decode_s=3.5, usage=usage, preempted=True)
    last = desk.answers.last
    assert last is not None
    assert (last.queue_s, last.pause_s, last.read_s, last.speak_s) == (0.0, 0.25, 0.5, 3.5)
    assert (last.prompt_tokens, last.cached_tokens, last.completion_tokens) == (1000, 900, 9)
    assert last.energy_wh == pytest.approx(400 / 3600, abs=1e-4)
    assert (last.hashes_given_up, last.energy_given_up_wh) == (5_000_000, 2.0)
    desk.meanwhile = {}
    desk.answer(waits_s=1.0)
    assert desk.answers.last is not None
    assert (desk.answers.last.queue_s, desk.answers.last.hashes_given_up) == (1.0, 0)


def test_preemptions_are_counted() -> None:
    desk = Desk()
    desk.answer(preempted=True)
    desk.answer()
    assert desk.answers.totals.preemptions == 1
