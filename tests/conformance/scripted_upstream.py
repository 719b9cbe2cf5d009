"""A scripted OpenAI-compatible server on 127.0.0.1: a real server that plays prepared answers.

    async with ScriptedUpstream([says("Hello."), calls(("light_on", {}))]) as upstream:
        ...  # ask upstream.url; upstream.received holds what was asked

Each request to `/v1/chat/completions` gets the next play; a function instead of a list picks one by
the request. A play is a status and steps: bytes to send, silence, a reset. `plays.py` holds them.
Needs aiohttp only, so that any integration's tests can use it.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from aiohttp import web


@dataclass
class Received:
    """One question as it arrived. `hung_up` is set when the client left before its answer's end."""

    headers: Mapping[str, str]
    raw: bytes
    body: dict[str, Any]
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Told:
    """What was asked on another path."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


class Step(Protocol):
    """A part of an answer."""

    async def play(self, stream: web.StreamResponse, scene: "Scene") -> None:
        """Do it."""


@dataclass(frozen=True)
class Send:
    """Bytes, as they are, in one write."""

    data: bytes

    async def play(self, stream: web.StreamResponse, scene: "Scene") -> None:
        """Write them."""
        await stream.write(self.data)


@dataclass(frozen=True)
class Silence:
    """Nothing, until the client hangs up or the server closes."""

    async def play(self, stream: web.StreamResponse, scene: "Scene") -> None:
        """Wait."""
        await scene.closing.wait()


@dataclass(frozen=True)
class Drip:
    """The same bytes again and again, until the client hangs up or the server closes."""

    data: bytes
    every_s: float = 0.02

    async def play(self, stream: web.StreamResponse, scene: "Scene") -> None:
        """Write, wait, and so on."""
        while not scene.closing.is_set():
            await stream.write(self.data)
            await asyncio.sleep(self.every_s)


@dataclass(frozen=True)
class Reset:
    """A connection reset, as from a machine that lost power."""

    async def play(self, stream: web.StreamResponse, scene: "Scene") -> None:
        """Send a TCP reset instead of an orderly end."""
        transport = scene.request.transport
        assert transport is not None
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


@dataclass(frozen=True)
class Play:
    """One prepared answer."""

    steps: tuple[Step, ...]
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What a step may need to know: its request, and when the server closes."""

    request: web.Request
    closing: asyncio.Event


class ScriptedUpstream:
    """The server. `key` makes it refuse requests without it; `models` is what it lists.

    `asked` is set once a question has arrived. On the paths of `others` it answers with these
    objects; `told` holds what was asked there.
    """

    def __init__(
        self,
        script: Callable[[Received], Play] | Iterable[Play] = (),
        *,
        key: str | None = None,
        models: Iterable[str] = ("scripted",),
        others: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._choose = script if callable(script) else None
        self._plays = [] if callable(script) else list(script)
        self._key = key
        self._models = tuple(models)
        self._others = others or {}
        self.told: list[Told] = []
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.received: list[Received] = []
        self.asked = asyncio.Event()
        self.url = ""

    def add(self, *plays: Play) -> None:
        """Append plays."""
        self._plays.extend(plays)

    @property
    def left_over(self) -> int:
        """How many plays were not asked for."""
        return len(self._plays)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/health", self._health)
        for path in self._others:
            app.router.add_route("*", path, self._other)
        # A client that hangs up cancels its handler: that is how `hung_up` is noticed.
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        received = Received(dict(request.headers), raw, json.loads(raw))
        self.received.append(received)
        self.asked.set()
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self._choose is not None:
            play = self._choose(received)
        elif self._plays:
            play = self._plays.pop(0)
        else:
            return _failed(500, "nothing_scripted", "No play is left.")
        stream = web.StreamResponse(status=play.status, headers=dict(play.headers))
        stream.content_type = play.content_type
        try:
            await stream.prepare(request)
            for step in play.steps:
                await step.play(stream, Scene(request, self._closing))
            await stream.write_eof()
        except ConnectionError:
            received.hung_up.set()
        except asyncio.CancelledError:
            received.hung_up.set()
            raise
        return stream

    async def _other(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        raw = await request.read()
        body = json.loads(raw) if raw else None
        self.told.append(Told(request.method, request.path, dict(request.query), body))
        return web.json_response(self._others[request.path])

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._key is None or request.headers.get("Authorization") == f"Bearer {self._key}":
            return None
        return _failed(401, "wrong_key", "This key is not the server's.")

    async def _list(self, _request: web.Request) -> web.Response:
        data = [{"id": model, "object": "model", "owned_by": "script"} for model in self._models]
        return web.json_response({"object": "list", "data": data})

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})


def _failed(status: int, code: str, message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return web.json_response({"error": error}, status=status)
