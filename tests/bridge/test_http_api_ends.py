"""How answers end over the HTTP API: hang-ups, recalls, runners that die or fall silent."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import openai
import pytest

from hashcenter_bridge import relay
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.thoughts import VOICE_THINKING_S
from tests.bridge.serving import (
    KEY,
    MODEL,
    Api,
    Running,
    all_of,
    error_of,
    make_runner,
    running,
    served,
)

CHAT = "/v1/chat/completions"
HELLO: Any = [{"role": "user", "content": "Say hello."}]
#: A question whose answer ends only when somebody ends it.
ENDLESS = {"messages": HELLO, "max_tokens": 1900, "ignore_eos": True, "stream": True}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_hangs_up_frees_its_slot(
    api: Api, runner: Running, stream: bool
) -> None:
    async with api.client() as client:
        asking = asyncio.ensure_future(client.post(CHAT, json={**ENDLESS, "stream": stream}))
        await runner.until_slots_in_use(1)
        if stream:
            response = await asking
            await response.content.readany()
            response.close()
        else:
            asking.cancel()
        await runner.until_slots_in_use(0)
    assert not api.open
    assert [ticket.runner for ticket in api.closed] == ["voice"]


async def test_a_client_that_hangs_up_while_its_prompt_is_read_frees_its_slot(
    api: Api, runner: Running
) -> None:
    # Twelve steps of a prompt: the runner has to notice within the first ones.
    long = [{"role": "user", "content": "heat " * 1500}]
    async with api.client() as client:
        asking = asyncio.ensure_future(client.post(CHAT, json={"messages": long, "stream": True}))
        await runner.until_slots_in_use(1)
        asking.cancel()
        await runner.until_slots_in_use(0)
    assert (await runner.slots())[0].get("n_prompt_tokens_processed", 0) < 1000


@pytest.mark.parametrize("stream", [True, False])
async def test_a_recalled_question_is_answered_after_all(
    tmp_path: Path, small_model: Path, stream: bool
) -> None:
    long = [{"role": "user", "content": "heat " * 1500}]
    async with (
        running(make_runner(tmp_path, small_model, slots=1)) as runner,
        served(runner.runner) as api,
        api.client() as client,
    ):
        body = {"messages": long, "max_tokens": 4, "ignore_eos": True, "stream": stream}
        asking = asyncio.ensure_future(client.post(CHAT, json=body))
        await runner.until_slots_in_use(1)
        (batch,) = api.open.values()
        api.grant = lambda ticket: ticket.grant("voice") if ticket is not batch else None
        batch.recall()
        async with client.post(CHAT, json={"messages": HELLO, "max_tokens": 4}) as voice:
            assert voice.status == 200
            assert batch.waiting
        batch.grant("voice")
        async with await asking as response:
            assert response.status == 200
            assert b'"content"' in await response.read()
        assert "first_token" in batch.stamps


async def test_the_prompts_progress_is_told_only_to_who_asked(api: Api) -> None:
    async with api.client() as client:
        for wants in (False, True):
            body = {"messages": HELLO, "max_tokens": 2, "stream": True, "return_progress": wants}
            async with client.post(CHAT, json=body) as response:
                assert (b"prompt_progress" in await response.read()) is wants


async def test_a_client_cannot_choose_the_slot(api: Api, runner: Running) -> None:
    api.grant = lambda ticket: ticket.grant("voice", 1)
    async with api.client() as client:
        body = {"messages": HELLO, "max_tokens": 2, "id_slot": 0}
        async with client.post(CHAT, json=body) as response:
            assert response.status == 200
    used = [slot["id"] for slot in await runner.slots() if "params" in slot]
    assert used == [1]


async def test_a_client_that_hangs_up_while_it_waits_gives_its_place_back(idle_api: Api) -> None:
    opened = asyncio.Event()
    idle_api.grant = lambda _: opened.set()
    async with idle_api.client() as client:
        asking = asyncio.ensure_future(client.post(CHAT, json={"messages": HELLO}))
        await opened.wait()
        assert len(idle_api.open) == 1
        asking.cancel()
    async with asyncio.timeout(30):
        while idle_api.open:
            await asyncio.sleep(0.01)


async def test_a_runner_that_is_not_there_is_an_error_at_once(idle_api: Api) -> None:
    for stream in (True, False):
        async with (
            idle_api.client() as client,
            client.post(CHAT, json={"messages": HELLO, "stream": stream}) as response,
        ):
            assert response.status == 502
            assert (await error_of(response))["code"] == "runner_gone"


async def test_a_runner_that_dies_ends_the_answer_and_comes_back(
    api: Api, runner: Running, client: openai.AsyncOpenAI
) -> None:
    stream = await client.chat.completions.create(
        model=MODEL, messages=HELLO, max_tokens=1900, stream=True, extra_body={"ignore_eos": True}
    )
    for _ in range(5):
        await anext(stream)
    assert runner.child.pid is not None
    os.kill(runner.child.pid, signal.SIGKILL)
    with pytest.raises(openai.APIError, match="ended before its answer was complete"):
        await all_of(stream)
    (ticket,) = api.closed
    assert ticket.usage is not None
    assert ticket.usage.completion_tokens > 0
    await runner.until(ChildState.FAILED)
    assert "was killed by SIGKILL" in runner.child.why
    await runner.until(ChildState.READY)
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2)
    assert answer.choices


async def test_a_runner_that_falls_silent_ends_the_answer(
    runner: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_RENEW_EVERY_S", 0.0)
    limits = relay.Relay.__init__.__defaults__
    monkeypatch.setattr(relay.Relay.__init__, "__defaults__", (600.0, 1.0, 3.0))
    async with served(runner.runner) as api, api.client() as client:
        async with client.post(CHAT, json=ENDLESS) as response:
            await response.content.readuntil(b'"content":"')
            assert runner.child.pid is not None
            os.kill(runner.child.pid, signal.SIGSTOP)
            try:
                rest = await response.content.read()
            finally:
                os.kill(runner.child.pid, signal.SIGCONT)
        error = json.loads(rest.rpartition(b"data: ")[2])["error"]
        assert error["code"] == "runner_silent"
        await runner.until_slots_in_use(0)
    assert limits == (relay.FIRST_WITHIN_S, relay.NEXT_WITHIN_S, VOICE_THINKING_S)


async def test_embeddings_are_refused_by_a_runner_that_makes_none(
    client: openai.AsyncOpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="does not support embeddings"):
        await client.embeddings.create(model=MODEL, input="warm")


async def test_a_runner_that_makes_embeddings_still_chats(
    tmp_path: Path, small_model: Path
) -> None:
    async with (
        running(make_runner(tmp_path, small_model, embeddings=True)) as runner,
        served(runner.runner) as api,
        openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        made = await client.embeddings.create(model=MODEL, input=["warm", "cold"])
        assert [len(one.embedding) for one in made.data] == [576, 576]
        # Any other two tokens may be half of a letter.
        answer = await client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=2, temperature=0
        )
        assert answer.choices[0].message.content
