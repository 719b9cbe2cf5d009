"""What any Assist agent can know of the house's rigs and do about them: tools of Home Assistant.

Agents of every make get these tools with Home Assistant's own, once something of ours is exposed to
Assist. They see what is exposed and nothing else, and set what the house favors if that is.
"""

from typing import Final, override

import probatio
from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.llm import LLMTools
from homeassistant.components.select import (
    ATTR_OPTION,
    DOMAIN as SELECT_DOMAIN,
    SERVICE_SELECT_OPTION,
)
from homeassistant.const import (
    ATTR_ENTITY_ID,
    ATTR_UNIT_OF_MEASUREMENT,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.llm import (
    LLM_API_ASSIST,
    LLMContext,
    Tool,
    ToolAnnotations,
    ToolInput,
    ToolResult,
)
from homeassistant.util.json import JsonObjectType

from .const import DOMAIN
from .select import FAVOR
from .wire.values import Favor

#: Platforms of entities that tell or control something; an agent has no use for itself.
_MINDS: Final = frozenset({"conversation", "ai_task"})
_NOTHING_KNOWN: Final = frozenset({STATE_UNAVAILABLE, STATE_UNKNOWN})


class GetStatusTool(Tool):
    """Tells what the rigs do, the heat they give and what it costs."""

    name = f"{DOMAIN}__GetStatus"
    title = "Get rigs, heat and cost"
    description = (
        "Tells what the house's rigs (computers and miners whose heat warms the home) do now: "
        "activity, watts, temperatures, answers, hash rate, heat and what it costs. "
        "Use it for questions about rigs, miners, heating by them, or their cost."
    )
    parameters = probatio.Schema(
        {
            probatio.Optional(
                "device", description="Only this rig, device, room or circuit, by its name."
            ): str
        }
    )
    annotations = ToolAnnotations(
        read_only=True, destructive=False, idempotent=True, open_world=False
    )
    integration = DOMAIN

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Return what is exposed, by device."""
        asked = str(self.parameters(tool_input.tool_args).get("device", "")).casefold()
        devices = dr.async_get(hass)
        told: dict[str, JsonObjectType] = {}
        for entity, state in _exposed(hass, llm_context.assistant):
            device = devices.async_get(entity.device_id) if entity.device_id else None
            name = (device and (device.name_by_user or device.name)) or "Hashcenter"
            if asked and asked not in name.casefold():
                continue
            what = entity.name or entity.original_name or name
            told.setdefault(name, {})[what] = _said(state)
        if not told:
            return ToolResult({"error": f"There is no {asked or 'rig'} to tell about."}, error=True)
        return ToolResult({"devices": {name: told[name] for name in sorted(told)}})


class SetFavorTool(Tool):
    """Sets which workload gets a heater's watts first."""

    name = f"{DOMAIN}__SetFavor"
    title = "Set what rigs favor"
    description = (
        "Sets what the house's rigs favor: answering questions (inference), mining (hashing), or "
        "both alike (balanced). The heat is the same."
    )
    parameters = probatio.Schema({probatio.Required("favor"): probatio.In(list(Favor))})
    annotations = ToolAnnotations(destructive=False, idempotent=True, open_world=False)
    integration = DOMAIN

    @override
    async def async_call(
        self, hass: HomeAssistant, tool_input: ToolInput, llm_context: LLMContext
    ) -> ToolResult:
        """Select it, as a person would."""
        favor = self.parameters(tool_input.tool_args)["favor"]
        # It may have been withdrawn since the conversation began.
        if (entity_id := _favor(hass, llm_context.assistant)) is None:
            return ToolResult({"error": "What the rigs favor is not exposed."}, error=True)
        await hass.services.async_call(
            SELECT_DOMAIN,
            SERVICE_SELECT_OPTION,
            {ATTR_ENTITY_ID: entity_id, ATTR_OPTION: favor},
            blocking=True,
            context=llm_context.context,
        )
        return ToolResult({"favor": favor})


@callback
def async_get_tools(hass: HomeAssistant, llm_context: LLMContext, api_id: str) -> LLMTools | None:
    """Return the tools for what is exposed, None if nothing is."""
    if api_id != LLM_API_ASSIST:
        return None
    tools: list[Tool] = []
    if _exposed(hass, llm_context.assistant):
        tools.append(GetStatusTool())
    if _favor(hass, llm_context.assistant) is not None:
        tools.append(SetFavorTool())
    return LLMTools(tools) if tools else None


def _exposed(hass: HomeAssistant, assistant: str) -> list[tuple[er.RegistryEntry, State]]:
    """Return what of ours is exposed to an assistant."""
    return [
        (entity, state)
        for entity in er.async_get(hass).entities.values()
        if entity.platform == DOMAIN
        and entity.domain not in _MINDS
        and (state := hass.states.get(entity.entity_id)) is not None
        and async_should_expose(hass, assistant, entity.entity_id)
    ]


def _favor(hass: HomeAssistant, assistant: str) -> str | None:
    """Return the exposed select of what the house favors."""
    return next(
        (
            entity.entity_id
            for entity, _ in _exposed(hass, assistant)
            if entity.domain == SELECT_DOMAIN and entity.translation_key == FAVOR.key
        ),
        None,
    )


def _said(state: State) -> str:
    if state.state in _NOTHING_KNOWN:
        return "not known"
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    return f"{state.state} {unit}" if unit else state.state
