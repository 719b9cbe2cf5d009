"""The conversation agents of the house: one entity for each `conversation` subentry.

Home Assistant writes prompt and tools into the chat log, `prompt.py` sorts them by how often they
change, `turn.py` has the best rig answer and the tools run that it calls. An agent is available
while some rig with a key can answer; pipelines also call an unavailable one, which then says why.
"""

import logging
from typing import Final, Literal, override
from weakref import WeakKeyDictionary

from homeassistant.components import conversation
from homeassistant.components.conversation import (
    ChatLog,
    ConversationEntityFeature,
    ConversationInput,
    ConversationResult,
    SystemContent,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT, MATCH_ALL
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_translations

from .answers.completion import AnswerError
from .answers.inference import candidates, nobody
from .answers.prewarm import Prewarm
from .answers.prompt import Json, async_names, async_read
from .answers.thinking import Limit, Thinking
from .answers.turn import Conversation, Manner, Turn, beginning
from .const import CONF_CONSTRAIN, CONF_RIG, CONF_THINKING, DOMAIN, SUBENTRY_CONVERSATION
from .errors import error
from .house import HashcenterConfigEntry, House

_LOGGER = logging.getLogger(__name__)

PARALLEL_UPDATES = 0
#: How long somebody who spoke is kept waiting by thoughts.
LIMIT: Final = Limit()


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the agents."""
    prewarm = Prewarm(hass, entry.runtime_data)
    entry.async_on_unload(prewarm.async_start())
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_CONVERSATION:
            async_add_entities(
                [ConversationAgent(entry.runtime_data, subentry, prewarm)],
                config_subentry_id=subentry.subentry_id,
            )


class ConversationAgent(conversation.ConversationEntity):
    """Answers on the house's own rigs."""

    _attr_has_entity_name = True
    _attr_name = None
    _attr_supports_streaming = True

    def __init__(self, house: House, subentry: ConfigSubentry, prewarm: Prewarm) -> None:
        self._house = house
        self._prewarm = prewarm
        self._prompt: str | None = subentry.data.get(CONF_PROMPT)
        self._llm_apis: list[str] = list(subentry.data.get(CONF_LLM_HASS_API, []))
        self.rig_id: str | None = subentry.data.get(CONF_RIG)
        self._thinking = Thinking(subentry.data.get(CONF_THINKING, Thinking.OFF))
        self._constrain: bool = subentry.data.get(CONF_CONSTRAIN, False)
        self._conversations: WeakKeyDictionary[SystemContent, Conversation] = WeakKeyDictionary()
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            entry_type=DeviceEntryType.SERVICE,
        )
        if self._llm_apis:
            self._attr_supported_features = ConversationEntityFeature.CONTROL
        self._attr_available = bool(candidates(house, self.rig_id))

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
        self.async_on_remove(self._prewarm.async_add(self))
        # What may have to be said at once must not have to be read from the disk first.
        await async_get_translations(self.hass, self.hass.config.language, "exceptions", [DOMAIN])

    @callback
    def _rigs_changed(self) -> None:
        available = bool(candidates(self._house, self.rig_id))
        if available != self._attr_available:
            self._attr_available = available
            self.async_write_ha_state()

    @override
    async def _async_handle_message(
        self, user_input: ConversationInput, chat_log: ChatLog
    ) -> ConversationResult:
        """Answer one sentence; errors are raised as a sentence in the speaker's language."""
        if not candidates(self._house, self.rig_id):
            raise await self._in_words(nobody(self._house, self.rig_id), user_input.language)
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
            await self._async_turn(user_input, chat_log)
        except HomeAssistantError as err:
            raise await self._in_words(err, user_input.language) from err
        except Exception as err:
            # Tools come from any integration, and the chat log passes on what they did not foresee.
            _LOGGER.exception("A tool of the conversation failed")
            raise await self._in_words(error("tool_failed"), user_input.language) from err
        return conversation.async_get_result_from_chat_log(user_input, chat_log)

    async def async_beginning(self, device_id: str | None, language: str | None) -> Json | None:
        """Return what a question from this device begins with, None if it cannot be told."""
        context = llm.LLMContext(
            platform=DOMAIN,
            context=Context(),
            language=language,
            assistant=conversation.DOMAIN,
            device_id=device_id,
            agent_id=self.entity_id,
        )
        # Nobody's conversation: Home Assistant writes into it what it writes into every new one.
        chat_log = ChatLog(self.hass, f"{self.entity_id}_beginning")
        try:
            await chat_log.async_provide_llm_data(context, self._llm_apis, self._prompt)
            prompt = await async_read(self.hass, chat_log, context, self._llm_apis)
        except HomeAssistantError:
            return None
        return beginning(prompt, self._manner())

    def _manner(self) -> Manner:
        return Manner(
            rig_id=self.rig_id,
            thinking=self._thinking,
            limit=LIMIT,
            names=async_names(self.hass, conversation.DOMAIN) if self._constrain else None,
        )

    async def _async_turn(self, user_input: ConversationInput, chat_log: ChatLog) -> None:
        """Have the model answer; raises HomeAssistantError."""
        system = chat_log.content[0]
        assert isinstance(system, SystemContent)
        # It stays the same object for as long as the conversation goes on in the same place.
        if (known := self._conversations.get(system)) is None:
            context = user_input.as_llm_context(DOMAIN)
            known = Conversation(await async_read(self.hass, chat_log, context, self._llm_apis))
            self._conversations[system] = known
        manner = self._manner()
        begun = beginning(known.prompt, manner)
        self._prewarm.async_asked(self, user_input.satellite_id, begun)
        try:
            await Turn(self._house, chat_log, self.entity_id, known, manner).async_run()
        except AnswerError as err:
            if err.translation_key == "rig_too_slow":
                await self._prewarm.async_read_ahead(self, begun)
            raise

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
