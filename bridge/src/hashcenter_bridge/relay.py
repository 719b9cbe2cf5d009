"""Brings a granted question to its runner and the answer back, byte for byte.

    question -> runner -> each piece as it comes -> client
                           `- first token stamped; the last piece says what the answer took

Until the first token nothing reaches the client, so that the answer can be recalled for somebody
more urgent: its ticket waits again. Whoever goes away first ends it: a client that hangs up cancels
this, which closes the connection to the runner, which frees its slot; a runner that dies or falls
silent ends the stream with an error.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp import web

from .api_error import ApiError
from .assembly import Assembly
from .counting import too_long
from .incoming import PRIORITY_HEADER
from .opening import Opening
from .runners import Runner
from .runners.upstream import session
from .thoughts import VOICE_THINKING_S, Thoughts
from .tickets import Priority, Ticket, Usage

log = logging.getLogger(__name__)

#: A long prompt on a slow machine takes minutes before its first token.
FIRST_WITHIN_S: Final = 600.0
#: Once tokens flow, silence for so long means that the runner hangs (or the client does not read).
NEXT_WITHIN_S: Final = 60.0

_GOODBYE_WITHIN_S: Final = 5.0
_CONTROL_WITHIN_S: Final = 10.0
_RENEW_EVERY_S: Final = 1.0
_TAIL_BYTES: Final = 4096
_MAX_PICTURES_BYTES: Final = 64 << 20
_STREAM_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


class Recalled(Exception):
    """The answer was called off before it said anything; its ticket waits again."""


class Crowded(Exception):
    """The runner ended all its answers for want of room, and this one had said nothing yet."""


class Relay:
    """The way to one runner. The limits are seconds to the first token and between later ones.

    `thinking_s` is how long a model may only think while somebody waits for its voice.
    """

    def __init__(
        self,
        runner: Runner,
        first_within_s: float = FIRST_WITHIN_S,
        next_within_s: float = NEXT_WITHIN_S,
        thinking_s: float = VOICE_THINKING_S,
    ) -> None:
        self.runner = runner
        self._session = session(runner.upstream)
        self._first_within_s = first_within_s
        self._next_within_s = next_within_s
        self._thinking_s = thinking_s
        self._told: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let go of the runner."""
        for task in self._told:
            task.cancel()
        await asyncio.gather(*self._told, return_exceptions=True)
        await self._session.close()

    async def embeddings(self, body: bytes, ticket: Ticket) -> web.Response:
        """Return embeddings. Raises ApiError."""
        try:
            async with (
                asyncio.timeout(self._first_within_s),
                self._asked("/embeddings", body, ticket) as upstream,
            ):
                answer = await upstream.read()
        except (aiohttp.ClientError, OSError) as err:
            raise self._broken(err, ticket) from None
        ticket.usage = _usage(_json(answer))
        return web.Response(body=answer, content_type="application/json")

    async def pictures(self, body: bytes, ticket: Ticket) -> web.Response:
        """Return pictures, each in the answer itself. Raises ApiError."""
        answer = b""
        try:
            async with (
                asyncio.timeout(self._first_within_s),
                self._asked("/images/generations", body, ticket) as upstream,
            ):
                async for piece in upstream.content.iter_any():
                    answer += piece
                    if len(answer) > _MAX_PICTURES_BYTES:
                        raise self._strange("sent more than a picture")
        except (aiohttp.ClientError, OSError) as err:
            raise self._broken(err, ticket) from None
        said = _json(answer)
        listed = said.get("data")
        drawn = [
            {
                key: one[key]
                for key in ("b64_json", "revised_prompt")
                if isinstance(one.get(key), str)
            }
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, dict) and isinstance(one.get("b64_json"), str)
        ]
        if not drawn:
            raise self._strange("sent no picture")
        created = said.get("created")
        return web.json_response(
            {"created": created if isinstance(created, int) else 0, "data": drawn}
        )

    def _strange(self, what: str) -> ApiError:
        return ApiError(502, "runner_failed", f"the runner {self.runner.name!r} {what}")

    async def chat(self, body: bytes, ticket: Ticket) -> dict[str, Any]:
        """Return the answer in one piece. Raises ApiError, Recalled or Crowded."""
        whole = Assembly()
        try:
            async with self._stream(body, ticket) as (pieces, limit):
                await self._pass_on(pieces, whole.feed, ticket, limit, Opening())
        except (aiohttp.ClientError, OSError, ValueError) as err:
            raise self._broken(err, ticket) from None
        if whole.error is not None:
            raise _refused(self.runner.name, 500, json.dumps(whole.error).encode())
        return whole.answer()

    async def chat_stream(
        self, body: bytes, ticket: Ticket, request: web.Request, *, keep_progress: bool = False
    ) -> web.StreamResponse:
        """Answer `request` piece by piece.

        Raises ApiError, Recalled or Crowded while nothing was sent.
        """
        response = web.StreamResponse(headers=_STREAM_HEADERS)

        async def send(data: bytes) -> None:
            if not response.prepared:
                await response.prepare(request)
            await response.write(data)

        try:
            async with self._stream(body, ticket) as (pieces, limit):
                opening = Opening(keep_progress=keep_progress)
                await self._pass_on(pieces, send, ticket, limit, opening)
            await response.write_eof()
        except (aiohttp.ClientError, OSError) as err:
            error = self._broken(err, ticket)
            if not response.prepared:
                raise error from None
            await _say_goodbye(error, response, request)
        return response

    @asynccontextmanager
    async def _stream(
        self, body: bytes, ticket: Ticket
    ) -> AsyncIterator[tuple[aiohttp.StreamReader, asyncio.Timeout]]:
        now = asyncio.get_running_loop().time
        async with asyncio.timeout(self._first_within_s) as limit:
            ticket.on_recall = lambda: limit.reschedule(now())
            try:
                async with self._asked("/chat/completions", body, ticket) as upstream:
                    yield upstream.content, limit
            finally:
                ticket.on_recall = None

    @asynccontextmanager
    async def _asked(
        self, path: str, body: bytes, ticket: Ticket
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the runner; what it refuses is raised as ApiError."""
        url = self.runner.upstream.base_url + path
        # Where the runner is another rig, people go first there, too.
        priority = ticket.priority.name.lower()
        headers = {"Content-Type": "application/json", PRIORITY_HEADER: priority}
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as upstream:
            if upstream.status != 200:
                raise _refused(self.runner.name, upstream.status, await upstream.read())
            yield upstream

    async def _pass_on(
        self,
        pieces: aiohttp.StreamReader,
        take: Callable[[bytes], Awaitable[None]],
        ticket: Ticket,
        limit: asyncio.Timeout,
        opening: Opening,
    ) -> None:
        """Hand the stream on; note the first token, and at the end what the answer took."""
        now = asyncio.get_running_loop().time
        renewed_at, events, tail = 0.0, 0, b""
        hurries = ticket.priority is Priority.VOICE and self.runner.upstream.is_llama_server
        thoughts = Thoughts(self._thinking_s) if hurries else None

        async def hand_on(data: bytes) -> None:
            nonlocal events, tail
            if data:
                if not ticket.redoable:
                    ticket.on_recall = None
                await take(data)
                if thoughts is not None and (answer := thoughts.feed(data, now())):
                    self._end_thought(answer)
                events += data.count(b"data: {")
                tail = (tail + data)[-_TAIL_BYTES:]

        try:
            async for piece in pieces.iter_any():
                await hand_on(opening.feed(piece))
                if opening.said:
                    ticket.stamp("first_token")
                # A ping (a comment) is no progress.
                if opening.said and piece[:1] != b":" and now() - renewed_at > _RENEW_EVERY_S:
                    renewed_at = now()
                    limit.reschedule(renewed_at + self._next_within_s)
            if opening.crowded and ticket.priority is Priority.VOICE and not events:
                raise Crowded
            await hand_on(opening.end())
        finally:
            ticket.usage = _usage_at_end(tail) or Usage(completion_tokens=max(0, events - 1))

    def _end_thought(self, answer: str) -> None:
        """Have the runner end what it thinks and go on with the answer of this id."""
        task = asyncio.create_task(self._control(answer))
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _control(self, answer: str) -> None:
        url = f"{self.runner.upstream.root_url}/v1/chat/completions/control"
        told = {"id": answer, "action": "reasoning_end"}
        try:
            async with (
                asyncio.timeout(_CONTROL_WITHIN_S),
                self._session.post(url, json=told, allow_redirects=False) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, OSError) as err:
            log.debug("%s: its thought could not be ended: %s", self.runner.name, err)
            return
        if status != 200:
            log.info("%s is too old to end a thought (status %d)", self.runner.name, status)

    def _broken(self, err: Exception, ticket: Ticket) -> ApiError:
        """Return why there is no answer, or no more of it. Raises Recalled if that was wanted."""
        if ticket.waiting:
            raise Recalled from None
        name = self.runner.name
        if isinstance(err, TimeoutError):
            talking = "first_token" in ticket.stamps
            waited_s = self._next_within_s if talking else self._first_within_s
            return ApiError(
                504, "runner_silent", f"the runner {name!r} has said nothing for {waited_s:.0f} s"
            )
        return ApiError(
            502,
            "runner_gone",
            f"the runner {name!r} ended before its answer was complete; it is started again",
        )


async def _say_goodbye(error: ApiError, response: web.StreamResponse, request: web.Request) -> None:
    """End a stream that broke with an error event; a client that does not take it is dropped."""
    try:
        async with asyncio.timeout(_GOODBYE_WITHIN_S):
            await response.write(error.as_event())
            await response.write_eof()
    except OSError:
        if request.transport is not None:
            request.transport.abort()


def _refused(name: str, status: int, answer: bytes) -> ApiError:
    """Return what a runner's refusal means to the client: its own mistake, or ours."""
    error = _json(answer).get("error")
    # An image server says it as text.
    said = error if isinstance(error, dict) else {"message": error}
    text = str(said.get("message") or f"the runner {name!r} answered with status {status}")[:500]
    if said.get("type") == "exceed_context_size_error":
        counted, context = said.get("n_prompt_tokens"), said.get("n_ctx")
        if isinstance(counted, int) and isinstance(context, int):
            return too_long(counted, context)
        return ApiError(400, "context_length_exceeded", text)
    if status == 503:
        return ApiError(503, "runner_loading", text, headers={"Retry-After": "5"})
    if status == 501 or (400 <= status < 500 and status not in {401, 403}):
        return ApiError(400, "refused_by_runner", text)
    return ApiError(502, "runner_failed", text)


def _usage_at_end(tail: bytes) -> Usage | None:
    """Return what the last events of a stream say the answer took."""
    for event in reversed(tail.split(b"\n")):
        if event.startswith(b"data: {") and (usage := _usage(_json(event[6:]))):
            return usage
    return None


def _usage(answer: dict[str, Any]) -> Usage | None:
    """Return the usage in OpenAI's form, or in that of llama.cpp's timings (sent in any case)."""
    usage, timings = answer.get("usage"), answer.get("timings")
    try:
        if isinstance(usage, dict):
            details = usage.get("prompt_tokens_details") or {}
            return Usage(
                prompt_tokens=int(usage["prompt_tokens"]),
                cached_tokens=int(details.get("cached_tokens") or 0),
                completion_tokens=int(usage.get("completion_tokens") or 0),
            )
        if isinstance(timings, dict):
            cached = int(timings["cache_n"])
            return Usage(
                prompt_tokens=cached + int(timings["prompt_n"]),
                cached_tokens=cached,
                completion_tokens=int(timings["predicted_n"]),
            )
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return None


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
