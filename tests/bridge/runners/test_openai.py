"""Rules of the runner for servers that somebody else runs, held by scripted ones."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web
from pydantic import ValidationError

from hashcenter_bridge import certificate
from hashcenter_bridge.arbiter.people import shares_device
from hashcenter_bridge.errors import ConfigError, RunnerFault
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.programs import MinerProgram, RunnerProgram
from hashcenter_bridge.runners import Runner, openai as plugin, watched
from tests.bridge.rigs import Hasher
from tests.bridge.serving import KEY, make_runner, served
from tests.conformance import plays
from tests.conformance.scripted_upstream import ScriptedUpstream

NOWHERE = PluginContext(Path("/nowhere"), Path("/nowhere"))


def config(**keys: Any) -> plugin.OpenAiConfig:
    given = {"plugin": "openai", "name": "mac", "url": "http://127.0.0.1:1234"}
    return plugin.OpenAiConfig.model_validate({**given, **keys})


def make(url: str, gpus: tuple[str, ...] = (), **keys: Any) -> plugin.Plugin:
    return plugin.Plugin(config(url=url, **keys), gpus, NOWHERE)


class Strange:
    """A server whose list of models is whatever a test says."""

    def __init__(self, answer: web.Response, **site: Any) -> None:
        self._answer = answer
        self._site = site
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, **self._site).start()
        scheme = "https" if self._site else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        return self._answer


async def test_it_offers_what_the_server_lists_and_answers_from_there(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sesame\n")
    async with ScriptedUpstream([plays.says("Hello.")], key="sesame", models=["a", "b"]) as there:
        runner: Runner = make(there.url, key_file=key, context_tokens=4096)
        assert runner.child is None
        assert await runner.ready()
        assert [model.id for model in runner.models] == ["a", "b"]
        assert runner.models[0].context_tokens == 4096
        async with served(runner) as api, api.client() as client:
            api.grant = lambda ticket: ticket.grant("mac")
            body = {"model": "b", "messages": [{"role": "user", "content": "Hi"}]}
            async with client.post("/v1/chat/completions", json=body) as response:
                assert (await response.json())["choices"][0]["message"]["content"] == "Hello."
        assert there.received[0].body["model"] == "b"
        await runner.close()


@pytest.mark.parametrize("priority", ["voice", "task", "batch"])
async def test_another_rig_is_told_who_waits(priority: str) -> None:
    async with ScriptedUpstream([plays.says("Hello.")]) as model:
        far = make(model.url)
        assert await far.ready()
        async with served(far) as there:
            there.grant = lambda ticket: ticket.grant("mac")
            near = make(there.url)
            near.upstream = replace(near.upstream, api_key=KEY)
            assert await near.ready()
            async with served(near) as here, here.client() as client:
                here.grant = lambda ticket: ticket.grant("mac")
                body = {"messages": [{"role": "user", "content": "Hi"}]}
                headers = {"X-Hashcenter-Priority": priority}
                path = "/v1/chat/completions"
                async with client.post(path, json=body, headers=headers) as response:
                    assert (await response.json())["choices"][0]["message"]["content"] == "Hello."
            assert [ticket.priority.name.lower() for ticket in there.closed] == [priority]
            await near.close()
        await far.close()


async def test_a_question_for_its_model_is_not_counted_by_another_runner(tmp_path: Path) -> None:
    llama = make_runner(tmp_path, tmp_path / "none.gguf", context_tokens=256)
    async with ScriptedUpstream([plays.says("Read.")], models=["large"]) as there:
        runner = make(there.url)
        assert await runner.ready()
        async with served(llama, runner) as api, api.client() as client:
            api.grant = lambda ticket: ticket.grant("mac")
            asking = {"model": "large", "messages": [{"role": "user", "content": "heat " * 900}]}
            async with client.post("/v1/chat/completions", json=asking) as response:
                assert response.status == 200
            async with client.post("/hashcenter/tokens", json=asking) as response:
                assert response.status == 503
        await runner.close()
    await llama.close()


async def test_only_the_named_models_are_offered_and_a_missing_one_is_said() -> None:
    async with ScriptedUpstream(models=["a", "b"]) as there:
        runner = make(there.url, models=["b"])
        assert [model.id for model in runner.models] == ["b"]
        assert await runner.ready()
        assert [model.id for model in runner.models] == ["b"]
        await runner.close()
        other = make(there.url, models=["c"])
        with pytest.raises(RunnerFault, match=r"has no model 'c' \(it has: a, b\)"):
            await other.ready()
        await other.close()


async def test_nobody_there_and_a_wrong_key_are_sentences(tmp_path: Path) -> None:
    async with ScriptedUpstream(key="sesame") as there:
        url = there.url
    gone = make(url)
    with pytest.raises(RunnerFault, match=f"runner 'mac' at {url} cannot be reached"):
        await gone.ready()
    await gone.close()
    answer = web.json_response({"error": {"message": "no"}}, status=401)
    async with Strange(answer) as there:
        locked = make(there.url)
        with pytest.raises(RunnerFault, match="correct key_file"):
            await locked.ready()
        await locked.close()
    with pytest.raises(ConfigError, match=r"key_file: .*none cannot be read"):
        make(url, key_file=tmp_path / "none")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (web.Response(body=b"\xff\xfe"), "did not answer /v1/models as it should"),
        (web.Response(text="[" * 50_000), "did not answer /v1/models as it should"),
        (web.json_response({"data": 5}), "serves no model"),
        (web.json_response({"data": [{"id": 5}, {"id": ""}, None]}), "serves no model"),
        (web.json_response({"data": []}), "serves no model"),
        (web.Response(body=b" " * 2_000_000), "says too much"),
        (web.Response(status=307, headers={"Location": "/v1/models"}), "status 307"),
    ],
)
async def test_garbage_is_a_sentence(answer: web.Response, sentence: str) -> None:
    async with Strange(answer) as there:
        runner = make(there.url)
        with pytest.raises(RunnerFault, match=sentence):
            await runner.ready()
        await runner.close()


async def test_a_silent_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "ANSWERS_WITHIN_S", 0.05)

    async def silent(_request: web.Request) -> web.Response:
        await request_ended.wait()
        return web.Response()

    request_ended = asyncio.Event()
    app = web.Application()
    app.router.add_get("/v1/models", silent)
    serving = web.AppRunner(app)
    await serving.setup()
    await web.TCPSite(serving, "127.0.0.1", 0).start()
    runner = make(f"http://127.0.0.1:{serving.addresses[0][1]}")
    with pytest.raises(RunnerFault, match="does not answer"):
        await runner.ready()
    request_ended.set()
    await runner.close()
    await serving.cleanup()


async def test_a_certificate_that_no_authority_signed_is_pinned(tmp_path: Path) -> None:
    shown = certificate.read_or_make(tmp_path)
    listed = web.json_response({"data": [{"id": "a"}]})
    async with Strange(listed, ssl_context=shown.context()) as there:
        pin = shown.fingerprint.hex()
        right = make(there.url, fingerprint=pin)
        assert await right.ready()
        await right.close()
        for wrong in (make(there.url, fingerprint="0" * 64), make(there.url)):
            with pytest.raises(RunnerFault, match="cannot be reached"):
                await wrong.ready()
            await wrong.close()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"url": "https://api.openai.com/v1"}, "would leave the house"),
        ({"url": "https://8.8.8.8"}, "would leave the house"),
        ({"url": "http://192.168.1.30:1234"}, "plain = true"),
        ({"url": "http://mac.local:1234"}, "plain = true"),
        ({"url": "https://192.168.1.30", "gpus": [0]}, "leave gpus out"),
        ({"url": "ftp://127.0.0.1"}, "write an address"),
        ({"url": "http://127.0.0.1/v1/models"}, "write only the address"),
        ({"url": "http://user@127.0.0.1"}, "write an address"),
    ],
)
def test_words_leave_this_machine_only_by_the_owners_word(
    keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        config(**keys)


def test_what_the_owner_allows_is_allowed() -> None:
    config(url="http://192.168.1.30:1234/v1/", plain=True)
    config(url="https://rig.lan", fingerprint="0" * 64)
    config(url="https://models.example.com", leaves_my_network=True)


def test_another_machine_uses_no_device_of_this_rig() -> None:
    here = RunnerProgram(make("http://127.0.0.1:1", ("GPU-0",)), lambda: 0.0, lambda: None).seen()
    there = make("http://192.168.1.30", ("GPU-0",), plain=True)
    elsewhere = RunnerProgram(there, lambda: 0.0, lambda: None).seen()
    on_gpu = MinerProgram(Hasher(), lambda: 0.0, lambda: None).seen()
    on_cpu = MinerProgram(Hasher(gpus=()), lambda: 0.0, lambda: None).seen()
    assert shares_device(here, on_gpu)
    assert not shares_device(elsewhere, on_gpu)
    assert not shares_device(elsewhere, on_cpu)
