"""Rules of the runner for Ollama: what is in memory is what Ollama says is, and only that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.child import ChildState
from hashcenter_bridge.errors import RunnerFault
from hashcenter_bridge.guest import Guest
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.programs import RunnerProgram
from hashcenter_bridge.runners import LoadsModels, Runner, ollama as plugin, watched
from tests.bridge.serving import served
from tests.simulators.ollama import DIGEST, Ollama, installed

PATIENCE_S = 10.0


def make(url: str, **keys: Any) -> plugin.Plugin:
    given = {"plugin": "ollama", "name": "voice", "gpus": [], "models": ["qwen3:8b"], "url": url}
    config = plugin.OllamaConfig.model_validate({**given, **keys})
    return plugin.Plugin(config, (), PluginContext(Path("/nowhere"), Path("/nowhere")))


@asynccontextmanager
async def held(runner: plugin.Plugin) -> AsyncIterator[Guest]:
    guest = Guest(runner, changed=lambda: None, look_every_s=0.02, back_off_s=(0.02,))
    try:
        yield guest
    finally:
        await guest.close()
        await runner.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_it_is_a_runner_that_loads_and_unloads() -> None:
    runner: Runner = make("http://127.0.0.1:1")
    assert isinstance(runner, LoadsModels)
    program = RunnerProgram(runner, lambda: 0.0, lambda: None)
    assert isinstance(program.child, Guest)


async def test_a_wanted_model_is_loaded_to_stay_and_an_unwanted_one_gives_its_memory_back() -> None:
    async with Ollama(load_s=0.05) as ollama, held(make(ollama.url)) as guest:
        guest.want(True)
        await until(lambda: guest.state is ChildState.READY)
        assert (ollama.loaded, ollama.kept) == (["qwen3:8b"], -1)
        guest.want(False)
        await until(lambda: guest.state is ChildState.STOPPED)
        assert ollama.loaded == []
        assert ollama.told[-1]["keep_alive"] == 0


async def test_a_load_is_called_off_when_the_card_is_needed() -> None:
    async with Ollama(load_s=30) as ollama, held(make(ollama.url)) as guest:
        guest.want(True)
        await until(lambda: ollama.told != [])
        assert guest.state is ChildState.STARTING
        guest.want(False)
        await until(lambda: guest.state is ChildState.STOPPED)


async def test_a_model_that_another_program_pushed_out_is_loaded_again() -> None:
    async with Ollama() as ollama, held(make(ollama.url)) as guest:
        guest.want(True)
        await until(lambda: guest.state is ChildState.READY)
        ollama.loaded.clear()
        await until(lambda: ollama.loaded == ["qwen3:8b"])
        assert len(ollama.told) == 2


async def test_a_server_that_is_gone_has_failed_and_is_back_when_it_is_back() -> None:
    ollama = Ollama()
    async with ollama:
        pass
    async with held(make(ollama.url)) as guest:
        guest.want(True)
        await until(lambda: guest.state is ChildState.FAILED)
        assert f"the server of runner 'voice' at {ollama.url} cannot be reached" in guest.why
        guest.want(False)
        await until(lambda: guest.state is ChildState.STOPPED)
        guest.want(True)
        async with ollama:
            await until(lambda: guest.state is ChildState.READY)


async def test_a_refused_load_says_why_in_ollamas_words() -> None:
    async with Ollama() as ollama, held(make(ollama.url)) as guest:
        ollama.refusal = "model requires more system memory (9.1 GiB) than is available"
        guest.want(True)
        await until(lambda: guest.state is ChildState.FAILED)
        assert "requires more system memory" in guest.why


async def test_what_the_model_is_comes_from_ollama() -> None:
    async with Ollama(context=8192) as ollama:
        ollama.capabilities.append("vision")
        ollama.loaded.append("qwen3:8b")
        runner = make(ollama.url, sha256={"qwen3:8b": DIGEST})
        await runner.verify()
        (model,) = runner.models
        assert (model.id, model.sha256, model.context_tokens) == ("qwen3:8b", DIGEST, 8192)
        assert model.sees
        await runner.close()


async def test_another_digest_than_the_pinned_one_is_refused() -> None:
    async with Ollama() as ollama:
        runner = make(ollama.url, sha256={"qwen3:8b": "0" * 64})
        with pytest.raises(RunnerFault, match="another 'qwen3:8b' than you verified"):
            await runner.verify()
        await runner.close()


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (installed("llama3.2:3b"), "ollama pull qwen3:8b"),
        (installed("qwen3:8b", remote_host="https://ollama.com:443"), "Ollama's cloud"),
    ],
)
async def test_a_model_that_is_not_here_is_refused(model: dict[str, Any], sentence: str) -> None:
    async with Ollama(model) as ollama:
        runner = make(ollama.url)
        with pytest.raises(RunnerFault, match=sentence):
            await runner.ready()
        await runner.close()


async def test_a_name_without_a_tag_means_the_latest() -> None:
    async with Ollama(installed("mistral:latest")) as ollama:
        runner = make(ollama.url, models=["mistral"])
        ollama.loaded.append("mistral:latest")
        assert await runner.ready()
        await runner.close()


async def test_without_a_name_all_but_the_clouds_are_offered_and_none_stays() -> None:
    here = [installed("a"), installed("b")]
    cloud = [installed("gpt-oss:120b-cloud"), installed("c", remote_model="c")]
    async with Ollama(*here, *cloud) as ollama, held(make(ollama.url, models=[])) as guest:
        guest.want(True)
        await until(lambda: guest.state is ChildState.READY)
        assert ollama.loaded == []
        ollama.loaded.extend(["a", "b"])
        guest.want(False)
        await until(lambda: guest.state is ChildState.STOPPED)
        assert ollama.loaded == []


@pytest.mark.parametrize("mood", ["<html>", "[]", "{}", '{"models": 5}', '{"models": [7, null]}'])
async def test_garbage_is_a_sentence(mood: str) -> None:
    async with Ollama() as ollama:
        ollama.mood = mood
        runner = make(ollama.url)
        with pytest.raises(RunnerFault, match="the server of runner 'voice'"):
            await runner.ready()
        await runner.close()


async def test_a_busy_server_stays_ready_for_a_minute_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watched, "ANSWERS_WITHIN_S", 0.05)
    now = [0.0]
    async with Ollama() as ollama:
        runner = make(ollama.url)
        ollama.loaded.append("qwen3:8b")
        runner._clock = lambda: now[0]
        assert await runner.ready()
        ollama.mood = "hangs"
        now[0] = 59.0
        assert await runner.ready()
        now[0] = 61.0
        with pytest.raises(RunnerFault, match="does not answer"):
            await runner.ready()
        await runner.close()


async def test_letting_go_leaves_the_model_to_ollamas_own_rule() -> None:
    async with Ollama() as ollama:
        runner = make(ollama.url)
        async with held(runner) as guest:
            guest.want(True)
            await until(lambda: guest.state is ChildState.READY)
        assert ollama.kept == "5m"


@pytest.mark.parametrize("stream", [True, False])
async def test_questions_go_to_its_openai_api(stream: bool) -> None:
    async with Ollama() as ollama, served(make(ollama.url)) as api, api.client() as client:
        body = {"messages": [{"role": "user", "content": "Warm?"}], "stream": stream}
        body |= {"stream_options": {"include_usage": True}} if stream else {}
        async with client.post("/v1/chat/completions", json=body) as response:
            assert response.status == 200
            assert "It is warm." in await response.text()
        assert ollama.chats[0]["model"] == "qwen3:8b"
        assert "id_slot" not in ollama.chats[0]
        assert api.closed[0].usage is not None
        assert api.closed[0].usage.completion_tokens == 3
