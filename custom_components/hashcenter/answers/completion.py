"""One streamed chat completion from one rig: request -> HTTP with the rig's key -> parsed chunks.

The rig's answer is never trusted: every wait has an end, lines and the whole answer have a size
limit, redirects are not followed. It ends normally only if the rig said that it was complete;
whatever else happens raises AnswerError with a sentence that can be spoken.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..errors import reason
from .chat import carries_token, first_choice
from .contact import Endpoint, NotProvenError
from .length import Length
from .sse import EventLines, TooLong

_LOGGER = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 << 20
_MAX_ERROR_BYTES = 1 << 16
_ERROR_BODY_S = 2.0
_DONE = "[DONE]"

_BY_CODE = {
    "stopped": "rig_stopped",
    "loading": "rig_loading",
    "not_available": "rig_not_available",
    "queue_full": "rig_busy",
    "wrong_key": "wrong_key",
    "task_exists": "task_exists",
    "too_large": "question_too_large",
    "context_length_exceeded": "conversation_too_long",
    "exceed_context_size_error": "conversation_too_long",
}
_BY_STATUS = {401: "wrong_key", 403: "wrong_key", 429: "rig_busy", 503: "rig_not_available"}


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds, for each stage of an answer.

    `stall_s` counts between tokens; what carries none does not renew it. `tail_s` is what may
    follow once the answer is complete.
    """

    connect_s: float = 3.0
    first_token_s: float = 60.0
    stall_s: float = 20.0
    tail_s: float = 1.0
    whole_s: float = 600.0


class AnswerError(HomeAssistantError):
    """A rig did not answer a question. The translation key says why.

    `began` is true if a part of the answer had come: no other rig may be asked then. `length` is
    what the rig counted, if the question was too long.
    """

    def __init__(
        self, key: str, rig: str, *, began: bool = False, length: Length | None = None
    ) -> None:
        super().__init__(
            translation_domain=DOMAIN, translation_key=key, translation_placeholders={"rig": rig}
        )
        self.began = began
        self.length = length
        #: Who it was; set by whoever chose the rig.
        self.rig_id = ""


async def stream_completion(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    request: dict[str, Any],
    priority: str,
    patience: Patience,
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of the answer to an OpenAI chat completion. Raises AnswerError."""
    progress = _Progress(endpoint.name, patience, asyncio.get_running_loop().time)
    lines = EventLines()
    response: aiohttp.ClientResponse | None = None
    try:
        async with asyncio.timeout_at(progress.due):
            response = await _post(session, endpoint, request, priority, patience)
            if response.status != HTTPStatus.OK:
                failure = await _refusal(response)
                raise progress.error(_key(failure, response.status), _length(failure))
        while data := await _next_bytes(response, progress):
            for text in lines.feed(data):
                if text == _DONE:
                    return
                yield progress.read(text)
            progress.wait_for_more()
        if not progress.complete:
            raise progress.error("answer_broken")
    except (TimeoutError, aiohttp.ClientError, TooLong) as err:
        if progress.complete:
            return
        _LOGGER.debug("No answer from %s: %s", endpoint.name, reason(err))
        raise progress.error(progress.why(err, connected=response is not None)) from err
    finally:
        if response is not None:
            response.close()


class _Progress:
    """How far an answer has come, and until when (`due`, on `clock`) its next part must be here."""

    def __init__(self, rig: str, patience: Patience, clock: Callable[[], float]) -> None:
        self._rig = rig
        self._patience = patience
        self._clock = clock
        self._over_at = clock() + patience.whole_s
        self._bytes = 0
        self._moved = False
        self.due = clock() + patience.first_token_s
        self.began = False
        self.complete = False

    def error(self, key: str, length: Length | None = None) -> AnswerError:
        """Return why there is no answer."""
        return AnswerError(key, self._rig, began=self.began, length=length)

    def count(self, size_bytes: int) -> None:
        """Count what was received. Raises TooLong."""
        self._bytes += size_bytes
        if self._bytes > MAX_ANSWER_BYTES:
            raise TooLong

    def read(self, text: str) -> dict[str, Any]:
        """Return the chunk in an event. Raises AnswerError if it is none, or tells of a failure."""
        try:
            chunk = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise self.error("answer_broken") from err
        if not isinstance(chunk, dict):
            raise self.error("answer_broken")
        if (failure := chunk.get("error")) is not None:
            raise self.error(_key(failure, HTTPStatus.OK), _length(failure))
        token = carries_token(chunk)
        ends = not self.complete and bool(first_choice(chunk).get("finish_reason"))
        self._moved = self._moved or ends or (token and not self.complete)
        self.began = self.began or token
        self.complete = self.complete or ends
        return chunk

    def wait_for_more(self) -> None:
        """Set when the next part is due, now that all that came was handed on."""
        if self._moved:
            wait_s = self._patience.tail_s if self.complete else self._patience.stall_s
            self.due = min(self._clock() + wait_s, self._over_at)
        self._moved = False

    def why(self, err: Exception, *, connected: bool) -> str:
        """Return the translation key of what went wrong."""
        if isinstance(err, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return "rig_unreachable"
        if isinstance(err, NotProvenError):
            return "wrong_key"
        if isinstance(err, TimeoutError):
            return "answer_stalled" if self.began else "rig_too_slow"
        return "answer_broken" if connected else "rig_unreachable"


async def _next_bytes(response: aiohttp.ClientResponse, progress: _Progress) -> bytes:
    async with asyncio.timeout_at(progress.due):
        data = await response.content.readany()
    progress.count(len(data))
    return data


async def _post(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    request: dict[str, Any],
    priority: str,
    patience: Patience,
) -> aiohttp.ClientResponse:
    return await endpoint.async_request(
        session,
        "POST",
        "/v1/chat/completions",
        # One way to write it, so that equal requests are equal bytes.
        data=json.dumps(request, separators=(",", ":")).encode(),
        headers={
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "X-Hashcenter-Priority": priority,
        },
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=patience.connect_s),
    )


async def refused(response: aiohttp.ClientResponse, rig: str) -> AnswerError:
    """Return why a rig did not do what it was asked for."""
    failure = await _refusal(response)
    return AnswerError(_key(failure, response.status), rig, length=_length(failure))


async def _refusal(response: aiohttp.ClientResponse) -> object:
    """Return the OpenAI error object of an answer that is not 200, None where it has none."""
    body = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _MAX_ERROR_BYTES and (data := await response.content.readany()):
                body += data
    try:
        said = json.loads(body)
    except ValueError, RecursionError:
        said = None
    return said.get("error") if isinstance(said, dict) else None


def _length(failure: object) -> Length | None:
    """Return what an error object says of the question's length."""
    if not isinstance(failure, dict):
        return None
    prompt = failure.get("prompt_tokens", failure.get("n_prompt_tokens"))
    context = failure.get("context_tokens", failure.get("n_ctx"))
    return Length(prompt, context) if isinstance(prompt, int) and isinstance(context, int) else None


def _key(failure: object, status: int) -> str:
    """Return the translation key of an OpenAI error object that came with an HTTP status."""
    named = (failure.get("code"), failure.get("type")) if isinstance(failure, dict) else ()
    for code in named:
        if isinstance(code, str) and code in _BY_CODE:
            return _BY_CODE[code]
    return _BY_STATUS.get(status, "rig_failed")
