"""AI Tasks on the house's own rigs: one entity for each `ai_task_data` subentry.

Data, in a structure that the rig holds the model to; answers to questions with how sure the model
is; images, where a rig draws. What a person waits for goes first: tasks are asked as `task`.
"""

from contextlib import aclosing
from typing import Final, override

import probatio
from homeassistant.components import ai_task
from homeassistant.components.ai_task import AITaskEntityFeature
from homeassistant.components.conversation import (
    AssistantContent,
    ChatLog,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import llm
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.json import json_dumps

from .answers import evaluate
from .answers.constrained import violation
from .answers.drawing import async_draw
from .answers.images import async_data_urls
from .answers.inference import artists, candidates, stream_chat
from .answers.prompt import Json, async_read
from .answers.thinking import Limit, Thinking
from .answers.tool_calls import json_object
from .answers.turn import Conversation, Manner, Turn
from .const import CONF_RIG, CONF_THINKING, DOMAIN, SUBENTRY_AI_TASK
from .errors import error
from .house import HashcenterConfigEntry, House

PARALLEL_UPDATES = 0
#: A list or a summary is longer than what is spoken.
MAX_TOKENS: Final = 8192
#: Nobody waits for a task; it may think.
LIMIT: Final = Limit(cut_s=600.0, off_s=600.0)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the entities."""
    for subentry in entry.subentries.values():
        if subentry.subentry_type == SUBENTRY_AI_TASK:
            async_add_entities(
                [TaskEntity(entry.runtime_data, subentry)],
                config_subentry_id=subentry.subentry_id,
            )


class TaskEntity(ai_task.AITaskEntity):
    """Works on the house's own rigs."""

    _attr_has_entity_name = True
    _attr_name = None

    def __init__(self, house: House, subentry: ConfigSubentry) -> None:
        self._house = house
        self._rig_id: str | None = subentry.data.get(CONF_RIG)
        self._thinking = Thinking(subentry.data.get(CONF_THINKING, Thinking.OFF))
        self._attr_unique_id = subentry.subentry_id
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, subentry.subentry_id)},
            name=subentry.title,
            entry_type=DeviceEntryType.SERVICE,
        )
        self._attr_available = self._can_work()
        self._attr_supported_features = self._features()

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the rigs."""
        await super().async_added_to_hass()
        self.async_on_remove(self._house.async_add_listener(self._rigs_changed))

    @callback
    def _rigs_changed(self) -> None:
        now = (self._can_work(), self._features())
        if now != (self._attr_available, self._attr_supported_features):
            self._attr_available, self._attr_supported_features = now
            self.async_write_ha_state()

    def _can_work(self) -> bool:
        house, rig_id = self._house, self._rig_id
        return bool(candidates(house, rig_id) or artists(house, rig_id))

    def _features(self) -> AITaskEntityFeature:
        """Return what the rigs can do, as far as they said."""
        features = AITaskEntityFeature.GENERATE_DATA | AITaskEntityFeature.EVALUATE
        rigs = [rig for rig in self._house.rigs.values() if self._rig_id in (None, rig.rig_id)]
        runners = [one for rig in rigs if rig.data.inventory for one in rig.data.inventory.runners]
        models = [model for runner in runners for model in runner.models]
        if any(model.sees for model in models):
            features |= AITaskEntityFeature.SUPPORT_ATTACHMENTS
        if any(model.draws for model in models):
            features |= AITaskEntityFeature.GENERATE_IMAGE
        return features

    @override
    async def _async_generate_data(
        self, task: ai_task.GenDataTask, chat_log: ChatLog
    ) -> ai_task.GenDataTaskResult:
        """Return text, or data in the structure of the task."""
        manner = Manner(
            priority="task",
            rig_id=self._rig_id,
            max_tokens=MAX_TOKENS,
            thinking=self._thinking,
            limit=LIMIT,
            answer=_schema(task, chat_log.llm_api),
        )
        images = await async_data_urls(self.hass, task.attachments or [])
        conversation = Conversation(await async_read(self.hass, chat_log), images=images)
        await Turn(self._house, chat_log, self.entity_id, conversation, manner).async_run()
        said = chat_log.content[-1]
        text = (said.content if isinstance(said, AssistantContent) else None) or ""
        if task.structure is None:
            return ai_task.GenDataTaskResult(chat_log.conversation_id, text)
        data = json_object(text)
        if data is None or violation(manner.answer or {}, data) is not None:
            raise error("answer_not_understood")
        return ai_task.GenDataTaskResult(chat_log.conversation_id, data)

    @override
    async def _async_generate_image(
        self, task: ai_task.GenImageTask, chat_log: ChatLog
    ) -> ai_task.GenImageTaskResult:
        """Return an image, drawn by the first rig that does not fail."""
        if task.attachments:
            raise error("drawing_from_images")
        if not (found := artists(self._house, self._rig_id)):
            raise error("no_rig_draws")
        drawing = await async_draw(self.hass, found, task.instructions)
        return ai_task.GenImageTaskResult(
            image_data=drawing.data,
            conversation_id=chat_log.conversation_id,
            mime_type=drawing.mime_type,
            model=drawing.model,
            revised_prompt=drawing.revised,
        )

    @override
    async def _async_evaluate(self, task: ai_task.EvaluationTask) -> ai_task.EvaluationTaskResult:
        """Return the answers to questions, and how sure the model is."""
        shown = await self._async_shown(task)
        answers: dict[str, ai_task.EvaluationAnswer] = {}
        for name, question in task.questions.items():
            if len(evaluate.options(question)) > evaluate.MAX_OPTIONS:
                raise error("too_many_answers", question=name, most=str(evaluate.MAX_OPTIONS))
            orders = [await self._async_judge(shown, asked) for asked in evaluate.asked(question)]
            answers[name] = evaluate.answer(question, orders)
        return ai_task.EvaluationTaskResult(answers)

    async def _async_shown(self, task: ai_task.EvaluationTask) -> list[Json]:
        """Return what is judged, as the parts of a message."""
        images = await async_data_urls(self.hass, task.attachments or [])
        parts: list[Json] = [
            {"type": "image_url", "image_url": {"url": url}} for url in images.values()
        ]
        if task.state is not None:
            state = task.state if isinstance(task.state, str) else json_dumps(task.state)
            parts.append({"type": "text", "text": state})
        return parts

    async def _async_judge(self, shown: list[Json], asked: evaluate.Asked) -> list[float]:
        """Return how likely each answer to one question is. Raises HomeAssistantError."""
        sees = any(part["type"] == "image_url" for part in shown)
        words = "\n\n".join([*(part["text"] for part in shown if "text" in part), asked.words])
        content = [*shown, {"type": "text", "text": asked.words}] if sees else words
        request = {
            "messages": [
                {"role": "system", "content": evaluate.INSTRUCTIONS},
                {"role": "user", "content": content},
            ],
            **evaluate.FIELDS,
            **Thinking.OFF.fields,
        }
        chunks = stream_chat(self._house, request, priority="task", rig_id=self._rig_id, sees=sees)
        async with aclosing(chunks):
            found = evaluate.probabilities([chunk async for chunk in chunks], asked.letters)
        if found is None:
            raise error("no_probabilities")
        return found


def _schema(task: ai_task.GenDataTask, api: llm.APIInstance | None) -> Json | None:
    """Return the schema of the data that a task asks for."""
    if task.structure is None:
        return None
    serializer = api.custom_serializer if api else llm.selector_serializer
    schema: Json = probatio.to_openapi(
        task.structure, custom_serializer=serializer, openapi_version="3.1.0"
    )
    return schema
