"""Home Assistant as its own browser page sees it: the REST API and one WebSocket.

Every command and every event of the WebSocket goes through `_read`, which hands each message to
whoever waits for its id. Source: developers.home-assistant.io, "WebSocket API" and "REST API".
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from tools.demo.processes import DemoError

_ANSWER_WITHIN_S: Final = 60.0
_MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024


class HomeAssistant:
    """A person who is logged in. `url` is Home Assistant's address, without a slash at the end."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        self._token = token
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the WebSocket."""
        try:
            await self._connect()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        if self._reader is not None:
            self._reader.cancel()
            with suppress(asyncio.CancelledError):
                await self._reader
        if self._socket is not None:
            await self._socket.close()
        await self._session.close()

    async def _connect(self) -> None:
        socket = await self._session.ws_connect(
            f"{self.url}/api/websocket", max_msg_size=_MAX_MESSAGE_BYTES
        )
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": self._token})
        answer = await socket.receive_json()
        if answer["type"] != "auth_ok":
            raise DemoError(f"Home Assistant refused the login: {answer.get('message')}")
        self._socket = socket
        self._reader = asyncio.create_task(self._read(socket))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            said = message.json()
            for one in said if isinstance(said, list) else [said]:
                if queue := self._waiting.get(one.get("id")):
                    queue.put_nowait(one)
        for queue in self._waiting.values():
            queue.put_nowait({"type": "closed"})

    async def get(self, path: str) -> Any:
        """Return the JSON at `path` (which begins with /api)."""
        return await self._rest("GET", path, None)

    async def post(self, path: str, body: Any) -> Any:
        """Post JSON to `path` and return the answer."""
        return await self._rest("POST", path, body)

    async def _rest(self, method: str, path: str, body: Any) -> Any:
        async with self._session.request(method, self.url + path, json=body) as answer:
            if not answer.ok:
                raise DemoError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def command(self, kind: str, **fields: Any) -> Any:
        """Send a WebSocket command and return its result. Raises DemoError if it fails."""
        async with self._asking(next(self._ids), kind, fields) as queue:
            return await self._result(kind, queue)

    @asynccontextmanager
    async def subscribed(
        self, kind: str, **fields: Any
    ) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        """Send a command whose answer is events; yield the queue of WebSocket messages.

        Leaving ends the subscription, as closing a dialog does.
        """
        assert self._socket is not None
        number = next(self._ids)
        async with self._asking(number, kind, fields) as queue:
            await self._result(kind, queue)
            try:
                yield queue
            finally:
                ending = {"type": "unsubscribe_events", "subscription": number}
                await self._socket.send_json({"id": next(self._ids), **ending})

    @asynccontextmanager
    async def _asking(
        self, number: int, kind: str, fields: dict[str, Any]
    ) -> AsyncIterator[asyncio.Queue[dict[str, Any]]]:
        assert self._socket is not None
        queue = self._waiting[number] = asyncio.Queue()
        try:
            await self._socket.send_json({"id": number, "type": kind, **fields})
            yield queue
        finally:
            del self._waiting[number]

    async def _result(self, kind: str, queue: asyncio.Queue[dict[str, Any]]) -> Any:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                answer = await queue.get()
        except TimeoutError:
            raise DemoError(f"{kind}: no answer within {_ANSWER_WITHIN_S:.0f} s") from None
        if not answer.get("success"):
            raise DemoError(f"{kind}: {answer.get('error', answer)}")
        return answer["result"]

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return every entity's state object by entity id."""
        return {state["entity_id"]: state for state in await self.get("/api/states")}

    async def act(self, domain: str, action: str, entity_id: str, **data: Any) -> None:
        """Perform an action on an entity (`switch.turn_on`: domain `switch`, action `turn_on`)."""
        await self._perform(domain, action, entity_id, data, answers=False)

    async def ask_action(self, domain: str, action: str, entity_id: str, **data: Any) -> Any:
        """Perform an action on an entity and return its response."""
        result = await self._perform(domain, action, entity_id, data, answers=True)
        return result["response"]

    async def _perform(
        self, domain: str, action: str, entity_id: str, data: dict[str, Any], *, answers: bool
    ) -> Any:
        return await self.command(
            "call_service",
            domain=domain,
            service=action,
            service_data=data,
            target={"entity_id": entity_id},
            return_response=answers,
        )


async def log_in_as_owner(url: str, name: str, password: str) -> str:
    """Make the first account of a new Home Assistant and return an access token for it."""
    client_id = f"{url}/"
    who = {"name": name.title(), "username": name, "password": password, "language": "en"}
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{url}/api/onboarding/users", json={**who, "client_id": client_id}
        ) as answer:
            code = (await answer.json())["auth_code"] if answer.ok else None
        if code is None:
            return await _log_in(session, url, name, password)
        return await _token(session, url, client_id, code)


async def _log_in(session: aiohttp.ClientSession, url: str, name: str, password: str) -> str:
    """Log in to an account that exists, as the login page does."""
    client_id = f"{url}/"
    start = {
        "client_id": client_id,
        "handler": ["homeassistant", None],
        "redirect_uri": client_id,
    }
    async with session.post(f"{url}/auth/login_flow", json=start) as answer:
        flow_id = (await answer.json())["flow_id"]
    form = {"client_id": client_id, "username": name, "password": password}
    async with session.post(f"{url}/auth/login_flow/{flow_id}", json=form) as answer:
        result = await answer.json()
    if result.get("type") != "create_entry":
        raise DemoError(f"Home Assistant does not accept the login {name!r}: {result}")
    return await _token(session, url, client_id, result["result"])


async def _token(session: aiohttp.ClientSession, url: str, client_id: str, code: str) -> str:
    form = {"client_id": client_id, "grant_type": "authorization_code", "code": code}
    async with session.post(f"{url}/auth/token", data=form) as answer:
        return str((await answer.json())["access_token"])
