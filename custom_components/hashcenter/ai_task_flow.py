"""Adding and changing an AI Task entity: which rig works, how much its model may think.

The answers become the data of an `ai_task_data` subentry, which `ai_task.py` turns into an entity.
An empty field is left out of the data: the default then holds.
"""

from collections.abc import Mapping
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryData,
    ConfigSubentryFlow,
    SubentryFlowResult,
)

from .const import CONF_RIG, CONF_THINKING, SUBENTRY_AI_TASK
from .conversation_flow import THINKING_SELECTOR, rig_names, rig_selector
from .thinking import Thinking

_TITLE: Final = "Hashcenter AI Task"


def default_subentry_data() -> ConfigSubentryData:
    """Return the entity that a house gets with its first rig that can answer."""
    return ConfigSubentryData(subentry_type=SUBENTRY_AI_TASK, title=_TITLE, data={}, unique_id=None)


class AITaskSubentryFlow(ConfigSubentryFlow):
    """The form of one entity."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add an entity."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        if user_input is not None:
            rig = rig_names(entry).get(user_input.get(CONF_RIG, ""))
            title = f"{_TITLE} ({rig})" if rig else _TITLE
            return self.async_create_entry(title=title, data=_kept(user_input))
        return self._form("user", {})

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change an entity."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(self._get_entry(), subentry, data=_kept(user_input))
        return self._form("reconfigure", subentry.data)

    def _form(self, step_id: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        rigs = rig_names(self._get_entry())
        suggested = {CONF_THINKING: data.get(CONF_THINKING, Thinking.OFF)}
        if data.get(CONF_RIG) in rigs:
            suggested[CONF_RIG] = data[CONF_RIG]
        schema = probatio.Schema(
            {
                probatio.Optional(CONF_RIG): rig_selector(rigs),
                probatio.Optional(CONF_THINKING): THINKING_SELECTOR,
            }
        )
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
        )


def _kept(answers: dict[str, Any]) -> dict[str, Any]:
    """Return the answers that are not the defaults."""
    return {name: value for name, value in answers.items() if value and value != Thinking.OFF}
