"""What the forms of conversation agents and of AI Task entities share: the rig, the thinking.

A title names the rig that is fixed. An answer that is the default is left out of the data, so that
a later default holds.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import probatio
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..answers.thinking import Thinking
from ..const import CONF_RIG, CONF_THINKING, SUBENTRY_RIG

_THINKING: Final = SelectSelector(
    SelectSelectorConfig(
        options=list(Thinking), mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_THINKING
    )
)


class AnswerSubentryFlow(ConfigSubentryFlow):
    """The form of one entity that answers."""

    title: ClassVar[str]
    #: What a new one begins with.
    defaults: ClassVar[Mapping[str, Any]] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add one."""
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        if user_input is not None:
            rig = _rig_names(entry).get(user_input.get(CONF_RIG, ""))
            title = f"{self.title} ({rig})" if rig else self.title
            return self.async_create_entry(title=title, data=self.kept(user_input))
        return self._form("user", self.defaults)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change one."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(
                self._get_entry(), subentry, data=self.kept(user_input)
            )
        return self._form("reconfigure", subentry.data)

    @abstractmethod
    def fields(self, shared: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return the form's fields in their order, `shared` (rig and thinking) among them."""

    def suggested(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the form shows of `data` beside rig and thinking."""
        return {}

    def kept(self, answers: dict[str, Any]) -> dict[str, Any]:
        """Return the answers worth keeping."""
        kept = {name: value for name, value in answers.items() if value}
        if kept.get(CONF_THINKING) == Thinking.OFF:
            del kept[CONF_THINKING]
        return kept

    def _form(self, step_id: str, data: Mapping[str, Any]) -> SubentryFlowResult:
        rigs = _rig_names(self._get_entry())
        suggested = self.suggested(data)
        suggested[CONF_THINKING] = data.get(CONF_THINKING, Thinking.OFF)
        if data.get(CONF_RIG) in rigs:
            suggested[CONF_RIG] = data[CONF_RIG]
        shared = {
            probatio.Optional(CONF_RIG): SelectSelector(
                SelectSelectorConfig(options=options(rigs), mode=SelectSelectorMode.DROPDOWN)
            ),
            probatio.Optional(CONF_THINKING): _THINKING,
        }
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                probatio.Schema(self.fields(shared)), suggested
            ),
        )


def options(names: Mapping[str, str]) -> list[SelectOptionDict]:
    """Return a selector's options for names by id."""
    return [SelectOptionDict(value=id_, label=name) for id_, name in names.items()]


def _rig_names(entry: ConfigEntry) -> dict[str, str]:
    """Return the names of the accepted rigs by id."""
    return {
        subentry.data[CONF_RIG]: subentry.title
        for subentry in entry.get_subentries_of_type(SUBENTRY_RIG)
    }
