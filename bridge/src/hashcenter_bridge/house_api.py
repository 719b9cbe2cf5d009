"""What a house may ask of a rig besides answers: to make itself ready, and to count tokens.

POST   /hashcenter/warm      somebody begins to speak
DELETE /hashcenter/warm      no question followed
POST   /hashcenter/tokens    how long a question is, and how long it may be
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from .api_error import ApiError, bad_request
from .counting import Counting
from .incoming import body
from .prefix import PromptKeeper
from .question import read_chat, read_warm
from .warmth import LAPSES_S, Warmth

_SOMEBODY = "somebody"
_MAX_NAME = 120


@dataclass(frozen=True)
class Readiness:
    """How ready the runners are, and what makes them so.

    `keepers` are those runners' prompts, by name. `ready` says whether any runner can answer now,
    and why not.
    """

    warmth: Warmth
    ready: Callable[[], tuple[bool, str]]
    keepers: Mapping[str, PromptKeeper] = field(default_factory=dict)


class HouseApi:
    """The handlers."""

    def __init__(self, readiness: Readiness, counting: Counting) -> None:
        self._readiness = readiness
        self._counting = counting

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve under `/hashcenter/`."""
        router.add_post("/hashcenter/warm", self.warm)
        router.add_delete("/hashcenter/warm", self.cool)
        router.add_post("/hashcenter/tokens", self.tokens)

    async def warm(self, request: web.Request) -> web.Response:
        """Have hashing give way and the prompt read while somebody speaks.

        With `background` it only makes the prompt ready: it has changed, and nobody speaks.
        """
        asked = read_warm(await body(request))
        for keeper in self._readiness.keepers.values():
            keeper.expect(asked.fields)
        ready, why = self._readiness.ready()
        if not asked.background:
            self._readiness.warmth.begin(asked.who or _SOMEBODY)
        return web.json_response({"warm": ready, "why": why, "lapses_s": LAPSES_S})

    async def cool(self, request: web.Request) -> web.Response:
        """Let go: nobody asks after all."""
        who = request.query.get("id", _SOMEBODY)
        if len(who) > _MAX_NAME:
            raise bad_request(f"id is longer than {_MAX_NAME} characters", "id")
        self._readiness.warmth.end(who)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def tokens(self, request: web.Request) -> web.Response:
        """Return how many tokens a chat's prompt has and how many the model can read."""
        question = read_chat(await body(request))
        counted = await self._counting.count(question)
        if counted is None:
            text = "no runner that can count is ready now"
            raise ApiError(503, "not_available", text, headers={"Retry-After": "5"})
        return web.json_response(counted)
