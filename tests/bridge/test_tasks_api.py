"""Queued work over HTTP, answered by a real runner with the small real model."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.task_rules import Status
from tests.bridge.serving import KEY, Api, Running, error_of, served

TASKS = "/hashcenter/tasks"
HELLO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4, "ignore_eos": True,
}  # fmt: skip


async def finished(api: Api, number: str) -> None:
    """Step the queue until a task has ended."""
    async with asyncio.timeout(60):
        while api.tasks.tasks[number].ended_at is None:
            api.tasks.step(wants_heat=True, answer_s=None)
            await asyncio.sleep(0.02)


async def test_a_task_is_queued_answered_fetched_and_deleted(api: Api) -> None:
    async with api.client() as client:
        async with client.post(TASKS, json={"id": "report", "request": HELLO}) as response:
            assert response.status == 202
            assert (await response.json())["status"] == "waiting"
        async with client.post(TASKS, json={"id": "report", "request": HELLO}) as response:
            assert response.status == 200
        await finished(api, "report")
        async with client.get(f"{TASKS}/report") as response:
            task = await response.json()
        assert task["status"] == "done"
        assert task["answer"]["choices"][0]["message"]["content"]
        async with client.get(TASKS) as response:
            (listed,) = (await response.json())["data"]
        assert "answer" not in listed
        assert "request" not in listed
        async with client.delete(f"{TASKS}/report") as response:
            assert response.status == 204
        async with client.get(f"{TASKS}/report") as response:
            assert response.status == 404
    assert api.told == [("report", Status.RUNNING), ("report", Status.DONE)]


async def test_a_task_gives_its_place_to_voice_even_in_the_middle_of_its_answer(
    api: Api, runner: Running
) -> None:
    endless = {**HELLO, "max_tokens": 1500}
    async with api.client() as client:
        async with client.post(TASKS, json={"id": "long", "request": endless}) as response:
            assert response.status == 202
        api.tasks.step(wants_heat=True, answer_s=None)
        await runner.until_slots_in_use(1)
        (ticket,) = api.open.values()
        async with asyncio.timeout(60):
            while "first_token" not in ticket.stamps:
                await asyncio.sleep(0.02)
        assert ticket.recallable
        api.grant = lambda _: None
        ticket.recall()
        await runner.until_slots_in_use(0)
        assert ticket.waiting
        async with client.delete(f"{TASKS}/long") as response:
            assert response.status == 204
        await asyncio.sleep(0.05)
        assert not api.open


async def test_tasks_outlive_the_api(tmp_path: Path, runner: Running) -> None:
    async with (
        served(runner.runner, folder=tmp_path / "tasks") as api,
        api.client() as client,
        client.post(TASKS, json={"id": "a", "request": HELLO}) as response,
    ):
        assert response.status == 202
    async with served(runner.runner, folder=tmp_path / "tasks") as api:
        await finished(api, "a")
        assert api.tasks.tasks["a"].status is Status.DONE


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"request": {"messages": []}}, "invalid_request"),
        ({"request": HELLO, "id": "../x"}, "invalid_request"),
        ({"request": HELLO, "id": ""}, "invalid_request"),
        ({"request": HELLO, "id": "x" * 65}, "invalid_request"),
        ({"request": HELLO, "id": 3}, "invalid_request"),
        ({"request": HELLO, "deadline_s": 0}, "invalid_request"),
        ({"request": HELLO, "deadline_s": True}, "invalid_request"),
        ({"request": HELLO, "deadline_s": 1e9}, "invalid_request"),
        ({"request": HELLO, "run": "yesterday"}, "invalid_request"),
        ({"request": HELLO, "run": ["now"]}, "invalid_request"),
        ({"request": {**HELLO, "model": "gpt-9"}}, "model_not_found"),
    ],
)
async def test_a_task_that_is_wrong_is_refused(idle_api: Api, body: Any, code: str) -> None:
    async with idle_api.client() as client, client.post(TASKS, json=body) as response:
        assert response.status in {400, 404}
        assert (await error_of(response))["code"] == code
    assert idle_api.tasks.tasks == {}


async def test_another_task_with_the_same_id_is_refused(idle_api: Api) -> None:
    async with idle_api.client() as client:
        for words, status in (("one", 202), ("two", 409)):
            request = {"messages": [{"role": "user", "content": words}]}
            async with client.post(TASKS, json={"id": "a", "request": request}) as response:
                assert response.status == status


async def test_a_task_that_can_never_fit_is_refused_at_once(api: Api) -> None:
    long = {"messages": [{"role": "user", "content": "heat " * 4000}]}
    async with api.client() as client, client.post(TASKS, json={"request": long}) as response:
        assert (await response.json())["error"]["code"] == "context_length_exceeded"


async def test_unknown_tasks_and_strangers(idle_api: Api) -> None:
    async with idle_api.client() as client:
        for method in ("GET", "DELETE"):
            async with client.request(method, f"{TASKS}/none") as response:
                assert (await error_of(response))["code"] == "task_not_found"
            stranger = {"Authorization": f"Bearer {KEY}x"}
            async with client.request(method, f"{TASKS}/none", headers=stranger) as response:
                assert response.status == 401
