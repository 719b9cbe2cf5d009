"""The API that answers people: OpenAI's chat completions, models and embeddings, with a key.

    request -> key -> question (checked) -> ticket (waits for its grant) -> relay -> runner

Everything but `/health`, the probes and the rig's proof wants the key, `/metrics` too: what a house
does is nobody's business. No other origin is allowed (no CORS headers at all), and the Host header
is never used.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from . import probes, proof
from .api_error import ApiError
from .asking import Asking
from .house_api import HouseApi, Readiness
from .incoming import body, priority as priority_of
from .question import read_chat, read_embeddings, read_picture
from .tasks import TaskQueue
from .tasks_api import TasksApi

log = logging.getLogger(__name__)

#: A question with a picture from a camera fits; a book does not.
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
#: How long a connection may rest before its next request is there.
REST_WITHIN_S: Final = 60.0
#: Answers that are on their way when the bridge stops get no longer.
SHUTDOWN_WITHIN_S: Final = 2.0

#: What needs no key: whether the bridge lives and works, and its own proof that it knows the key.
_OPEN: Final = frozenset({"/health", proof.PATH, *probes.PATHS})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *,
    asking: Asking,
    tasks: TaskQueue,
    accepts: Callable[[str], bool],
    metrics: Callable[[], str],
    health: Callable[[], dict[str, Any]],
    readiness: Readiness,
) -> web.Application:
    """Return the API over `asking`, for `server`; it ends with it."""
    api = _Api(asking, metrics, health)
    app = web.Application(
        middlewares=[_errors, _require_key(accepts)], client_max_size=MAX_BODY_BYTES
    )
    app.on_cleanup.append(lambda _: asking.close())
    app.router.add_get("/health", api.health)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/v1/models", api.models)
    app.router.add_post("/v1/chat/completions", api.chat)
    app.router.add_post("/v1/embeddings", api.embeddings)
    app.router.add_post("/v1/images/generations", api.pictures)
    HouseApi(readiness, asking.counting).add_routes(app.router)
    TasksApi(tasks, asking).add_routes(app.router)
    return app


def server(app: web.Application) -> web.AppRunner:
    """Return what serves `app`: who hangs up ends its request, who dawdles is dropped."""
    quiet = logging.getLogger(f"{__name__}.server")
    quiet.addFilter(_not_of_strangers)
    return web.AppRunner(
        app,
        access_log=None,
        logger=quiet,
        handler_cancellation=True,
        # Also the limit for a request's headers to come.
        keepalive_timeout=REST_WITHIN_S,
        shutdown_timeout=SHUTDOWN_WITHIN_S,
    )


def _not_of_strangers(record: logging.LogRecord) -> bool:
    """Leave out what is no HTTP: whoever sends it fills no log, and it may hold a key."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


class _Api:
    """The handlers of OpenAI's API."""

    def __init__(
        self, asking: Asking, metrics: Callable[[], str], health: Callable[[], dict[str, Any]]
    ) -> None:
        self._asking = asking
        self._metrics = metrics
        self._health = health

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the bridge lives; nothing of the house."""
        return web.json_response(self._health())

    async def metrics(self, _request: web.Request) -> web.Response:
        """Return the figures in Prometheus' text format (version 0.0.4)."""
        return web.Response(
            text=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    async def models(self, _request: web.Request) -> web.Response:
        """List the models of all runners."""
        listed = {
            model.id: {"id": model.id, "object": "model", "created": 0, "owned_by": runner.name}
            for runner in self._asking.runners.values()
            for model in runner.models
        }
        return web.json_response({"object": "list", "data": list(listed.values())})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer a chat, as a stream if asked."""
        question, priority = read_chat(await body(request)), priority_of(request)
        return await self._asking.chat(question, priority, request)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Return embeddings, if the runner makes them."""
        question, priority = read_embeddings(await body(request)), priority_of(request)
        return await self._asking.embeddings(question, priority)

    async def pictures(self, request: web.Request) -> web.StreamResponse:
        """Return pictures, if a runner makes them."""
        question, priority = read_picture(await body(request)), priority_of(request)
        return await self._asking.pictures(question, priority)


def _require_key(accepts: Callable[[str], bool]) -> Any:
    """Return the middleware that lets in who has a key that `accepts` takes."""

    @web.middleware
    async def require_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in _OPEN:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not accepts(given.strip()):
                raise ApiError(
                    401,
                    "invalid_api_key",
                    "the key is missing or wrong; `hashcenter key` on the rig prints it",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        return await handler(request)

    return require_key


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every refusal the same form; a mistake of ours is logged, and told without details."""
    try:
        return await handler(request)
    except ApiError as error:
        return error.as_response()
    except web.HTTPException as error:
        return _plain(request, error).as_response()
    except ConnectionError:
        raise
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        text = "the bridge made a mistake; its log says more"
        return ApiError(500, "internal_error", text).as_response()


def _plain(request: web.Request, error: web.HTTPException) -> ApiError:
    """Return what aiohttp itself refused, in our form."""
    where = f"{request.method[:16]} {request.path[:120]}"
    if error.status == 404:
        return ApiError(404, "not_found", f"there is nothing at {where}")
    if error.status == 405:
        return ApiError(405, "method_not_allowed", f"{where} is not a way to ask")
    if error.status == 413:
        text = f"the body is larger than {MAX_BODY_BYTES // 1024} KiB"
        return ApiError(413, "too_large", text, headers={"Connection": "close"})
    return ApiError(error.status, "invalid_request", error.reason or "the request is wrong")
