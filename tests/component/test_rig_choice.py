"""Which rig is asked first: rules alone, without a house."""

from dataclasses import replace

import pytest

from custom_components.hashcenter.answers.rig_choice import (
    COLD_S,
    MAX_PASSED_OVER_S,
    PASSED_OVER_S,
    SPARE_HASHING_S,
    Memory,
    Offer,
    ranked,
)
from custom_components.hashcenter.wire.values import Favor

NOTHING = Memory()
ONE = Offer("one", "boot", available=True, first_token_s=1.0)
TWO = Offer("two", "boot", available=True, first_token_s=1.5)


def order(*offers: Offer, memory: Memory = NOTHING, now: float = 0.0) -> list[str]:
    """Return the ids of the rigs in the order in which they would be asked."""
    return [choice.rig_id for choice in ranked(offers, memory, "prompt", now)]


def test_who_answers_soonest_comes_first_whatever_the_order_they_were_heard_in() -> None:
    assert order(ONE, TWO) == order(TWO, ONE) == ["one", "two"]


def test_who_is_still_loading_comes_after_everybody_who_can_answer() -> None:
    loading = replace(ONE, available=False, first_token_s=0.1)
    unknown = replace(TWO, first_token_s=None)
    assert order(loading, unknown) == ["two", "one"]


def test_a_prompt_that_was_read_before_outweighs_a_somewhat_faster_rig() -> None:
    memory = NOTHING.read("two", "boot", "prompt")
    assert order(ONE, TWO, memory=memory) == ["two", "one"]
    much_slower = replace(TWO, first_token_s=ONE.first_token_s + COLD_S + 0.1)  # type: ignore[operator]
    assert order(ONE, much_slower, memory=memory) == ["one", "two"]
    assert order(ONE, TWO, memory=NOTHING.read("two", "boot", "another")) == ["one", "two"]


def test_a_bridge_that_began_a_new_run_has_read_nothing() -> None:
    memory = NOTHING.read("two", "earlier", "prompt")
    assert order(ONE, TWO, memory=memory) == ["one", "two"]


def test_the_rigs_own_word_counts_until_it_has_answered_us() -> None:
    says_so = replace(TWO, prompt_warm=True)
    assert order(ONE, says_so) == ["two", "one"]
    assert order(ONE, replace(TWO, prompt_warm=False)) == ["one", "two"]
    assert order(ONE, says_so, memory=NOTHING.read("two", "boot", "another")) == ["one", "two"]
    assert order(ONE, says_so, memory=NOTHING.read("two", "earlier", "x")) == ["two", "one"]


def test_a_few_prompts_are_remembered_the_latest_longest() -> None:
    memory = NOTHING.read("two", "boot", "prompt")
    for name in ("a", "b", "c", "prompt", "d", "e", "f"):
        memory = memory.read("two", "boot", name)
    assert memory.has_read("two", "boot", "prompt")
    assert not memory.read("two", "boot", "g").has_read("two", "boot", "prompt")


@pytest.mark.parametrize("favor", Favor)
def test_a_hashing_rig_goes_on_hashing_while_another_is_about_as_fast(favor: Favor) -> None:
    hashing = replace(ONE, hashing=True, favor=favor)
    spare_s = SPARE_HASHING_S[favor]
    assert ONE.first_token_s is not None
    slightly = replace(TWO, first_token_s=ONE.first_token_s + spare_s - 0.1)
    clearly = replace(TWO, first_token_s=ONE.first_token_s + spare_s + 0.1)
    assert order(hashing, clearly) == ["one", "two"]
    assert order(hashing, slightly) == ["two", "one"]


def test_unknown_favors_spare_nothing() -> None:
    assert order(replace(ONE, hashing=True, favor="cooking"), TWO) == ["one", "two"]


def test_who_failed_comes_last_for_a_while_and_then_first_again() -> None:
    memory = NOTHING.failed("one", "boot", now=100.0)
    assert order(ONE, TWO, memory=memory, now=100.0) == ["two", "one"]
    assert order(ONE, TWO, memory=memory, now=100.0 + PASSED_OVER_S) == ["one", "two"]


def test_each_failure_doubles_the_while_up_to_a_limit() -> None:
    memory = NOTHING
    for count in range(12):
        memory = memory.failed("one", "boot", now=0.0)
        while_s = min(PASSED_OVER_S * 2**count, MAX_PASSED_OVER_S)
        assert memory.passed_over("one", "boot", while_s - 0.1)
        assert not memory.passed_over("one", "boot", while_s)
    memory = memory.read("one", "boot", "prompt").failed("one", "boot", now=0.0)
    assert not memory.passed_over("one", "boot", PASSED_OVER_S), "an answer makes up for it"


def test_a_new_run_of_the_bridge_begins_without_failures() -> None:
    memory = NOTHING.failed("one", "earlier", now=0.0).failed("one", "earlier", now=0.0)
    assert order(ONE, TWO, memory=memory) == ["one", "two"]
    assert memory.failed("one", "boot", now=0.0).failures["one"].count == 1


def test_when_all_failed_they_are_still_asked() -> None:
    memory = NOTHING.failed("one", "boot", now=0.0).failed("two", "boot", now=0.0)
    assert order(ONE, TWO, memory=memory) == ["one", "two"]


def test_every_choice_says_why() -> None:
    memory = NOTHING.read("one", "boot", "prompt").failed("three", "boot", now=0.0)
    hashing = replace(ONE, hashing=True)
    failed = Offer("three", "boot", available=True, first_token_s=0.1)
    loading = Offer("four", "boot", available=False, first_token_s=8.0)
    unknown = Offer("five", "boot", available=True, first_token_s=None)
    reasons = {
        choice.rig_id: choice.reason
        for choice in ranked([hashing, failed, loading, unknown], memory, "prompt", 0.0)
    }
    assert reasons == {
        "one": "it can answer in 1.0 s, it has read this prompt before, "
        "it would have to stop hashing",
        "three": "it failed a moment ago",
        "four": "it is about to be able to answer",
        "five": "it can answer",
    }
