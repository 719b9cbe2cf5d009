"""The conversation agents of the house: one entity for each `conversation` subentry.

A turn: Home Assistant writes prompt and tools into the chat log -> `chat.py` renders them for the
rigs -> `inference.py` streams the answer of the best one -> the chat log runs the tools that were
called -> the results go back to the model, until it only speaks. An agent is available while some
rig with a key can answer; pipelines also call an unavailable one, which then says why.
"""

import logging
from contextlib import aclosing
from typing import Any, Literal, override

from homeassistant.components import conversation
from homeassistant.components.conversation import (
    AssistantContent,
    ChatLog,
    ConversationEntityFeature,
    ConversationInput,
    ConversationResult,
    ToolResultContent,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT, MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .chat import deltas, messages, tool_specs
from .const import CONF_RIG, DOMAIN, SUBENTRY_CONVERSATION
from .house import HashcenterConfigEntry, House
from .inference import candidates, nobody, stream_chat

_LOGGER = logging.getLogger(__name__)

PARALLEL_UPDATES = 0
MAX_TOOL_ITERATIONS = 10
#: Longer than any spoken answer; it ends a model that would go on forever.
MAX_TOKENS = 2048


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the agents."""
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            async_add_entities(
                [ConversationAgent(entry.runtime_data, subentry)],
                config_subentry_id=subentry.subentry_id,
            )


class ConversationAgent(conversation.ConversationEntity):
    """Answers on the house's own rigs."""

    _attr_has_entity_name = True
    _attr_name = None
    _attr_supports_streaming = True

    def __init__(self, house: House, subentry: ConfigSubentry) -> None:
        self._house = house
        self._prompt: str | None = subentry.data.get(CONF_PROMPT)
        self._llm_apis: list[str] = list(subentry.data.get(CONF_LLM_HASS_API, []))
        self._rig_id: str | None = subentry.data.get(CONF_RIG)
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            entry_type=DeviceEntryType.SERVICE,
        )
        if self._llm_apis:
            self._attr_supported_features = ConversationEntityFeature.CONTROL
        self._attr_available = bool(candidates(house, self._rig_id))

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        """Return all languages: the model knows which it speaks."""
        return MATCH_ALL

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the rigs."""
        await super().async_added_to_hass()
        self.async_on_remove(self._house.async_add_listener(self._rigs_changed))
        # What may have to be said at once must not have to be read from the disk first.
        await async_get_translations(self.hass, self.hass.config.language, "exceptions", [DOMAIN])

    @callback
    def _rigs_changed(self) -> None:
        available = bool(candidates(self._house, self._rig_id))
        if available != self._attr_available:
            self._attr_available = available
            self.async_write_ha_state()

    @override
    async def _async_handle_message(
        self, user_input: ConversationInput, chat_log: ChatLog
    ) -> ConversationResult:
        """Answer one sentence; errors are raised as a sentence in the speaker's language."""
        if not candidates(self._house, self._rig_id):
            raise await self._in_words(nobody(self._house, self._rig_id), user_input.language)
        try:
            await chat_log.async_provide_llm_data(
                user_input.as_llm_context(DOMAIN),
                self._llm_apis,
                self._prompt,
                user_input.extra_system_prompt,
            )
        except conversation.ConverseError as err:
            return err.as_conversation_result()
        try:
            await self._converse(chat_log)
        except HomeAssistantError as err:
            raise await self._in_words(err, user_input.language) from err
        except Exception as err:
            # Tools come from any integration, and the chat log passes on what they did not foresee.
            _LOGGER.exception("A tool of the conversation failed")
            raise await self._in_words(_error("tool_failed"), user_input.language) from err
        return conversation.async_get_result_from_chat_log(user_input, chat_log)

    async def _converse(self, chat_log: ChatLog) -> None:
        """Let the model speak and call tools, until it only speaks."""
        tools = tool_specs(chat_log.llm_api)
        names = [tool["function"]["name"] for tool in tools]
        for _ in range(MAX_TOOL_ITERATIONS):
            zone = dt_util.get_default_time_zone()
            request: dict[str, Any] = {
                "messages": messages(chat_log.content, zone),
                "max_tokens": MAX_TOKENS,
            }
            if tools:
                request |= {"tools": tools, "parallel_tool_calls": True}
            chunks = stream_chat(self._house, request, priority="voice", rig_id=self._rig_id)
            async with aclosing(chunks):
                added = [
                    content
                    async for content in chat_log.async_add_delta_content_stream(
                        self.entity_id, deltas(chunks, names)
                    )
                ]
            if added and chat_log.unresponded_tool_results:
                continue
            if not any(
                isinstance(content, AssistantContent) and content.content for content in added
            ):
                self._end_silently(chat_log)
            return
        raise _error("too_many_tool_calls")

    def _end_silently(self, chat_log: ChatLog) -> None:
        """Accept an empty answer if a tool did what was asked. Raises HomeAssistantError."""
        turn = chat_log.content[chat_log.llm_input_provided_index :]
        if not any(isinstance(said, ToolResultContent) and not said.result.error for said in turn):
            raise _error("empty_answer")
        chat_log.async_add_assistant_content_without_tools(
            AssistantContent(agent_id=self.entity_id, content="")
        )

    async def _in_words(self, err: HomeAssistantError, language: str) -> HomeAssistantError:
        """Return the error with its sentence in `language`: by itself it would speak English."""
        found = await async_get_translations(self.hass, language, "exceptions", [DOMAIN])
        sentence = found.get(
            f"component.{err.translation_domain}.exceptions.{err.translation_key}.message"
        )
        return HomeAssistantError(
            sentence.format(**(err.translation_placeholders or {})) if sentence else str(err),
            translation_domain=err.translation_domain,
            translation_key=err.translation_key,
            translation_placeholders=err.translation_placeholders,
        )


def _error(key: str) -> HomeAssistantError:
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=key)
