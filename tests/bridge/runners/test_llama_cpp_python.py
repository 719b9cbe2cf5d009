"""Rules of the runner on llama-cpp-python, held by the compiled library itself."""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.bridge.serving import KEY, MODEL, make_runner, running, served

pytestmark = pytest.mark.llama_cpp_python

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(autouse=True)
def library() -> None:
    if find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed: pip install '.[llama-cpp-python]'")


async def test_the_official_client_gets_a_stream_and_a_whole_answer(
    tmp_path: Path, small_model: Path
) -> None:
    async with (
        running(make_runner(tmp_path, small_model, "llama_cpp_python", slots=1)) as started,
        served(started.runner) as api,
        openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        whole = await client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=8, temperature=0
        )
        said = ""
        stream = await client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True
        )
        async for piece in stream:
            said += piece.choices[0].delta.content or ""
        assert said == whole.choices[0].message.content != ""
        for ticket in api.closed:
            assert "first_token" in ticket.stamps
            assert ticket.usage is not None
            assert ticket.usage.completion_tokens > 0
        socket = started.runner.upstream.unix_socket
        assert socket is not None
        assert socket.stat().st_mode & 0o077 == 0


async def test_a_client_that_hangs_up_makes_room_for_the_next(
    tmp_path: Path, small_model: Path
) -> None:
    async with (
        running(make_runner(tmp_path, small_model, "llama_cpp_python", slots=1)) as started,
        served(started.runner) as api,
        api.client() as client,
    ):
        endless = {"messages": HELLO, "max_tokens": 1900, "stream": True, "temperature": 2}
        async with client.post("/v1/chat/completions", json=endless) as response:
            await response.content.readuntil(b'"content"')
        short = {"messages": HELLO, "max_tokens": 2}
        async with (
            asyncio.timeout(60),
            client.post("/v1/chat/completions", json=short) as response,
        ):
            assert response.status == 200
        assert await started.runner.ready()
