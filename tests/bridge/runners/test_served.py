"""Runners that somebody else starts: Ollama, and whatever speaks OpenAI's API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import ValidationError

from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.registry import load
from hashcenter_bridge.runners import Runner
from hashcenter_bridge.runners.served import is_at_home
from tests.bridge.serving import KEY, served
from tests.conformance.plays import says
from tests.conformance.scripted_upstream import ScriptedUpstream
from tests.simulators.ollama import Ollama, pulled

HELLO: Any = [{"role": "user", "content": "Say hello."}]


def made(plugin: str, **keys: Any) -> Runner:
    config = load("runners", plugin).Config.model_validate(
        {"plugin": plugin, "name": "voice", "gpus": [], **keys}
    )
    runner: Runner = load("runners", plugin)(config, (), PluginContext(Path(), Path()))
    return runner


@pytest.fixture
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama() as server:
        yield server


async def test_ollamas_models_are_offered_and_answer(ollama: Ollama) -> None:
    runner = made("ollama", url=ollama.url)
    assert await runner.ready()
    assert [(model.id, model.size_bytes) for model in runner.models] == [
        ("llama3.2:3b", 4_683_075_271)
    ]
    async with (
        served(runner) as api,
        openai.AsyncOpenAI(base_url=f"{api.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        answer = await client.chat.completions.create(model="llama3.2:3b", messages=HELLO)
        assert answer.choices[0].message.content == "Hello from Ollama"
        assert api.closed[0].usage is not None
        assert api.closed[0].usage.completion_tokens == 3
        pieces = await client.chat.completions.create(
            model="llama3.2:3b", messages=HELLO, stream=True
        )
        said = [piece.choices[0].delta.content async for piece in pieces if piece.choices]
        assert "".join(word or "" for word in said) == "Hello from Ollama"
    assert all("id_slot" not in body and "return_progress" not in body for body in ollama.asked)
    await runner.close()


async def test_ollamas_cloud_is_never_offered(ollama: Ollama) -> None:
    ollama.models = [
        pulled("gpt-oss:120b-cloud"),
        pulled("kimi-k2:cloud"),
        pulled("remote", remote_host="https://elsewhere.example"),
        pulled("qwen3:8b"),
    ]
    runner = made("ollama", url=ollama.url)
    assert await runner.ready()
    assert [model.id for model in runner.models] == ["qwen3:8b"]
    await runner.close()


async def test_only_the_models_that_the_owner_named_are_offered(ollama: Ollama) -> None:
    ollama.models = [pulled("a"), pulled("b")]
    runner = made("ollama", url=ollama.url, models=["b", "missing"], context_tokens=4096)
    assert await runner.ready()
    assert [(one.id, one.context_tokens) for one in runner.models] == [("b", 4096)]
    ollama.models = [pulled("a")]
    assert not await runner.ready()
    await runner.close()


async def test_a_server_that_speaks_openais_api_answers_with_its_key(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("secret\n")
    async with ScriptedUpstream([says("Hello.")], key="secret", models=["mlx"]) as upstream:
        runner = made("openai", url=f"{upstream.url}/v1/", key_file=str(key_file))
        assert await runner.ready()
        assert [model.id for model in runner.models] == ["mlx"]
        async with served(runner) as api, api.client() as client:
            body = {"messages": HELLO}
            async with client.post("/v1/chat/completions", json=body) as response:
                answer = await response.json()
        assert answer["choices"][0]["message"]["content"] == "Hello."
        await runner.close()


@pytest.mark.parametrize("plugin", ["ollama", "openai"])
async def test_a_server_that_is_not_there_says_where_it_was_looked_for(plugin: str) -> None:
    runner = made(plugin, url="http://127.0.0.1:9")
    with pytest.raises(OSError, match=r"'voice' at http://127\.0\.0\.1:9 does not answer"):
        await runner.ready()
    await runner.close()


async def test_something_else_at_the_address_is_no_ollama() -> None:
    async with ScriptedUpstream() as upstream:
        runner = made("ollama", url=upstream.url)
        with pytest.raises(OSError, match="status 404"):
            await runner.ready()
        await runner.close()


@pytest.mark.parametrize(
    ("url", "at_home"),
    [
        ("127.0.0.1", True),
        ("192.168.1.30", True),
        ("fd00::1", True),
        ("mac", True),
        ("mac.local", True),
        ("rig.home.arpa", True),
        ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("api.openai.com", False),
        ("local.example", False),
    ],
)
def test_what_is_at_home(url: str, at_home: bool) -> None:
    assert is_at_home(url) is at_home


def test_words_leave_the_network_only_by_the_owners_own_word() -> None:
    config = load("runners", "openai").Config
    keys = {"plugin": "openai", "name": "x", "url": "https://api.example.com"}
    with pytest.raises(ValidationError, match="every word of your house would leave it"):
        config.model_validate(keys)
    assert config.model_validate({**keys, "leaves_my_network": True}).url == keys["url"]


@pytest.mark.parametrize("url", ["ftp://mac", "mac:1234", "http://", "http://mac/?x=1"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ValidationError, match="write an address such as"):
        made("openai", url=url)


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key_file .* cannot be read"):
        made("openai", url="http://mac:1234", key_file=str(tmp_path / "none"))
