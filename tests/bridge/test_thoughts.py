"""Nobody waits for a model that only thinks: the rules, and a real runner with a real model."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hashcenter_bridge.thoughts import Thoughts
from tests.bridge.serving import make_runner, running, served

CHAT = "/v1/chat/completions"
TEMPLATE = Path(__file__).with_name("thinking_template.jinja")
VOICE = {"X-Hashcenter-Priority": "voice"}
#: As long as it would think by itself: the small model comes to no end.
TOKENS = 200


def event(**delta: Any) -> bytes:
    """Return a piece of a stream as llama.cpp writes it."""
    choice = {"finish_reason": None, "index": 0, "delta": delta}
    said = {"choices": [choice], "created": 1, "id": "chatcmpl-7", "model": "small"}
    return b"data: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


def fed(thoughts: Thoughts, pieces: list[tuple[float, bytes]]) -> Iterator[str | None]:
    """Return what each piece leads to."""
    return (thoughts.feed(data, now) for now, data in pieces)


def test_a_thought_that_takes_too_long_is_ended_once() -> None:
    thought = event(reasoning_content="hm")
    pieces = [
        (0.0, event(role="assistant", content=None)),
        *((now, thought) for now in (5.0, 8.0, 8.1, 20.0)),
    ]
    assert list(fed(Thoughts(3.0), pieces)) == [None, None, None, "chatcmpl-7", None]


@pytest.mark.parametrize(
    "said",
    [event(content="Yes"), event(tool_calls=[{"index": 0, "id": "a"}])],
    ids=["words", "call"],
)
def test_one_that_speaks_is_left_alone(said: bytes) -> None:
    thought = event(reasoning_content='the "content":"x" of')
    pieces = [(0.0, thought), (1.0, said), (9.0, thought), (19.0, thought)]
    assert not any(fed(Thoughts(3.0), pieces))


def test_one_that_does_not_think_is_left_alone() -> None:
    assert not any(fed(Thoughts(0.0), [(0.0, event(role="assistant")), (9.0, b": ping\n\n")]))


@asynccontextmanager
async def thinker(
    folder: Path, model: Path, thinking_s: float
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve the small model with a template by which it thinks."""
    runner = make_runner(folder, model, chat_template=str(TEMPLATE))
    async with (
        running(runner),
        served(runner, thinking_s=thinking_s) as api,
        api.client() as client,
    ):
        yield client


async def ask(
    client: aiohttp.ClientSession, headers: dict[str, str], **asked: Any
) -> tuple[list[str], list[str]]:
    """Return the pieces that were thought, and those that were said."""
    body = {
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        **asked,
    }
    thought, said = [], []
    async with client.post(CHAT, json=body, headers=headers) as response:
        assert response.status == 200
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                thought += [one] if (one := choice["delta"].get("reasoning_content")) else []
                said += [one] if (one := choice["delta"].get("content")) else []
    return thought, said


async def test_a_runner_ends_its_thought_and_answers_who_speaks(
    tmp_path: Path, small_model: Path
) -> None:
    async with thinker(tmp_path, small_model, thinking_s=0.0) as client:
        thought, said = await ask(client, VOICE)
        assert thought
        assert said
        # It went on from what it had thought: one answer, not two.
        assert len(thought) + len(said) <= TOKENS


async def test_nobody_hurries_what_nobody_waits_for(tmp_path: Path, small_model: Path) -> None:
    async with thinker(tmp_path, small_model, thinking_s=0.0) as client:
        thought, said = await ask(client, {})
        assert len(thought) > TOKENS / 2
        assert not said


async def test_the_budget_of_a_client_reaches_the_runner(tmp_path: Path, small_model: Path) -> None:
    async with thinker(tmp_path, small_model, thinking_s=60.0) as client:
        few, said = await ask(client, VOICE, thinking_budget_tokens=8)
        assert 0 < len(few) <= 10
        assert said
        none, said = await ask(client, VOICE, chat_template_kwargs={"enable_thinking": False})
        assert not none
        assert said
