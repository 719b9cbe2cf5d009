"""An Ollama server on 127.0.0.1: a real program's protocol, without its models.

Source: Ollama's API reference and its OpenAI compatibility page.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


def pulled(name: str, **more: Any) -> dict[str, Any]:
    """Return a model as `/api/tags` lists it."""
    return {"name": name, "model": name, "size": 4_683_075_271, "digest": "a" * 64, **more}


@dataclass
class Ollama:
    """The server. `models` are pulled; `asked` holds the chats that came."""

    models: list[dict[str, Any]] = field(default_factory=lambda: [pulled("llama3.2:3b")])
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/version", self._version)
        app.router.add_get("/api/tags", self._tags)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _version(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": "0.13.5"})

    async def _tags(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": self.models})

    async def _list(self, _request: web.Request) -> web.Response:
        data = [{"id": one["name"], "object": "model"} for one in self.models]
        return web.json_response({"object": "list", "data": data})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if body.get("model") not in [one["name"] for one in self.models]:
            error = {"message": f"model {body.get('model')!r} not found", "type": "api_error"}
            return web.json_response({"error": error}, status=404)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for word in ("Hello", " from", " Ollama"):
            delta = {"role": "assistant", "content": word}
            await self._say(stream, choices=[{"index": 0, "delta": delta, "finish_reason": None}])
        end = [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]
        await self._say(stream, choices=end)
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
            await self._say(stream, choices=[], usage=usage)
        await stream.write(b"data: [DONE]\n\n")
        return stream

    async def _say(self, stream: web.StreamResponse, **chunk: Any) -> None:
        whole = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "x", **chunk}
        await stream.write(f"data: {json.dumps(whole)}\n\n".encode())
