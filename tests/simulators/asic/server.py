"""What all simulated ASICs share: a real server on a loopback address, and how it can misbehave."""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl

from aiohttp import web

from .machine import Machine, Spec

_LONGEST_REQUEST = 256 * 1024
_REQUESTS_KEPT = 2000


@dataclass
class Hostile:
    """How a machine misbehaves; all of it was seen on real ones.

    `delay_s` delays the next `delays` replies (below 0: all of them). `broken` cuts JSON off,
    `dirty` adds NULs and a comma too many. `deaf`: says success and does nothing. `reboots_on_set`,
    `hangs_up` (in the middle of a reply), `pools_lost`. `token_ttl_s`: tokens expire.
    `session_taken`: somebody else is logged on where only one can be.
    """

    delay_s: float = 0.0
    delays: int = -1
    broken: bool = False
    dirty: bool = False
    deaf: bool = False
    reboots_on_set: bool = False
    hangs_up: bool = False
    pools_lost: bool = False
    token_ttl_s: float | None = None
    session_taken: bool = False

    def update(self, changes: dict[str, Any]) -> None:
        """Change what a control message names. Raises ValueError for an unknown name."""
        known = {one.name for one in fields(self)}
        if unknown := set(changes) - known:
            raise ValueError(f"no way to misbehave is called {', '.join(sorted(unknown))}")
        for name, value in changes.items():
            setattr(self, name, value)

    async def wait(self) -> None:
        """Keep the caller waiting, if that is due."""
        if self.delay_s > 0 and self.delays != 0:
            self.delays -= 1 if self.delays > 0 else 0
            await asyncio.sleep(self.delay_s)

    def spoil(self, reply: bytes) -> bytes:
        """Return what leaves the machine instead of `reply`."""
        if self.broken:
            return reply[: len(reply) * 2 // 3]
        if self.dirty and reply.endswith(b"}"):
            return reply[:-1] + b",}\0\0"
        return reply


@dataclass(frozen=True)
class Write:
    """Something that somebody set: when (the wall's monotonic clock) and what."""

    at: float
    what: str


@dataclass
class Options:
    """Where a simulator listens and how it is; `number` tells machines of one model apart."""

    address: str
    number: int = 0
    http_port: int = 80
    tcp_port: int | None = None
    speed: float = 1.0
    hostile: Hostile = field(default_factory=Hostile)


class Simulator(ABC):
    """One simulated ASIC with its server. `settings()` is all that is stored in it."""

    protocol: ClassVar[str]
    spec: ClassVar[Spec]
    #: What a turned knob may change in `settings()`, and nothing else.
    knob: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, options: Options, spec: Spec | None = None) -> None:
        self.options = options
        self.address = options.address
        self.hostile = options.hostile
        self.spec_now = spec or self.spec
        started = time.monotonic()
        self.clock: Callable[[], float] = lambda: (
            1_000_000.0 + (time.monotonic() - started) * options.speed
        )
        self.machine = Machine(self.spec_now, self.clock)
        numbers = (0x02, 0xA5, 0x1C, _code(self.protocol), *divmod(options.number, 256))
        self.mac = ":".join(f"{number:02x}" for number in numbers)
        self.serial = f"SIM{_code(self.protocol):03d}{options.number:06d}"
        self.writes: list[Write] = []
        self.requests: deque[float] = deque(maxlen=_REQUESTS_KEPT)

    def asked(self) -> None:
        """Remember that a request came in, whatever becomes of it."""
        self.requests.append(time.monotonic())

    def note(self, what: str) -> None:
        """Remember that something was set."""
        self.writes.append(Write(time.monotonic(), what))

    def does(self, what: str) -> bool:
        """Note a write and tell whether the machine obeys; it may also reboot because of it."""
        self.note(what)
        if self.hostile.deaf:
            return False
        if self.hostile.reboots_on_set:
            self.machine.reboot()
        return True

    @property
    def pool_alive(self) -> bool:
        """Whether its pool answers it."""
        alive = not self.hostile.pools_lost
        self.machine.look().pool_alive = alive
        return alive

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return everything that is stored in it: pools, fans, limits."""

    @abstractmethod
    async def start(self) -> None:
        """Listen."""

    @abstractmethod
    async def stop(self) -> None:
        """Listen no more."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _code(protocol: str) -> int:
    return sum(protocol.encode()) & 255


