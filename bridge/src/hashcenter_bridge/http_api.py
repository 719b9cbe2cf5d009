"""The API that answers people: OpenAI's chat completions, models and embeddings, with a key.

    request -> key -> question (checked) -> ticket (waits for its grant) -> relay -> runner

Everything but `/health` and the rig's proof wants the key, `/metrics` too: what a house does is
nobody's business. No other origin is allowed (no CORS headers at all), and the Host header is never
used.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web

from . import proof
from .api_error import ApiError
from .counting import Counting
from .house_api import HouseApi, Readiness
from .incoming import body, priority as priority_of
from .prefix import VOICE_SLOT, PromptKeeper
from .question import Question, read_chat, read_embeddings
from .relay import Recalled, Relay
from .runners import Runner
from .tickets import Priority, Ticket, TicketRefused, Tickets

log = logging.getLogger(__name__)

#: A question with a picture from a camera fits; a book does not.
MAX_BODY_BYTES: Final = 2 * 1024 * 1024
#: How long a connection may rest before its next request is there.
REST_WITHIN_S: Final = 60.0
#: Answers that are on their way when the bridge stops get no longer.
SHUTDOWN_WITHIN_S: Final = 2.0

_RETRY_AFTER: Final = {"Retry-After": "5"}

#: What needs no key: that the bridge lives, and its own proof that it knows the key.
_OPEN: Final = frozenset({"/health", proof.PATH})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    *,
    tickets: Tickets,
    runners: Mapping[str, Runner],
    accepts: Callable[[str], bool],
    metrics: Callable[[], str],
    health: Callable[[], dict[str, Any]],
    readiness: Readiness,
) -> web.Application:
    """Return the API over `runners` (by name), for `server`."""
    counting = Counting(runners, readiness.active)
    api = _Api(tickets, runners, metrics, health, readiness.keepers, counting)
    app = web.Application(
        middlewares=[_errors, _require_key(accepts)], client_max_size=MAX_BODY_BYTES
    )
    app.cleanup_ctx.append(api.connected)
    app.router.add_get("/health", api.health)
    app.router.add_get("/metrics", api.metrics)
    app.router.add_get("/v1/models", api.models)
    app.router.add_post("/v1/chat/completions", api.chat)
    app.router.add_post("/v1/embeddings", api.embeddings)
    HouseApi(readiness, counting).add_routes(app.router)
    return app


def server(app: web.Application) -> web.AppRunner:
    """Return what serves `app`: who hangs up ends its request, who dawdles is dropped."""
    return web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        # Also the limit for a request's headers to come.
        keepalive_timeout=REST_WITHIN_S,
        shutdown_timeout=SHUTDOWN_WITHIN_S,
    )


class _Api:
    """The handlers of OpenAI's API, and a relay to each runner."""

    def __init__(
        self,
        tickets: Tickets,
        runners: Mapping[str, Runner],
        metrics: Callable[[], str],
        health: Callable[[], dict[str, Any]],
        keepers: Mapping[str, PromptKeeper],
        counting: Counting,
    ) -> None:
        self._keepers = keepers
        self._counting = counting
        self._tickets = tickets
        self._runners = runners
        self._metrics = metrics
        self._health = health
        self._relays: dict[str, Relay] = {}

    async def connected(self, _app: web.Application) -> AsyncIterator[None]:
        """Hold the relays while the API serves."""
        self._relays = {name: Relay(runner) for name, runner in self._runners.items()}
        yield
        for relay in self._relays.values():
            await relay.close()
        await self._counting.close()

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
            for runner in self._runners.values()
            for model in runner.models
        }
        return web.json_response({"object": "list", "data": list(listed.values())})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer a chat, as a stream if asked."""
        question, priority = read_chat(await body(request)), priority_of(request)
        model = self._known(question.model)
        await self._counting.admit(question)
        with self._tickets.hold(priority, model) as ticket:
            while True:
                relay = await self._granted(ticket)
                slot = ticket.slot
                try:
                    return await _chat(relay, question, ticket, request)
                except Recalled:
                    continue
                finally:
                    if (keeper := self._keepers.get(relay.runner.name)) is not None:
                        _tell(keeper, ticket, slot, question)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Return embeddings, if the runner makes them."""
        question, priority = read_embeddings(await body(request)), priority_of(request)
        with self._tickets.hold(priority, self._known(question.model)) as ticket:
            relay = await self._granted(ticket)
            asked = question.body(_name_at(relay.runner, question.model))
            return await relay.embeddings(asked, ticket)

    async def _granted(self, ticket: Ticket) -> Relay:
        try:
            return self._relays[await ticket.granted()]
        except TicketRefused as refused:
            status = 429 if refused.code == "queue_full" else 503
            raise ApiError(status, refused.code, refused.text, headers=_RETRY_AFTER) from None

    def _known(self, model: str | None) -> str | None:
        """Return `model` if a runner serves it, or if none is named. Raises ApiError (404)."""
        known = sorted({one.id for runner in self._runners.values() for one in runner.models})
        if model is not None and model not in known:
            raise ApiError(
                404,
                "model_not_found",
                f"there is no model {model[:120]!r} here; there are: {', '.join(known) or 'none'}",
                "model",
            )
        return model


def _tell(keeper: PromptKeeper, ticket: Ticket, slot: int | None, question: Question) -> None:
    """Tell a runner's keeper what one of its slots was used for."""
    if ticket.priority is Priority.VOICE and "first_token" in ticket.stamps:
        keeper.spoken(question.fields, slot)
    elif slot == VOICE_SLOT:
        keeper.disturbed()


async def _chat(
    relay: Relay, question: Question, ticket: Ticket, request: web.Request
) -> web.StreamResponse:
    """Ask the granted runner. Raises ApiError or Recalled."""
    ours: dict[str, Any] = {}
    if relay.runner.upstream.is_llama_server:
        ours = {"id_slot": ticket.slot, "return_progress": True}
    asked = question.body_for_stream(_name_at(relay.runner, question.model), **ours)
    if question.stream:
        keep = question.wants_progress
        return await relay.chat_stream(asked, ticket, request, keep_progress=keep)
    return await relay.chat(asked, ticket)


def _name_at(runner: Runner, model: str | None) -> str:
    """Return the name of `model` at the runner that the loop chose: its own if it has no such."""
    served = [one.id for one in runner.models]
    return model if model in served else next(iter(served), "")


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
