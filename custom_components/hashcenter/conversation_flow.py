"""Adding and changing a conversation agent: instructions, what it may control, which rig answers.

The answers become the data of a `conversation` subentry, which `conversation.py` turns into an
entity. An empty field is left out of the data: the default then holds.
"""

from collections.abc import Mapping
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentryData,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.const import CONF_LLM_HASS_API, CONF_PROMPT
from homeassistant.helpers import llm
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
)

from .const import (
    CONF_CONSTRAIN,
    CONF_RIG,
    CONF_THINKING,
    SUBENTRY_CONVERSATION,
    SUBENTRY_RIG,
)
from .thinking import Thinking

_TITLE = "Hashcenter"

THINKING_SELECTOR: Final = SelectSelector(
    SelectSelectorConfig(
        options=list(Thinking), mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_THINKING
    )
)


def default_subentry_data() -> ConfigSubentryData:
    """Return the agent that a house gets with its first rig that can answer: it controls Assist."""
    return ConfigSubentryData(
        subentry_type=SUBENTRY_CONVERSATION,
        title=_TITLE,
        data={CONF_LLM_HASS_API: [llm.LLM_API_ASSIST]},
        unique_id=None,
    )


class ConversationSubentryFlow(ConfigSubentryFlow):
    """The form of one agent."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add an agent."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        if user_input is not None:
            rig = rig_names(entry).get(user_input.get(CONF_RIG, ""))
            title = f"{_TITLE} ({rig})" if rig else _TITLE
            return self.async_create_entry(title=title, data=_kept(user_input))
        return self._form("user", default_subentry_data()["data"])

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change an agent."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(self._get_entry(), subentry, data=_kept(user_input))
        return self._form("reconfigure", subentry.data)

    def _form(self, step_id: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        apis = {api.id: api.name for api in llm.async_get_apis(self.hass)}
        rigs = rig_names(self._get_entry())
        suggested: dict[str, Any] = {
            CONF_PROMPT: data.get(CONF_PROMPT, llm.DEFAULT_INSTRUCTIONS_PROMPT),
            CONF_LLM_HASS_API: [api for api in data.get(CONF_LLM_HASS_API, []) if api in apis],
        }
        suggested[CONF_THINKING] = data.get(CONF_THINKING, Thinking.OFF)
        suggested[CONF_CONSTRAIN] = data.get(CONF_CONSTRAIN, False)
        if data.get(CONF_RIG) in rigs:
            suggested[CONF_RIG] = data[CONF_RIG]
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_schema(apis, rigs), suggested),
        )


def rig_names(entry: ConfigEntry) -> dict[str, str]:
    """Return the names of the accepted rigs by id."""
    return {
        subentry.data[CONF_RIG]: subentry.title
        for subentry in entry.subentries.values()
        if subentry.subentry_type == SUBENTRY_RIG
    }


def _schema(apis: Mapping[str, str], rigs: Mapping[str, str]) -> probatio.Schema:
    """Return the form's fields; `apis` and `rigs` are names by id."""
    return probatio.Schema(
        {
            probatio.Optional(CONF_PROMPT): TemplateSelector(),
            probatio.Optional(CONF_LLM_HASS_API): SelectSelector(
                SelectSelectorConfig(
                    options=_options(apis), multiple=True, mode=SelectSelectorMode.LIST
                )
            ),
            probatio.Optional(CONF_RIG): rig_selector(rigs),
            probatio.Optional(CONF_THINKING): THINKING_SELECTOR,
            probatio.Optional(CONF_CONSTRAIN): BooleanSelector(),
        }
    )


def rig_selector(rigs: Mapping[str, str]) -> SelectSelector:
    """Return the choice of one rig; `rigs` are names by id."""
    return SelectSelector(
        SelectSelectorConfig(options=_options(rigs), mode=SelectSelectorMode.DROPDOWN)
    )


def _options(names: Mapping[str, str]) -> list[SelectOptionDict]:
    return [SelectOptionDict(value=id_, label=name) for id_, name in names.items()]


def _kept(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers worth keeping: the default instructions may improve with an update."""
    kept = {name: value for name, value in answers.items() if value}
    if kept.get(CONF_PROMPT, "").strip() == llm.DEFAULT_INSTRUCTIONS_PROMPT.strip():
        del kept[CONF_PROMPT]
    if kept.get(CONF_THINKING) == Thinking.OFF:
        del kept[CONF_THINKING]
    return kept
