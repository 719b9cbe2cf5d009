"""xmrig's HTTP API: summary and backends to read, `/json_rpc` to pause, resume and stop.

As xmrig does: a token, once set, guards everything (401 without it, 403 with a wrong one); while
the API is restricted, only reading is allowed (403); a command must be JSON (415). Unlike xmrig
there is no CORS, so that no web page can reach it. Source: xmrig's doc/API.md and its Httpd.
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from . import summary
from .miner import Miner

_MAX_BODY_BYTES = 64 * 1024
_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND = -32700, -32600, -32601
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Access:
    """Who may do what: the bearer token, and whether commands are refused altogether."""

    token: str | None = None
    restricted: bool = True


class HttpApi:
    """The handlers; `application()` is what aiohttp serves."""

    def __init__(self, miner: Miner, access: Access, miner_id: str) -> None:
        self._miner, self._access, self._miner_id = miner, access, miner_id
        self._commands = {"pause": miner.pause, "resume": miner.resume, "stop": miner.stop}

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(middlewares=[self._guard], client_max_size=_MAX_BODY_BYTES)
        for path in ("/1/summary", "/2/summary", "/api.json"):
            application.router.add_get(path, self._summary)
        application.router.add_get("/2/backends", self._backends)
        application.router.add_post("/json_rpc", self._json_rpc)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        status = self._refusal(request)
        if status is not None:
            return _error(status)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _error(HTTPStatus(error.status))

    def _refusal(self, request: web.Request) -> HTTPStatus | None:
        token, given = self._access.token, request.headers.get("Authorization")
        if given is None or token is None:
            if given is not None or token is not None:
                return HTTPStatus.UNAUTHORIZED
        elif not hmac.compare_digest(f"Bearer {token}".encode(), given.encode("utf-8", "replace")):
            return HTTPStatus.FORBIDDEN
        if request.method in ("GET", "HEAD"):
            return None
        if self._access.restricted:
            return HTTPStatus.FORBIDDEN
        if request.content_type != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return None

    async def _summary(self, _request: web.Request) -> web.Response:
        restricted = self._access.restricted
        return web.json_response(
            summary.summary(self._miner, miner_id=self._miner_id, restricted=restricted)
        )

    async def _backends(self, _request: web.Request) -> web.Response:
        return web.json_response(summary.backends(self._miner))

    async def _json_rpc(self, request: web.Request) -> web.Response:
        try:
            call = json.loads(await request.read())
        except (ValueError, RecursionError):
            return _rpc(None, error=(_PARSE_ERROR, "Parse error"))
        if not isinstance(call, dict):
            return _rpc(None, error=(_INVALID_REQUEST, "Invalid Request"))
        method = call.get("method")
        command = self._commands.get(method) if isinstance(method, str) else None
        if command is None:
            return _rpc(call.get("id"), error=(_METHOD_NOT_FOUND, "Method not found"))
        command()
        return _rpc(call.get("id"))


def _rpc(call_id: Any, error: tuple[int, str] | None = None) -> web.Response:
    """Answer a call; like xmrig, an error is told in the body of a 200."""
    answer: dict[str, Any] = {"id": call_id, "jsonrpc": "2.0"}
    if error is None:
        answer["result"] = {"status": "OK"}
    else:
        answer["error"] = {"code": error[0], "message": error[1]}
    return web.json_response(answer)


def _error(status: HTTPStatus) -> web.Response:
    return web.json_response({"status": status.value, "error": status.phrase}, status=status.value)
