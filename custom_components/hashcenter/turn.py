"""One turn of a conversation or a task: a model speaks and calls tools, until it only speaks.

    chat log -> messages (chat.py) -> a rig (inference.py) -> deltas -> chat log, which runs tools

A question that is longer than the model can read is asked again without the oldest turns, so many
of them that the next few questions fit as well.
"""

import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.components.conversation import (
    AssistantContent,
    ChatLog,
    ToolResultContent,
    UserContent,
)
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from . import issues
from .chat import deltas, messages
from .completion import AnswerError
from .const import DOMAIN
from .house import House
from .inference import stream_chat
from .length import Length, fit, left_out
from .prompt import Json, Prompt

_LOGGER = logging.getLogger(__name__)

MAX_TOOL_ITERATIONS: Final = 10
#: Longer than any spoken answer; it ends a model that would go on forever.
MAX_TOKENS: Final = 2048


@dataclass(frozen=True)
class Manner:
    """How questions are asked: how urgent they are, which rig alone may answer, fields to add."""

    priority: str = "voice"
    rig_id: str | None = None
    max_tokens: int = MAX_TOKENS
    fields: Json | None = None


@dataclass
class Conversation:
    """What is kept of a conversation between its turns: its prompt, how many turns are left out."""

    prompt: Prompt
    skip: int = 0


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
        for _ in range(MAX_TOOL_ITERATIONS):
            added = await self._async_ask()
            if added and self._chat_log.unresponded_tool_results:
                continue
            if not any(
                isinstance(content, AssistantContent) and content.content for content in added
            ):
                self._end_silently()
            return
        raise error("too_many_tool_calls")

    async def _async_ask(self) -> list[AssistantContent | ToolResultContent]:
        """Ask once, or as often as the conversation has to be shortened; return what was added."""
        while True:
            try:
                return await self._async_ask_once()
            except AnswerError as err:
                if err.began or err.length is None or not self._shorten(err.length):
                    self._complain(err)
                    raise

    async def _async_ask_once(self) -> list[AssistantContent | ToolResultContent]:
        conversation, chat_log = self._conversation, self._chat_log
        chunks = stream_chat(
            self._house, self._request(), priority=self._manner.priority, rig_id=self._manner.rig_id
        )
        async with aclosing(chunks):
            return [
                content
                async for content in chat_log.async_add_delta_content_stream(
                    self._agent_id, deltas(chunks, conversation.prompt)
                )
            ]

    def _request(self) -> Json:
        conversation, manner = self._conversation, self._manner
        zone = dt_util.get_default_time_zone()
        said = messages(self._chat_log.content, conversation.prompt, zone, conversation.skip)
        request: dict[str, Any] = {"messages": said, "max_tokens": manner.max_tokens}
        if conversation.prompt.tools:
            request |= {"tools": list(conversation.prompt.tools), "parallel_tool_calls": True}
        return request | (manner.fields or {})

    def _shorten(self, length: Length) -> bool:
        """Leave out the oldest turns; return whether there were any to leave out."""
        conversation = self._conversation
        turns = sum(isinstance(content, UserContent) for content in self._chat_log.content)
        sizes = [self._characters(skip) for skip in range(max(1, turns))]
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
        whole = self._characters(self._conversation.skip) + tools
        if (found := fit(prompt.shared, tools, whole, err.length)) is not None:
            issues.async_raise_too_many(self._house.hass, self._house.config_entry, rig, found)
            raise error("too_many_entities", rig=rig.name) from err

    def _characters(self, skip: int) -> int:
        conversation = self._conversation
        zone = dt_util.get_default_time_zone()
        return len(str(messages(self._chat_log.content, conversation.prompt, zone, skip)))

    def _end_silently(self) -> None:
        """Accept an empty answer if a tool did what was asked. Raises HomeAssistantError."""
        chat_log = self._chat_log
        turn = chat_log.content[chat_log.llm_input_provided_index :]
        if not any(isinstance(said, ToolResultContent) and not said.result.error for said in turn):
            raise error("empty_answer")
        chat_log.async_add_assistant_content_without_tools(
            AssistantContent(agent_id=self._agent_id, content="")
        )


def error(key: str, **placeholders: str) -> HomeAssistantError:
    """Return an error that is a sentence in every language."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders
    )
