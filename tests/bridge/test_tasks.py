"""The queue of work that nobody waits for: kept, run once, told without words."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge import tasks as tasks_module
from hashcenter_bridge.api_error import ApiError
from hashcenter_bridge.question import Question
from hashcenter_bridge.task_rules import AGAIN_S, ATTEMPTS, Run, Status
from hashcenter_bridge.tasks import KEPT_S, TaskQueue, TasksRefused
from hashcenter_bridge.tickets import Priority

REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "A secret about zebras."}]}
ANSWER: dict[str, Any] = {"choices": [{"message": {"content": "I keep it."}}]}


@dataclass
class Desk:
    """A queue whose tasks are answered as a test says; `again` is the bridge after a restart."""

    folder: Path
    now: float = 1_000_000.0
    wants_heat: bool = True
    asked: list[tuple[str, Priority]] = field(default_factory=list)
    told: list[tuple[str, Status]] = field(default_factory=list)
    failure: ApiError | None = None
    silent: bool = False

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        self.queue = TaskQueue(self.folder, lambda: self.now)
        self.queue.load(self._ask, lambda number, status: self.told.append((number, status)))

    async def _ask(self, question: Question, priority: Priority) -> dict[str, Any]:
        self.asked.append((question.fields["messages"][0]["content"], priority))
        if self.silent:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure
        return ANSWER

    def add(self, number: str = "a", deadline_s: float = 86_400.0, run: Run = Run.HEAT) -> None:
        self.queue.add(REQUEST, number, deadline_s, run)

    async def step(self, after_s: float = 1.0) -> None:
        self.now += after_s
        self.queue.step(wants_heat=self.wants_heat, answer_s=10.0)
        for _ in range(5):
            await asyncio.sleep(0)

    def status(self, number: str = "a") -> Status:
        return self.queue.tasks[number].status


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "tasks")


async def test_a_task_is_run_and_its_answer_kept_before_anybody_is_told(desk: Desk) -> None:
    desk.add()
    on_disk: list[str] = []

    def look(number: str, status: Status) -> None:
        on_disk.append(json.loads((desk.folder / f"{number}.json").read_text())["status"])

    desk.queue._tell = look
    await desk.step()
    assert on_disk == ["running", "done"]
    assert desk.queue.tasks["a"].answer == ANSWER
    assert desk.asked == [("A secret about zebras.", Priority.BATCH)]


async def test_what_is_done_is_never_run_again(desk: Desk) -> None:
    desk.add()
    await desk.step()
    for _ in range(3):
        desk.again()
        await desk.step()
    assert (len(desk.asked), desk.status()) == (1, Status.DONE)
    assert desk.queue.tasks["a"].answer == ANSWER


async def test_the_same_id_is_queued_once(desk: Desk) -> None:
    desk.add()
    await desk.step()
    desk.add()
    await desk.step()
    assert len(desk.asked) == 1
    with pytest.raises(TasksRefused, match="another task has this id"):
        desk.queue.add({"messages": []}, "a", 10.0, Run.NOW)


async def test_without_a_wish_for_heat_it_waits_until_its_deadline_nears(desk: Desk) -> None:
    desk.wants_heat = False
    desk.add(deadline_s=3600.0)
    await desk.step(3200.0)
    assert desk.asked == []
    await desk.step(100.0)
    assert desk.asked == [("A secret about zebras.", Priority.TASK)]


async def test_one_that_was_cut_off_by_a_crash_is_begun_anew_after_the_restart(desk: Desk) -> None:
    desk.silent = True
    desk.add()
    await desk.step()
    assert desk.status() is Status.RUNNING
    desk.silent = False
    desk.again()
    assert desk.status() is Status.WAITING
    await desk.step()
    assert (desk.status(), desk.queue.tasks["a"].attempts) == (Status.DONE, 2)


async def test_one_that_takes_the_bridge_down_each_time_is_given_up(desk: Desk) -> None:
    desk.silent = True
    desk.add()
    for _ in range(ATTEMPTS):
        await desk.step()
        desk.again()
    assert desk.status() is Status.FAILED
    await desk.step()
    assert len(desk.asked) == ATTEMPTS


async def test_a_bridge_that_stops_puts_it_back(desk: Desk) -> None:
    desk.silent = True
    desk.add()
    await desk.step()
    await desk.queue.close()
    saved = json.loads((desk.folder / "a.json").read_text())
    assert (saved["status"], saved["attempts"]) == ("waiting", 0)


async def test_what_is_not_ready_is_asked_again_what_is_wrong_is_not(desk: Desk) -> None:
    desk.failure = ApiError(503, "not_available", "the model is being loaded")
    desk.add()
    await desk.step()
    assert (desk.status(), desk.queue.tasks["a"].reason) == (
        Status.WAITING, "the model is being loaded",
    )  # fmt: skip
    await desk.step(AGAIN_S / 2)
    assert len(desk.asked) == 1
    desk.failure = ApiError(400, "context_length_exceeded", "too long")
    await desk.step(AGAIN_S)
    assert desk.status() is Status.FAILED
    assert desk.queue.tasks["a"].error == {"code": "context_length_exceeded", "message": "too long"}


async def test_a_missed_deadline_ends_it_with_the_reason(desk: Desk) -> None:
    desk.failure = ApiError(503, "stopped", "The rig was stopped by a person (Stop all).")
    desk.add(deadline_s=100.0)
    await desk.step()
    await desk.step(100.0)
    assert desk.status() is Status.EXPIRED
    assert "stopped by a person" in str(desk.queue.tasks["a"].error)
    assert desk.told[-1] == ("a", Status.EXPIRED)


async def test_one_runs_at_a_time(desk: Desk) -> None:
    desk.silent = True
    for number in "abc":
        desk.add(number)
    await desk.step()
    await desk.step()
    assert [desk.status(number) for number in "abc"].count(Status.RUNNING) == 1


async def test_cancelling_stops_it_and_its_words_are_gone(desk: Desk) -> None:
    desk.silent = True
    desk.add()
    await desk.step()
    running = desk.queue._running
    assert desk.queue.remove("a")
    await asyncio.sleep(0)
    assert running is not None
    assert running.cancelled()
    assert list(desk.folder.iterdir()) == []
    assert desk.told[-1] == ("a", Status.CANCELLED)
    assert not desk.queue.remove("a")
    desk.again()
    assert desk.queue.tasks == {}


async def test_finished_ones_are_forgotten_after_a_week(desk: Desk) -> None:
    desk.add()
    await desk.step()
    await desk.step(KEPT_S + 1.0)
    assert desk.queue.tasks == {}
    assert list(desk.folder.iterdir()) == []
    assert desk.told[-1] == ("a", Status.DONE)


def test_only_its_owner_can_read_them(desk: Desk) -> None:
    desk.add()
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    assert (desk.folder / "a.json").stat().st_mode & 0o777 == 0o600


def test_a_mistaken_automation_fills_neither_queue_nor_disk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "MAX_OPEN", 3)
    for number in "abc":
        desk.add(number)
    with pytest.raises(TasksRefused, match="3 tasks wait already"):
        desk.add("d")
    monkeypatch.setattr(tasks_module, "MAX_OPEN", 100)
    monkeypatch.setattr(tasks_module, "MAX_BYTES", 100)
    with pytest.raises(TasksRefused, match="too much of the disk"):
        desk.add("d")


async def test_what_cannot_be_noted_as_running_is_not_run(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add()

    def full(_task: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.queue._files, "write", full)
    await desk.step()
    assert desk.asked == []
    with pytest.raises(TasksRefused, match="No space left"):
        desk.add("b")


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"id": "a", "request": 3}', '"x"'])
def test_a_damaged_file_is_set_aside_and_hinders_nobody(desk: Desk, damage: str) -> None:
    desk.add("good")
    (desk.folder / "bad.json").write_text(damage)
    (desk.folder / "half.part").write_text("{")
    desk.again()
    assert list(desk.queue.tasks) == ["good"]
    assert not (desk.folder / "half.part").exists()


async def test_an_answer_too_large_to_keep_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks_module, "MAX_ANSWER_BYTES", 10)
    desk.add()
    for _ in range(ATTEMPTS):
        await desk.step(AGAIN_S + 1)
    assert desk.status() is Status.FAILED
