"""Adding and changing an AI Task entity: which rig works, how much its model may think.

The answers become the data of an `ai_task_data` subentry, which `ai_task.py` turns into an entity.
"""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.config_entries import ConfigSubentryData

from ..const import SUBENTRY_AI_TASK
from .answer_flow import AnswerSubentryFlow

_TITLE: Final = "Hashcenter AI Task"


def default_subentry_data() -> ConfigSubentryData:
    """Return the entity that a house gets with its first rig that can answer."""
    return ConfigSubentryData(subentry_type=SUBENTRY_AI_TASK, title=_TITLE, data={}, unique_id=None)


class AITaskSubentryFlow(AnswerSubentryFlow):
    """The form of one entity."""

    title = _TITLE

    @override
    def fields(self, shared: Mapping[Any, Any]) -> dict[Any, Any]:
        return dict(shared)
