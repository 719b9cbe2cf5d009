"""One turn of a conversation or a task: a model speaks and calls tools, until it only speaks.

    chat log -> messages (chat.py) -> a rig (inference.py) -> deltas -> chat log, which runs tools

A question that is longer than the model can read is asked again without the oldest turns, so many
of them that the next few questions fit as well. A model that thinks for longer than a person would
wait is asked again, not to think; the rig has the prompt in its cache by then. One that calls the
same tools again and again, as small models do, is asked for words alone.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Final

from homeassistant.components.conversation import (
    AssistantContent,
    ChatLog,
    ToolResultContent,
    UserContent,
)
from homeassistant.helpers.json import json_dumps
from homeassistant.util import dt as dt_util

from .. import issues
from ..errors import error
from ..house import House
from .chat import Delta, deltas, messages
from .completion import AnswerError
from .constrained import Reader, schema, written
from .inference import stream_chat
from .length import Length, fit, left_out
from .prompt import Json, Names, Prompt
from .thinking import Limit, Thinking, TooLong

_LOGGER = logging.getLogger(__name__)

MAX_TOOL_ITERATIONS: Final = 10
#: "Louder, and louder still" may be the same call twice.
MAX_SAME_CALLS: Final = 3
#: Longer than any spoken answer; it ends a model that would go on forever.
MAX_TOKENS: Final = 2048


@dataclass(frozen=True)
class Manner:
    """How questions are asked: how urgent they are, which rig alone may answer, in what form.

    `names` are those of the house, if the model shall be held to valid calls. `answer` is the
    schema of an answer that is data. With `words_only` no tool may be called any more.
    """

    priority: str = "voice"
    rig_id: str | None = None
    max_tokens: int = MAX_TOKENS
    thinking: Thinking = Thinking.OFF
    limit: Limit = field(default_factory=Limit)
    names: Names | None = None
    answer: Json | None = None
    words_only: bool = False


@dataclass
class Conversation:
    """What is kept of a conversation between its turns.

    Its prompt, how many turns are left out, the attached images as data URLs.
    """

    prompt: Prompt
    skip: int = 0
    images: Mapping[Path, str] = field(default_factory=lambda: MappingProxyType({}))


class Turn:
    """The turn that `chat_log` ends with; its answer is written there."""

    def __init__(
        self,
        house: House,
        chat_log: ChatLog,
        agent_id: str,
        conversation: Conversation,
        manner: Manner,
    ) -> None:
        self._house = house
        self._chat_log = chat_log
        self._agent_id = agent_id
        self._conversation = conversation
        self._manner = manner

    async def async_run(self) -> None:
        """Let the model speak and call tools, until it only speaks. Raises HomeAssistantError."""
        before: list[tuple[str, str]] = []
        same = 0
        for _ in range(MAX_TOOL_ITERATIONS):
            added = await self._async_ask()
            if added and self._chat_log.unresponded_tool_results:
                called = _calls(added)
                same = same + 1 if called == before else 1
                before = called
                if same >= MAX_SAME_CALLS:
                    _LOGGER.debug("The model calls the same again and again; it is asked to speak")
                    self._manner = replace(self._manner, words_only=True)
                continue
            if not any(
                isinstance(content, AssistantContent) and content.content for content in added
            ):
                self._end_silently()
            return
        raise error("too_many_tool_calls")

    async def _async_ask(self) -> list[AssistantContent | ToolResultContent]:
        """Ask once, or again in another manner as long as that helps; return what was added."""
        while True:
            try:
                return await self._async_ask_once()
            except AnswerError as err:
                if err.began or err.length is None or not self._shorten(err.length):
                    self._complain(err)
                    raise
            except TooLong:
                if self._manner.thinking is Thinking.OFF:
                    raise error("thought_too_long") from None
                _LOGGER.debug("The model thinks for too long; it is asked not to")
                self._manner = replace(self._manner, thinking=Thinking.OFF)

    async def _async_ask_once(self) -> list[AssistantContent | ToolResultContent]:
        manner = self._manner
        prompt = _offered(self._conversation.prompt, manner)
        reader = Reader(_allowed(prompt, manner)) if _in_form(prompt, manner) else None
        chunks = stream_chat(
            self._house,
            self._request(),
            priority=manner.priority,
            rig_id=manner.rig_id,
            sees=bool(self._conversation.images),
        )
        async with aclosing(chunks):
            said = deltas(chunks, prompt, reader)
            limit = manner.limit.of(manner.thinking)
            return [
                content
                async for content in self._chat_log.async_add_delta_content_stream(
                    self._agent_id, _in_time(said, limit)
                )
            ]

    def _request(self) -> Json:
        prompt = self._conversation.prompt
        return request(prompt, self._manner, self._messages(self._conversation.skip))

    def _messages(self, skip: int) -> list[Json]:
        zone, known = dt_util.get_default_time_zone(), self._conversation
        return messages(self._chat_log.content, known.prompt, zone, skip, known.images)

    def _shorten(self, length: Length) -> bool:
        """Leave out the oldest turns; return whether there were any to leave out."""
        conversation = self._conversation
        turns = sum(isinstance(content, UserContent) for content in self._chat_log.content)
        sizes = [len(str(self._messages(skip))) for skip in range(max(1, turns))]
        rest = len(str(conversation.prompt.tools))
        if (skip := left_out(sizes, conversation.skip, rest, length)) is None:
            return False
        _LOGGER.debug("The conversation is too long; its first %s turns are left out", skip)
        conversation.skip = skip
        return True

    def _complain(self, err: AnswerError) -> None:
        """Have a person expose fewer entities if the house alone is more than the model can read.

        Raises HomeAssistantError then.
        """
        rig = self._house.rigs.get(err.rig_id)
        if err.length is None or rig is None:
            return
        prompt = self._conversation.prompt
        tools = len(str(prompt.tools))
        whole = len(str(self._messages(self._conversation.skip))) + tools
        if (found := fit(prompt.shared, tools, whole, err.length)) is not None:
            issues.async_raise_too_many(self._house.hass, self._house.config_entry, rig, found)
            raise error("too_many_entities", rig=rig.name) from err

    def _end_silently(self) -> None:
        """Accept an empty answer if a tool did what was asked. Raises HomeAssistantError."""
        chat_log = self._chat_log
        turn = chat_log.content[chat_log.llm_input_provided_index :]
        if not any(isinstance(said, ToolResultContent) and not said.result.error for said in turn):
            raise error("empty_answer")
        chat_log.async_add_assistant_content_without_tools(
            AssistantContent(agent_id=self._agent_id, content="")
        )


def request(prompt: Prompt, manner: Manner, said: list[Json]) -> Json:
    """Return the request that asks for the next message after those in `said`."""
    asked: Json = {"max_tokens": manner.max_tokens, **manner.thinking.fields}
    if _in_form(prompt, manner):
        return asked | {
            "messages": written(said, prompt),
            "response_format": _form(_allowed(prompt, manner)),
        }
    asked["messages"] = said
    if manner.answer is not None:
        asked["response_format"] = _form(manner.answer)
    if prompt.tools:
        asked |= {"tools": list(prompt.tools), "parallel_tool_calls": True}
    if prompt.tools and manner.words_only:
        asked["tool_choice"] = "none"
    return asked


def beginning(prompt: Prompt, manner: Manner) -> Json:
    """Return what every request with this prompt begins with: all before anybody's words."""
    begun = request(prompt, manner, [{"role": "system", "content": prompt.shared}])
    return {key: one for key, one in begun.items() if key not in ("max_tokens", "response_format")}


