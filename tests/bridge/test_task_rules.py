"""Which queued task runs next, and why now: pure rules."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from hashcenter_bridge.task_rules import (
    ATTEMPTS,
    MARGIN_S,
    USUAL_S,
    Chosen,
    Run,
    Status,
    Task,
    begun,
    choose,
    interrupted,
    overdue,
    postponed,
)

NOW = 1_000_000.0
DAY_S = 24 * 3600.0


def task(number: str = "a", **changes: Any) -> Task:
    """Return a task that was queued an hour ago and is due tomorrow."""
    return replace(Task(number, {}, NOW - 3600.0, NOW + DAY_S), **changes)


def chosen(*tasks: Task, wants_heat: bool = False, answer_s: float | None = 60.0) -> Chosen | None:
    return choose(tasks, NOW, wants_heat=wants_heat, answer_s=answer_s)


def test_a_task_waits_for_somebody_who_wants_its_heat() -> None:
    assert chosen(task()) is None
    found = chosen(task(), wants_heat=True)
    assert found is not None
    assert (found.task.id, found.reason, found.urgent) == ("a", "the house wants heat", False)


def test_of_several_the_one_that_is_due_first_runs_first() -> None:
    later, sooner = task("later"), task("sooner", deadline_at=NOW + 3 * 3600.0)
    found = chosen(later, sooner, wants_heat=True)
    assert found is not None
    assert found.task.id == "sooner"


def test_a_deadline_that_nears_needs_no_wish_for_heat() -> None:
    due = NOW + 2 * 60.0 + MARGIN_S
    assert chosen(task(deadline_at=due + 1.0)) is None
    found = chosen(task(deadline_at=due))
    assert found is not None
    assert (found.reason, found.urgent) == ("its deadline nears", True)
    assert chosen(task(deadline_at=NOW + USUAL_S + MARGIN_S), answer_s=None) is not None


def test_tasks_due_together_begin_early_enough_for_the_last_of_them() -> None:
    due = NOW + 5 * 2 * 60.0 + MARGIN_S
    five = [task(str(number), deadline_at=due) for number in range(5)]
    assert chosen(*five[:4]) is None
    assert chosen(*five) is not None


def test_what_is_to_run_now_goes_first_in_the_order_it_came() -> None:
    older = task("older", run=Run.NOW, created_at=NOW - 10.0)
    newer = task("newer", run=Run.NOW, created_at=NOW - 5.0)
    due = task("due", deadline_at=NOW + 1.0)
    found = chosen(due, newer, older)
    assert found is not None
    assert (found.task.id, found.urgent) == ("older", True)


def test_only_what_waits_and_may_is_chosen() -> None:
    others = [task(status.value, status=status) for status in Status if status != Status.WAITING]
    assert chosen(*others, task(not_before=NOW + 1.0), wants_heat=True) is None


def test_a_task_that_was_cut_off_is_begun_again_but_not_for_ever() -> None:
    one = task()
    for _ in range(ATTEMPTS - 1):
        one = interrupted(begun(one, "heat"), NOW, by_us=False)
        assert one.status is Status.WAITING
    last = interrupted(begun(one, "heat"), NOW, by_us=False)
    assert last.status is Status.FAILED
    assert last.error is not None


def test_a_bridge_that_stops_in_order_costs_no_attempt() -> None:
    one = task()
    for _ in range(3 * ATTEMPTS):
        one = interrupted(begun(one, "heat"), NOW, by_us=True)
    assert (one.status, one.attempts) == (Status.WAITING, 0)


def test_a_failure_that_may_pass_is_tried_again_later() -> None:
    error = {"code": "runner_gone", "message": "it died"}
    again = postponed(begun(task(), "heat"), error, NOW, counts=True)
    assert (again.status, again.attempts, again.reason) == (Status.WAITING, 1, "it died")
    assert chosen(again, wants_heat=True) is None
    for _ in range(ATTEMPTS - 1):
        again = postponed(begun(again, "heat"), error, NOW, counts=True)
    assert (again.status, again.error) == (Status.FAILED, error)
    unready = task()
    for _ in range(3 * ATTEMPTS):
        unready = postponed(begun(unready, "heat"), error, NOW, counts=False)
    assert (unready.status, unready.attempts) == (Status.WAITING, 0)


def test_a_deadline_binds_only_who_waits() -> None:
    assert overdue(task(deadline_at=NOW), NOW)
    assert not overdue(task(deadline_at=NOW + 0.1), NOW)
    assert not overdue(task(deadline_at=NOW, status=Status.RUNNING), NOW)


some_tasks = st.lists(
    st.builds(
        Task,
        id=st.uuids().map(str),
        request=st.just({}),
        created_at=st.floats(NOW - DAY_S, NOW),
        deadline_at=st.floats(NOW - DAY_S, NOW + DAY_S),
        run=st.sampled_from(Run),
        status=st.sampled_from(Status),
        not_before=st.sampled_from([0.0, NOW + 30.0]),
    ),
    max_size=6,
)


@given(some_tasks, st.booleans(), st.none() | st.floats(0, 1000))
def test_what_is_chosen_may_run(
    tasks: list[Task], wants_heat: bool, answer_s: float | None
) -> None:
    found = choose(tasks, NOW, wants_heat=wants_heat, answer_s=answer_s)
    ready = [one for one in tasks if one.status is Status.WAITING and one.not_before <= NOW]
    if found is None:
        assert not (ready and wants_heat)
        assert all(one.run is Run.HEAT for one in ready)
    else:
        assert found.task in ready
        assert found.reason
