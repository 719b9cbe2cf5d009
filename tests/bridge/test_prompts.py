"""Which prompt the voice slot should hold, and what is done for it: pure rules."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from hashcenter_bridge import prompts
from hashcenter_bridge.prompts import Job, Prompt, Scene, Work, begins_with, next_job, used

NOW = 10_000.0
HOUSE = tuple(range(1000))
OTHER = tuple(range(1000, 2000))


def prompt(key: str = "house", tokens: tuple[int, ...] = HOUSE, **changes: Any) -> Prompt:
    """Return a prompt that was first asked with 10 minutes ago, and used 2 minutes ago."""
    return replace(Prompt(key, tokens, NOW - 600.0, NOW - 120.0), **changes)


def scene(**changes: Any) -> Scene:
    """Return a slot that holds nothing, on a rig where it has been quiet for long."""
    still = Scene(None, False, NOW - 3600.0, float("-inf"), False, True)
    return replace(still, **changes)


def job(*known: Prompt, **changes: Any) -> tuple[Work, str] | None:
    """Return what is done next, and with which prompt."""
    found = next_job({one.key: one for one in known}, scene(**changes), NOW)
    return (found.work, found.prompt.key) if isinstance(found, Job) else None


def test_a_saved_prompt_is_restored_one_that_is_not_is_read() -> None:
    assert job(prompt(saved=True)) == (Work.RESTORE, "house")
    assert job(prompt()) == (Work.READ, "house")
    assert job(prompt(saved=True), saves=False) == (Work.READ, "house")
    assert job() is None


def test_the_prompt_that_was_used_last_is_the_one() -> None:
    older = prompt("older", OTHER, used_at=NOW - 500.0)
    assert job(prompt(), older) == (Work.READ, "house")


def test_nothing_is_done_while_somebody_is_answered_or_right_after_a_failure() -> None:
    assert job(prompt(saved=True), busy=True) is None
    assert job(prompt(saved=True), failed_at=NOW - 59.0) is None
    assert job(prompt(saved=True), failed_at=NOW - 60.0) is not None


def test_between_the_answers_of_a_conversation_nothing_is_read_unless_somebody_speaks() -> None:
    assert job(prompt(), spoken_at=NOW - 4.0) is None
    assert job(prompt(), spoken_at=NOW - 4.0, urgent=True) == (Work.READ, "house")
    assert job(prompt(), spoken_at=NOW - 5.0) == (Work.READ, "house")


def test_a_slot_that_holds_most_of_it_reads_the_rest() -> None:
    nearly = (*HOUSE[:-10], 7, 7, 7)
    assert job(prompt(saved=True), held=nearly) == (Work.READ, "house")
    assert job(prompt(saved=True), held=HOUSE[:500]) == (Work.RESTORE, "house")


def test_it_is_saved_once_it_stayed_the_same_and_it_is_quiet() -> None:
    held = {"held": (*HOUSE, 5)}
    assert job(prompt(), **held) == (Work.SAVE, "house")
    assert job(prompt(saved=True), **held) is None
    assert job(prompt(first_at=NOW - 299.0), **held) is None
    assert job(prompt(), spoken_at=NOW - 59.0, **held) is None
    assert job(prompt(), urgent=True, **held) is None
    assert job(prompt(), saves=False, **held) is None


def test_a_prompt_used_again_keeps_its_age_and_its_file() -> None:
    known = {"house": prompt(saved=True)}
    again = used(known, "house", HOUSE, NOW)["house"]
    assert again == prompt(saved=True, used_at=NOW)
    new = used(known, "new", OTHER, NOW)["new"]
    assert (new.first_at, new.saved) == (NOW, False)


def test_the_longest_unused_prompts_are_forgotten() -> None:
    known: dict[str, Prompt] = {}
    for number in range(prompts.MOST + 2):
        known = used(known, f"p{number}", (number,), float(number))
    assert sorted(known) == [f"p{number}" for number in range(2, prompts.MOST + 2)]


@given(
    held=st.none() | st.lists(st.integers(0, 2), max_size=6).map(tuple),
    tokens=st.lists(st.integers(0, 2), max_size=6).map(tuple),
    saved=st.booleans(),
    busy=st.booleans(),
    urgent=st.booleans(),
    spoken_ago_s=st.floats(0, 100),
)
def test_what_is_saved_is_held_and_what_is_held_is_neither_read_nor_restored(
    held: tuple[int, ...] | None,
    tokens: tuple[int, ...],
    saved: bool,
    busy: bool,
    urgent: bool,
    spoken_ago_s: float,
) -> None:
    known = {"p": prompt("p", tokens, saved=saved)}
    at = scene(held=held, busy=busy, urgent=urgent, spoken_at=NOW - spoken_ago_s)
    found = next_job(known, at, NOW)
    assert found is None or not busy
    if found is not None:
        assert (found.work is Work.SAVE) == begins_with(held, tokens)
        assert found.work is not Work.RESTORE or saved
