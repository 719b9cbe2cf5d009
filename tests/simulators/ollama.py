"""An Ollama server on 127.0.0.1: its lists, its memory, and its OpenAI-compatible chat.

    async with Ollama() as ollama:
        ...  # ask ollama.url; ollama.loaded is what is in memory, ollama.kept for how long

A model is loaded by the first thing that needs it, as Ollama does; `keep_alive` 0 unloads it.
`mood` makes it ill: "hangs" answers nothing, anything else is sent as it is instead of an answer.
Source: Ollama's docs/api.md and docs/openai.md.
"""

import asyncio
import json
from typing import Any, Self

from aiohttp import web

GIB = 1 << 30
DIGEST = "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72"


def installed(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry of `/api/tags`."""
    return {"name": name, "model": name, "size": 5 * GIB, "digest": DIGEST, "details": {}, **more}


class Ollama:
    """The server; `told` holds each body of `/api/generate`."""

    def __init__(self, *models: dict[str, Any], context: int = 4096, load_s: float = 0.0) -> None:
        self.models = list(models) or [installed("qwen3:8b")]
        self.capabilities = ["completion", "tools"]
        self.context = context
        self.load_s = load_s
        self.loaded: list[str] = []
        self.kept: Any = None
        self.told: list[dict[str, Any]] = []
        self.chats: list[dict[str, Any]] = []
        self.mood: str | None = None
        self.refusal: str | None = None
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._moody])
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/api/ps", self._ps)
        app.router.add_post("/api/show", self._show)
        app.router.add_post("/api/generate", self._generate)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        assert self._runner is not None
        await self._runner.cleanup()
        self._closing = asyncio.Event()
        self.loaded.clear()

    @web.middleware
    async def _moody(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.mood == "hangs":
            await self._closing.wait()
        if self.mood is not None:
            return web.Response(text=self.mood)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _tags(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": self.models})

    async def _ps(self, _request: web.Request) -> web.Response:
        held = [one for one in self.models if one["name"] in self.loaded]
        more = {"size_vram": 6 * GIB, "context_length": self.context}
        return web.json_response({"models": [{**one, **more} for one in held]})

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response({"capabilities": self.capabilities, "model_info": {}})

    async def _generate(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.told.append(body)
        if self.refusal is not None:
            return web.json_response({"error": self.refusal}, status=500)
        if body["keep_alive"] == 0:
            self.loaded.remove(body["model"])
            return web.json_response({"done": True, "done_reason": "unload"})
        await self._need(body["model"])
        self.kept = body["keep_alive"]
        return web.json_response({"done": True, "done_reason": "load", "response": ""})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.chats.append(body)
        await self._need(body["model"])
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for piece in ({"role": "assistant", "content": ""}, {"content": "It is warm."}):
            await answer.write(_event(body["model"], [{"index": 0, "delta": piece}]))
        end = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        await answer.write(_event(body["model"], end))
        if body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
            await answer.write(_event(body["model"], [], usage=usage))
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async def _need(self, model: str) -> None:
        if model not in self.loaded:
            await asyncio.sleep(self.load_s)
            self.loaded.append(model)


def _event(model: str, choices: list[Any], **more: Any) -> bytes:
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    return b"data: " + json.dumps({**said, "choices": choices, **more}).encode() + b"\n\n"