def _in_form(prompt: Prompt, manner: Manner) -> bool:
    """Whether the model is held to a form in which it can also call tools."""
    return manner.names is not None or (manner.answer is not None and bool(prompt.tools))


def _offered(prompt: Prompt, manner: Manner) -> Prompt:
    """Return the prompt with the tools that may be called now; the model reads of all of them."""
    return replace(prompt, usable=frozenset()) if manner.words_only else prompt


def _calls(added: Iterable[AssistantContent | ToolResultContent]) -> list[tuple[str, str]]:
    """Return the tools that were called, with their arguments as text."""
    return [
        (call.tool_name, json_dumps(call.tool_args))
        for content in added
        if isinstance(content, AssistantContent)
        for call in content.tool_calls or ()
    ]


def _allowed(prompt: Prompt, manner: Manner) -> Json:
    return schema(_offered(prompt, manner), manner.names or Names(), manner.answer)


async def _in_time(said: AsyncIterable[Delta], limit_s: float) -> AsyncGenerator[Delta]:
    """Yield deltas; raises TooLong once only thoughts have come for `limit_s`."""
    began: float | None = None
    spoke = False
    async for delta in said:
        spoke = spoke or bool(delta.get("content") or delta.get("tool_calls"))
        if not spoke and delta.get("thinking_content"):
            now = monotonic()
            began = now if began is None else began
            if now - began > limit_s:
                raise TooLong
        yield delta


def _form(allowed: Json) -> Json:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": allowed},
    }
