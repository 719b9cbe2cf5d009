"""HTTP to one machine over one connection, so that who answered is known for each connection.

Small machines serve few connections, and addresses move after a power cut: a connection on which
the machine said its MAC is the same machine until it breaks. `write` makes sure of it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from . import (
    ANSWER_WITHIN_S,
    CONNECT_WITHIN_S,
    MAX_ANSWER_BYTES,
    because,
    reply,
    unreachable,
    unreadable,
)

PORT = 80


@dataclass(frozen=True)
class Answer:
    """What the machine answered; `body` is JSON where it was, else None."""

    status: int
    text: str
    body: Any
    headers: Mapping[str, str]
    cookies: Mapping[str, str] = field(default_factory=dict)


class _NewConnection(aiohttp.ClientError):
    """A write would have gone over a connection that nobody has asked who is at its end."""


class Web:
    """One machine's HTTP server.

    `middlewares` are aiohttp's (digest authentication is one). `who` asks the machine who it is and
    raises DeviceFault if it is another.
    """

    def __init__(
        self,
        address: str,
        port: int = PORT,
        *,
        who: Callable[[], Awaitable[None]] | None = None,
        middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = (),
        within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self.address = address
        self._base = f"http://{f'[{address}]' if ':' in address else address}:{port}"
        self._who = who
        self._middlewares = middlewares
        self._within_s = within_s
        self._session: aiohttp.ClientSession | None = None
        self._known = False
        self._guarded = False

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return what is at `path`. Raises DeviceFault when nothing is answered."""
        return await self._request("GET", path, None, headers)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what changes nothing on the machine: a login, a query. Raises DeviceFault."""
        return await self._request(method, path, body, headers, form)

    async def write(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send what changes the machine, over a connection whose other end said who it is.

        Where a server closes each connection, that was the connection a moment before. Raises
        DeviceFault.
        """
        for _ in range(2):
            if not self._known and self._who is not None:
                await self._who()
                self._known = True
            try:
                async with self._guard():
                    return await self._request(method, path, body, headers)
            except _NewConnection:
                continue
        return await self._request(method, path, body, headers)

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        self._guarded = True
        try:
            yield
        finally:
            self._guarded = False

    async def _connects(self, *_: Any) -> None:
        self._known = False
        if self._guarded:
            raise _NewConnection

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_start.append(self._connects)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(
                    total=self._within_s, sock_connect=min(CONNECT_WITHIN_S, self._within_s)
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=self._middlewares,
                trace_configs=[trace],
            )
        return self._session

    async def _request(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            async with self._open().request(
                method,
                self._base + path,
                json=body,
                data=form,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                text = await _read_all(self.address, answer)
                cookies = {name: cookie.value for name, cookie in answer.cookies.items()}
                return Answer(answer.status, text, _parsed(text), answer.headers, cookies)
        except _NewConnection:
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            raise unreachable(self.address, because(err)) from None

    def forget(self) -> None:
        """The machine was told to reboot: whoever answers next is asked who it is."""
        self._known = False

    async def close(self) -> None:
        """Close the connection."""
        self._known = False
        if self._session is not None:
            await self._session.close()
            self._session = None


def _parsed(text: str) -> Any:
    try:
        return reply.parse(text)
    except ValueError:
        return None


async def _read_all(address: str, answer: aiohttp.ClientResponse) -> str:
    received = bytearray()
    async for chunk in answer.content.iter_any():
        received += chunk
        if len(received) > MAX_ANSWER_BYTES:
            raise unreadable(address, "it is too long")
    return received.decode("utf-8", "replace")


async def glance(address: str, port: int, path: str, within_s: float = 2.5) -> Answer | None:
    """Look once at what a stranger serves at `path`, without logging in; None if it does not."""
    web = Web(address, port, within_s=within_s)
    try:
        return await web.get(path)
    except Exception:  # noqa: BLE001 - whoever is scanned may send anything
        return None
    finally:
        await web.close()


def readable(address: str, answer: Answer, what: str) -> dict[str, Any]:
    """Return the object in an answer. Raises DeviceFault."""
    if answer.status != 200:
        raise unreadable(address, f"{what} has status {answer.status}")
    if not isinstance(answer.body, dict):
        raise unreadable(address, f"{what} is no JSON object")
    return answer.body