@dataclass(frozen=True)
class Asked:
    """An HTTP request."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    query: dict[str, str]
    form: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """An HTTP reply: a text as it is, anything else as JSON, nothing for None."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class HttpSimulator(Simulator):
    """An ASIC that speaks HTTP."""

    _runner: web.ServerRunner | None = None

    @abstractmethod
    async def handle(self, asked: Asked) -> Told:
        """Answer a request."""

    async def start(self) -> None:
        """Listen at `http_port`."""
        server = web.Server(self._serve, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.address, self.options.http_port).start()

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self.machine.reachable:
            return _hang_up(request)
        raw = await request.read()
        self.asked()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        form = dict(parse_qsl(raw.decode(errors="replace"))) if raw and body is None else {}
        asked = Asked(
            request.method, request.path, body, dict(request.headers), dict(request.query), form
        )
        told = await self.handle(asked)
        await self.hostile.wait()
        text = told.body if isinstance(told.body, str) else json.dumps(told.body)
        reply = b"" if told.body is None else text.encode()
        if not isinstance(told.body, str):
            reply = self.hostile.spoil(reply)
        kind = "text/html" if isinstance(told.body, str) else "application/json"
        headers = {"Content-Type": kind, **told.headers}
        if self.hostile.hangs_up:
            headers["Content-Length"] = str(len(reply) + 100)
            half = web.StreamResponse(status=told.status, headers=headers)
            await half.prepare(request)
            await half.write(reply[: len(reply) // 2])
            return _hang_up(request)
        return web.Response(status=told.status, body=reply, headers=headers)


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class TcpSimulator(Simulator):
    """An ASIC with one JSON request and one reply for each connection; cgminer ends with a NUL."""

    port: ClassVar[int] = 4028
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter]

    @abstractmethod
    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request; None hangs up without a word."""

    async def start(self) -> None:
        """Listen at `tcp_port`."""
        self._writers = set()
        self._server = await asyncio.start_server(
            self._accept, self.address, self.options.tcp_port or self.port
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # The whole simulator ends, and asyncio would tell of it as of an error.
            pass
        finally:
            self._writers.discard(writer)

    async def receive(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        """Return the request: JSON, or cgminer's own `command|parameter`."""
        raw = b""
        while len(raw) < _LONGEST_REQUEST:
            raw += await reader.read(4096) or b"\n"
            text = raw.strip(b"\0\r\n ").decode()
            try:
                found = json.loads(text)
                return found if isinstance(found, dict) else {}
            except ValueError:
                if not text.startswith("{") or raw.endswith(b"\n"):
                    command, _, parameter = text.partition("|")
                    return {"command": command, "parameter": parameter}
        return {}

    def answers(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer a request, or several that are joined by a plus (cgminer's own way)."""
        commands = str(request.get("command", "")).split("+")
        if len(commands) == 1:
            return self.answer(request)
        return {one: [self.answer({**request, "command": one})] for one in commands}

    def frame(self, reply: bytes) -> bytes:
        """Return the reply as it goes over the line."""
        return self.hostile.spoil(reply) + b"\0"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.machine.reachable:
                request = await self.receive(reader)
                self.asked()
                reply = self.answers(request)
                await self.hostile.wait()
                if reply is not None:
                    raw = self.frame(json.dumps(reply).encode())
                    writer.write(raw[: len(raw) // 2] if self.hostile.hangs_up else raw)
                    await writer.drain()
        except (OSError, UnicodeDecodeError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
