"""Adding and changing a conversation agent: instructions, what it may control, which rig answers.

The answers become the data of a `conversation` subentry, which `conversation.py` turns into an
entity.
"""

from collections.abc import Mapping
from typing import Any, Final, override

import probatio
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT
from homeassistant.helpers import llm
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
)

from ..const import CONF_CONSTRAIN, SUBENTRY_CONVERSATION
from .answer_flow import AnswerSubentryFlow, options

_TITLE: Final = "Hashcenter"


def default_subentry_data() -> ConfigSubentryData:
    """Return the agent that a house gets with its first rig that can answer: it controls Assist."""
    return ConfigSubentryData(
        subentry_type=SUBENTRY_CONVERSATION,
        title=_TITLE,
        data={CONF_LLM_HASS_API: [llm.LLM_API_ASSIST]},
        unique_id=None,
    )


class ConversationSubentryFlow(AnswerSubentryFlow):
    """The form of one agent."""

    title = _TITLE
    defaults = default_subentry_data()["data"]

    @override
    def fields(self, shared: Mapping[Any, Any]) -> dict[Any, Any]:
        return {
            probatio.Optional(CONF_PROMPT): TemplateSelector(),
            probatio.Optional(CONF_LLM_HASS_API): SelectSelector(
                SelectSelectorConfig(
                    options=options(self._apis()), multiple=True, mode=SelectSelectorMode.LIST
                )
            ),
            **shared,
            probatio.Optional(CONF_CONSTRAIN): BooleanSelector(),
        }

    @override
    def suggested(self, data: Mapping[str, Any]) -> dict[str, Any]:
        apis = self._apis()
        return {
            CONF_PROMPT: data.get(CONF_PROMPT, llm.DEFAULT_INSTRUCTIONS_PROMPT),
            CONF_LLM_HASS_API: [api for api in data.get(CONF_LLM_HASS_API, []) if api in apis],
            CONF_CONSTRAIN: data.get(CONF_CONSTRAIN, False),
        }

    @override
    def kept(self, answers: dict[str, Any]) -> dict[str, Any]:
        kept = super().kept(answers)
        # The default instructions may improve with an update.
        if kept.get(CONF_PROMPT, "").strip() == llm.DEFAULT_INSTRUCTIONS_PROMPT.strip():
            del kept[CONF_PROMPT]
        return kept

    def _apis(self) -> dict[str, str]:
        return {api.id: api.name for api in llm.async_get_apis(self.hass)}
