"""The way of every question: it holds a ticket, waits for its grant, and is relayed to its runner.

question -> counted -> ticket -> grant -> relay -> answer
`- recalled for somebody more urgent: it waits again
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from aiohttp import web

from .api_error import ApiError
from .counting import Counting
from .prefix import VOICE_SLOT, PromptKeeper
from .question import Question
from .relay import Crowded, Recalled, Relay
from .runners import Runner
from .thoughts import CONTROLLED, VOICE_THINKING_S
from .tickets import Priority, Ticket, TicketRefused, Tickets

_RETRY_AFTER: Final = {"Retry-After": "5"}

T = TypeVar("T")


class Asking:
    """Asks `runners`, by name; `keepers` are told what their slots were used for.

    `thinking_s` is how long a model may only think while somebody waits for its voice.
    """

    def __init__(
        self,
        tickets: Tickets,
        runners: Mapping[str, Runner],
        keepers: Mapping[str, PromptKeeper],
        active: Callable[[str], bool],
        thinking_s: float = VOICE_THINKING_S,
    ) -> None:
        self.runners = runners
        self.counting = Counting(runners, active)
        self._tickets = tickets
        self._keepers = keepers
        self._relays = {
            name: Relay(runner, thinking_s=thinking_s) for name, runner in runners.items()
        }

    async def close(self) -> None:
        """Let go of the runners."""
        for relay in self._relays.values():
            await relay.close()
        await self.counting.close()

    async def chat(
        self, question: Question, priority: Priority, request: web.Request
    ) -> web.StreamResponse:
        """Answer `request`, as a stream if the question wants one. Raises ApiError."""

        async def ask(relay: Relay, body: bytes, ticket: Ticket) -> web.StreamResponse:
            if not question.stream:
                return web.json_response(await relay.chat(body, ticket))
            keep = question.wants_progress
            return await relay.chat_stream(body, ticket, request, keep_progress=keep)

        return await self._ask(question, priority, ask)

    async def whole(self, question: Question, priority: Priority) -> dict[str, Any]:
        """Return a whole answer that may be begun anew as often as it must. Raises ApiError."""
        return await self._ask(
            question,
            priority,
            lambda relay, body, ticket: relay.chat(body, ticket),
            redoable=True,
        )

    async def embeddings(self, question: Question, priority: Priority) -> web.Response:
        """Return embeddings, if the runner makes them. Raises ApiError."""
        with self._tickets.hold(priority, self.known(question.model)) as ticket:
            relay = await self._granted(ticket)
            body = question.body(_name_at(relay.runner, question.model))
            return await relay.embeddings(body, ticket)

    async def pictures(self, question: Question, priority: Priority) -> web.Response:
        """Return pictures, if a runner makes them. Raises ApiError."""
        if not any(runner.upstream.draws for runner in self.runners.values()):
            raise ApiError(404, "model_not_found", "no runner of this rig makes pictures", "model")
        model = self.known(question.model, draws=True)
        with self._tickets.hold(priority, model, draws=True) as ticket:
            relay = await self._granted(ticket)
            body = question.body(_name_at(relay.runner, question.model))
            return await relay.pictures(body, ticket)

    def known(self, model: str | None, *, draws: bool = False) -> str | None:
        """Return `model` if a runner serves it, or if none is named. Raises ApiError (404)."""
        able = [one for one in self.runners.values() if one.upstream.draws is draws]
        known = sorted({one.id for runner in able for one in runner.models})
        if model is not None and model not in known:
            raise ApiError(
                404,
                "model_not_found",
                f"there is no model {model[:120]!r} here; there are: {', '.join(known) or 'none'}",
                "model",
            )
        return model

    async def _ask(
        self,
        question: Question,
        priority: Priority,
        ask: Callable[[Relay, bytes, Ticket], Awaitable[T]],
        *,
        redoable: bool = False,
    ) -> T:
        model = self.known(question.model)
        await self.counting.admit(question)
        with self._tickets.hold(priority, model) as ticket:
            ticket.redoable = redoable
            crowded = False
            while True:
                relay = await self._granted(ticket)
                slot = ticket.slot
                try:
                    return await ask(relay, _body(relay.runner, question, ticket), ticket)
                except Recalled:
                    continue
                except Crowded:
                    # Those it met are gone, so that there is room now for who speaks.
                    if crowded:
                        raise _no_room(relay.runner.name) from None
                    crowded = True
                finally:
                    if (keeper := self._keepers.get(relay.runner.name)) is not None:
                        _tell(keeper, ticket, slot, question, relay.runner)

    async def _granted(self, ticket: Ticket) -> Relay:
        try:
            return self._relays[await ticket.granted()]
        except TicketRefused as refused:
            status = 429 if refused.code == "queue_full" else 503
            raise ApiError(status, refused.code, refused.text, headers=_RETRY_AFTER) from None


def _no_room(name: str) -> ApiError:
    text = f"the runner {name!r} has no room for this question beside others"
    return ApiError(503, "runner_busy", text, headers=_RETRY_AFTER)


def _tell(
    keeper: PromptKeeper, ticket: Ticket, slot: int | None, question: Question, runner: Runner
) -> None:
    """Tell a runner's keeper what one of its slots was used for."""
    if ticket.priority is Priority.VOICE and "first_token" in ticket.stamps:
        keeper.spoken(question.fields, slot)
    elif slot == VOICE_SLOT:
        keeper.disturbed()
    elif ticket.usage is not None and (context := runner.models[0].context_tokens) is not None:
        keeper.crowded(ticket.usage.prompt_tokens + ticket.usage.completion_tokens, context)


def _body(runner: Runner, question: Question, ticket: Ticket) -> bytes:
    """Return the question as its runner gets it."""
    ours: dict[str, Any] = {}
    if runner.upstream.is_llama_server:
        ours = {"id_slot": ticket.slot, "return_progress": True}
        if ticket.priority is Priority.VOICE:
            ours |= CONTROLLED
    return question.body_for_stream(_name_at(runner, question.model), **ours)


def _name_at(runner: Runner, model: str | None) -> str:
    """Return the name of `model` at the runner that the loop chose: its own if it has no such."""
    served = [one.id for one in runner.models]
    return model if model in served else next(iter(served), "")
