"""Rules of the HTTP API, with the official client, a real runner and a real small model."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from hashcenter_bridge import http_api, incoming
from hashcenter_bridge.tickets import Priority
from tests.bridge.serving import (
    KEY,
    MODEL,
    Api,
    all_of,
    error_of,
    make_runner,
    served,
)

CHAT = "/v1/chat/completions"
HELLO: Any = [{"role": "user", "content": "Say hello."}]


async def test_the_official_client_gets_an_answer(api: Api, client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.model == MODEL
    assert answer.usage is not None
    (ticket,) = api.closed
    assert ticket.usage is not None
    assert ticket.usage.completion_tokens == answer.usage.completion_tokens > 0
    assert ticket.usage.prompt_tokens == answer.usage.prompt_tokens > 0


async def test_a_stream_says_the_same_as_the_whole_answer(
    api: Api, client: openai.AsyncOpenAI
) -> None:
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": HELLO,
        "max_tokens": 12,
        "temperature": 0,
        "seed": 1,
    }
    whole = await client.chat.completions.create(**asked)
    said = ""
    async for piece in await client.chat.completions.create(stream=True, **asked):
        assert piece.usage is None
        said += piece.choices[0].delta.content or ""
    assert said == whole.choices[0].message.content
    ticket = api.closed[-1]
    stamps = ticket.stamps
    assert stamps["opened"] <= stamps["granted"] <= stamps["first_token"] <= stamps["closed"]
    assert ticket.usage is not None
    assert whole.usage is not None
    assert ticket.usage.completion_tokens == whole.usage.completion_tokens
    assert ticket.usage.prompt_tokens == whole.usage.prompt_tokens


async def test_a_client_that_asks_for_usage_gets_it(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        max_tokens=4,
        stream=True,
        stream_options={"include_usage": True},
    )
    last = (await all_of(stream))[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens == 4


async def test_the_models_are_listed(client: openai.AsyncOpenAI) -> None:
    listed = await client.models.list()
    assert [(model.id, model.owned_by) for model in listed.data] == [(MODEL, "voice")]


async def test_an_unknown_model_is_refused_with_those_there_are(
    client: openai.AsyncOpenAI,
) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        await client.chat.completions.create(model="gpt-9", messages=HELLO)
    assert refused.value.code == "model_not_found"
    assert MODEL in refused.value.message


async def test_a_question_longer_than_the_context_is_the_clients_mistake(
    client: openai.AsyncOpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "heat " * 4000}]
        )
    assert refused.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/metrics", "/v1/embeddings", "/nowhere"])
async def test_nothing_but_health_is_said_without_the_key(
    idle_api: Api, headers: dict[str, str], path: str
) -> None:
    async with aiohttp.ClientSession(idle_api.url) as stranger:
        async with stranger.post(path, json={"messages": HELLO}, headers=headers) as response:
            assert response.status == 401
            assert (await error_of(response))["code"] == "invalid_api_key"
            assert KEY not in await response.text()
        async with stranger.get("/health", headers=headers) as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
    assert idle_api.closed == []


async def test_metrics_are_for_prometheus(idle_api: Api) -> None:
    async with idle_api.client() as client, client.get("/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await response.text() == "hashcenter_up 1\n"


async def test_no_other_origin_is_allowed(idle_api: Api) -> None:
    origin = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "POST"}
    async with idle_api.client() as client:
        for method, path in (("OPTIONS", CHAT), ("GET", "/v1/models"), ("GET", "/health")):
            async with client.request(method, path, headers=origin) as response:
                allowed = [name for name in response.headers if name.startswith("Access-Control")]
                assert allowed == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/files", 404, "not_found"),
        ("GET", "/../etc/passwd", 404, "not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_refused_in_the_same_form(
    idle_api: Api, method: str, path: str, status: int, code: str
) -> None:
    async with idle_api.client() as client, client.request(method, path) as response:
        assert response.status == status
        assert (await error_of(response))["code"] == code


@pytest.mark.parametrize(
    ("code", "status"), [("queue_full", 429), ("stopped", 503), ("not_available", 503)]
)
async def test_a_refused_ticket_says_why_and_when_to_ask_again(
    idle_api: Api, code: str, status: int
) -> None:
    idle_api.grant = lambda ticket: ticket.refuse(code, "Not now.")
    async with (
        idle_api.client() as client,
        client.post(CHAT, json={"messages": HELLO}) as response,
    ):
        assert response.status == status
        assert int(response.headers["Retry-After"]) > 0
        error = await error_of(response)
        assert (error["code"], error["message"]) == (code, "Not now.")


@pytest.mark.parametrize(
    ("said", "priority"),
    [(None, Priority.TASK), ("voice", Priority.VOICE), ("Batch", Priority.BATCH)],
)
async def test_a_question_waits_with_the_priority_it_names(
    idle_api: Api, said: str | None, priority: Priority
) -> None:
    idle_api.grant = lambda ticket: ticket.refuse("stopped", "Not now.")
    headers = {"X-Hashcenter-Priority": said} if said else {}
    async with (
        idle_api.client() as client,
        client.post(CHAT, json={"messages": HELLO, "model": MODEL}, headers=headers),
    ):
        (ticket,) = idle_api.closed
        assert (ticket.priority, ticket.model) == (priority, MODEL)


async def test_an_unknown_priority_is_refused(idle_api: Api) -> None:
    headers = {"X-Hashcenter-Priority": "emperor"}
    async with (
        idle_api.client() as client,
        client.post(CHAT, json={"messages": HELLO}, headers=headers) as response,
    ):
        assert response.status == 400
        assert "voice, task, batch" in (await error_of(response))["message"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://192.168.1.1/door.jpg"}},
        {"type": "image_url", "image_url": {"url": " HTTPS://elsewhere/door.jpg"}},
        {"type": "image_url", "image_url": "file:///etc/passwd"},
        {"type": "video_url", "video_url": {"deeper": [{"url": "ftp://elsewhere"}]}},
    ],
)
async def test_a_remote_image_is_refused(idle_api: Api, part: dict[str, Any]) -> None:
    content = [{"type": "text", "text": "What is it?"}, part]
    async with (
        idle_api.client() as client,
        client.post(CHAT, json={"messages": [{"role": "user", "content": content}]}) as response,
    ):
        assert response.status == 400
        assert (await error_of(response))["code"] == "remote_url_refused"


async def test_a_second_key_of_the_same_name_hides_nothing(idle_api: Api) -> None:
    hidden = '{"type":"image_url","image_url":{"url":"data:,","url":"http://elsewhere"}}'
    body = f'{{"messages":[{{"role":"user","content":[{hidden}]}}]}}'
    async with idle_api.client() as client, client.post(CHAT, data=body) as response:
        assert (await error_of(response))["code"] == "remote_url_refused"


async def test_a_body_that_is_too_large_is_refused(idle_api: Api) -> None:
    body = b'{"messages":"' + b"x" * http_api.MAX_BODY_BYTES + b'"}'
    async with idle_api.client() as client, client.post(CHAT, data=body) as response:
        assert response.status == 413
        assert (await error_of(response))["code"] == "too_large"


async def test_a_body_that_does_not_come_is_not_waited_for(
    idle_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "BODY_WITHIN_S", 0.2)

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"messages":'
        await asyncio.sleep(3600)

    async with idle_api.client() as client, client.post(CHAT, data=slowly()) as response:
        assert response.status == 408
        assert (await error_of(response))["code"] == "too_slow"


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: y"])
async def test_headers_that_do_not_come_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_api, "REST_WITHIN_S", 0.3)
    async with served(make_runner(tmp_path, tmp_path / "none.gguf")) as api:
        host, _, port = api.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_a_body_that_is_damaged_is_refused(idle_api: Api) -> None:
    headers = {"Content-Encoding": "deflate"}
    async with (
        idle_api.client() as client,
        client.post(CHAT, data=b"\x00 not deflate", headers=headers) as response,
    ):
        assert response.status == 400


async def test_a_mistake_of_ours_is_logged_and_told_without_details(
    idle_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    idle_api.failing = True
    async with idle_api.client() as client, client.get("/health") as response:
        assert response.status == 500
        assert "a mistake of ours" not in await response.text()
        assert (await error_of(response))["code"] == "internal_error"
    assert "a mistake of ours" in caplog.text
