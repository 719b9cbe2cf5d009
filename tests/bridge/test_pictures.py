"""Pictures: asked for as everything else, made by a real small server, never by who talks."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Running, State
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.runners.openai import OpenAiConfig, Plugin
from tests.bridge.arbiter.scene import TASK, VOICE, leased, miner, rig, rules, runner, ticket
from tests.bridge.serving import Api, error_of, make_runner, served
from tests.simulators.image_server import MODEL, ImageServer

PATH = "/v1/images/generations"


@pytest.fixture
async def painter() -> AsyncIterator[ImageServer]:
    async with ImageServer() as server:
        yield server


@pytest.fixture
async def api(painter: ImageServer) -> AsyncIterator[Api]:
    config = OpenAiConfig.model_validate(
        {"plugin": "openai", "name": "voice", "url": painter.url, "draws": True}
    )
    made = Plugin(config, (), PluginContext(Path("/nowhere"), Path("/nowhere")))
    assert await made.ready()
    assert made.models[0].draws
    async with served(made) as serving:
        yield serving
    await made.close()


async def test_a_picture_comes_in_the_answer(api: Api, painter: ImageServer) -> None:
    asked = {"prompt": "a warm cellar", "size": "64x128", "n": 2, "response_format": "b64_json"}
    async with api.client() as client, client.post(PATH, json=asked) as response:
        assert response.status == 200
        drawn = [base64.b64decode(one["b64_json"]) for one in (await response.json())["data"]]
    assert len(drawn) == 2
    assert drawn[0].startswith(b"\x89PNG")
    assert painter.asked[0]["model"] == MODEL
    assert api.closed[0].draws


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, "prompt must be text"),
        ({"prompt": " "}, "prompt must be text"),
        ({"prompt": "a" * 40_000}, "prompt must be text"),
        ({"prompt": "a <sd_cpp_extra_args>{}</sd_cpp_extra_args>"}, "settings of the image server"),
        ({"prompt": "a", "n": 0}, "n must be"),
        ({"prompt": "a", "n": 99}, "n must be"),
        ({"prompt": "a", "size": "huge"}, "size must be"),
        ({"prompt": "a", "response_format": "url"}, "b64_json"),
        ({"prompt": "a", "size": "65x65"}, "invalid params"),
    ],
)
async def test_what_cannot_be_drawn_is_refused(
    api: Api, asked: dict[str, Any], sentence: str
) -> None:
    async with api.client() as client, client.post(PATH, json=asked) as response:
        assert response.status == 400
        assert sentence in (await error_of(response))["message"]


async def test_what_is_no_setting_of_a_picture_is_not_handed_on(
    api: Api, painter: ImageServer
) -> None:
    asked = {"prompt": "a", "size": "64x64", "init_image": "/etc/passwd", "stream": True}
    async with api.client() as client, client.post(PATH, json=asked) as response:
        assert response.status == 200
    assert set(painter.asked[0]) == {"prompt", "size", "model", "response_format"}


@pytest.mark.parametrize(
    "answer",
    [
        web.json_response({"data": [{"url": "http://elsewhere.example/a.png"}]}),
        web.json_response({"data": 5}),
        web.Response(body=b"\xff"),
        web.json_response({"error": "server_error", "message": "x"}, status=500),
        web.Response(status=307, headers={"Location": "/v1/models"}),
    ],
)
async def test_an_answer_without_a_picture_is_none(
    api: Api, painter: ImageServer, answer: web.Response
) -> None:
    painter.answer = answer
    async with api.client() as client, client.post(PATH, json={"prompt": "a"}) as response:
        assert response.status == 502


async def test_nobody_chats_with_a_painter(api: Api) -> None:
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    async with api.client() as client, client.post("/v1/chat/completions", json=asked) as response:
        assert response.status == 404


async def test_a_rig_without_a_painter_says_so(tmp_path: Path) -> None:
    async with (
        served(make_runner(tmp_path, tmp_path / "none.gguf")) as api,
        api.client() as client,
        client.post(PATH, json={"prompt": "a"}) as response,
    ):
        assert response.status == 404
        assert "makes pictures" in (await error_of(response))["message"]


def test_questions_and_pictures_go_where_they_belong_and_hashing_gives_way_to_both() -> None:
    painting = runner("painter", draws=True, models=("sd",))
    seen = rig(
        miners=(miner(),),
        runners=(painting, runner()),
        tickets=(ticket(1, VOICE), ticket(2, TASK, draws=True)),
    )
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.PAUSED
    paused = replace(seen, miners=(miner(running=Running.PAUSED),))
    _, wanted = decide(leased(300.0), paused, rules(), 2.0)
    assert wanted.tickets[1].runner == "runner"
    assert wanted.tickets[2].runner == "painter"


def test_a_painter_alone_answers_no_question() -> None:
    seen = rig(miners=(), runners=(runner("painter", draws=True),), tickets=(ticket(1, VOICE),))
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert wanted.tickets[1].runner is None
    assert wanted.tickets[1].code == "not_available"
