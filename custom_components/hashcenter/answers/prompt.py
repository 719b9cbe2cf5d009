"""What a model reads before the words of a person, split by what changes how often.

    shared   instructions, the house, how to use it    the same bytes for every satellite
    tools    the tools of all satellites together       the same bytes for every satellite
    place    where this satellite is, what it cannot do the same for every conversation with it
    words    what was said, and when                    new each time

A rig keeps what it has read, up to the first byte that differs: so the place, which Home Assistant
writes into the instructions, goes to the first words instead, behind the tools, and the clock to
the words that it was said with. What is true of this place only is found by comparison: Home
Assistant renders the same prompt for other places, and the lines that differ are the place's.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import probatio
from homeassistant.components.conversation import ChatLog, SystemContent
from homeassistant.components.homeassistant.exposed_entities import async_should_expose
from homeassistant.components.intent import async_device_supports_timers
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    intent,
    llm,
)

type Json = dict[str, Any]

SATELLITE_DOMAIN: Final = "assist_satellite"
# How `llm.DATE_TIME_PROMPT` looks once rendered.
_CLOCK = re.compile(r"\n?Current time is \d\d:\d\d:\d\d\. Today's date is \d{4}-\d\d-\d\d\.")


@dataclass(frozen=True)
class Names:
    """What the house calls its things, by the argument that takes such a name."""

    name: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    floor: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """What comes before the words. `usable` names the tools that may be called from this place.

    `clock` says that the model has no tool to ask for the time and has to be told. `named` holds
    which arguments of a tool take a name of the house: name, area, floor.
    """

    shared: str
    place: str = ""
    clock: bool = False
    tools: tuple[Json, ...] = ()
    usable: frozenset[str] = frozenset()
    named: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def listed(self) -> frozenset[str]:
        """The names of all tools that the model reads about."""
        return frozenset(tool["function"]["name"] for tool in self.tools)


def split(text: str, variants: Iterable[str] = (), extra: str | None = None) -> Prompt:
    """Return the prompt in `text`, without tools.

    `variants` are renderings of its changing part for this place and for others; `extra` is what
    was added for this conversation alone. A line belongs to the place if not all variants have it.
    """
    clock = _CLOCK.search(text) is not None
    text = _CLOCK.sub("", text)
    own: list[str] = []
    if extra and text.endswith(extra):
        text = text.removesuffix(extra).removesuffix("\n")
        own.append(extra)
    sets = [frozenset(variant.split("\n")) for variant in variants]
    differing = frozenset().union(*sets) - sets[0].intersection(*sets) if sets else frozenset()
    lines = text.split("\n")
    place = [line for line in lines if line in differing]
    shared = "\n".join(line for line in lines if line not in differing)
    return Prompt(shared, "\n".join([*place, *own]), clock)


async def async_read(
    hass: HomeAssistant,
    chat_log: ChatLog,
    context: llm.LLMContext | None = None,
    api_ids: list[str] | None = None,
) -> Prompt:
    """Return the prompt that Home Assistant wrote into `chat_log`.

    With the `context` and the APIs that it was written for, what is true of this place only is
    told apart from what is shared with all others.
    """
    system = chat_log.content[0]
    assert isinstance(system, SystemContent)
    here = chat_log.llm_api
    if here is None:
        return split(system.content, extra=chat_log.extra_system_prompt)
    instances = [here]
    if context is not None and api_ids:
        instances += await _async_elsewhere(hass, context, api_ids)
    specs: dict[str, Json] = {}
    named: dict[str, frozenset[str]] = {}
    for instance in instances:
        for tool in instance.tools:
            if tool.name not in specs:
                specs[tool.name] = _tool_spec(tool, instance)
                named[tool.name] = _named(tool)
    variants = [instance.api_prompt for instance in instances]
    return replace(
        split(system.content, variants, chat_log.extra_system_prompt),
        tools=tuple(specs[name] for name in sorted(specs)),
        usable=frozenset(tool.name for tool in here.tools),
        named=MappingProxyType(named),
    )


@callback
def async_names(hass: HomeAssistant, assistant: str) -> Names:
    """Return what can be named in a question to `assistant`: what is exposed to it, where it is."""
    registry = er.async_get(hass)
    entities = [
        name
        for state in hass.states.async_all()
        if async_should_expose(hass, assistant, state.entity_id)
        for name in intent.async_get_entity_aliases(
            hass, registry.async_get(state.entity_id), state=state
        )
    ]
    areas = [name for area in ar.async_get(hass).areas.values() for name in _all_names(area)]
    floors = [name for floor in fr.async_get(hass).floors.values() for name in _all_names(floor)]
    return Names(tuple(entities), tuple(areas), tuple(floors))


def _all_names(place: ar.AreaEntry | fr.FloorEntry) -> list[str]:
    return [place.name, *sorted(place.aliases)]


def _named(tool: llm.Tool) -> frozenset[str]:
    """Return which arguments of a tool can only be a name that the house has."""
    while isinstance(tool, llm.NamespacedTool):
        tool = tool.tool
    if isinstance(tool, llm.IntentTool) and tool.integration != "intent_script":
        # A timer has a name of its own.
        return frozenset({"area", "floor"} if "Timer" in tool.name else {"name", "area", "floor"})
    return frozenset({"name", "area"} if tool.name.endswith("__GetLiveContext") else ())


async def _async_elsewhere(
    hass: HomeAssistant, context: llm.LLMContext, api_ids: list[str]
) -> list[llm.APIInstance]:
    """Return what the same question would come with from places that stand for all others."""
    found: list[llm.APIInstance] = []
    for device_id in _places(hass):
        if device_id == context.device_id:
            continue
        elsewhere = llm.LLMContext(
            platform=context.platform,
            context=context.context,
            language=context.language,
            assistant=context.assistant,
            device_id=device_id,
            agent_id=context.agent_id,
        )
        try:
            found.append(await llm.async_get_api(hass, api_ids, elsewhere))
        except HomeAssistantError:
            continue
    return found


def _places(hass: HomeAssistant) -> list[str | None]:
    """Return no place, a satellite with an area, and one that keeps timers, where there are any."""
    registry, devices = er.async_get(hass), dr.async_get(hass)
    satellites = sorted(
        {
            entity.device_id
            for entity in registry.entities.values()
            if entity.domain == SATELLITE_DOMAIN and entity.device_id and not entity.disabled_by
        }
    )
    somewhere = (
        one
        for one in satellites
        if (device := devices.async_get(one)) and dr.async_get_effective_area_id(hass, device)
    )
    with_timers = (one for one in satellites if async_device_supports_timers(hass, one))
    return list(dict.fromkeys([None, next(somewhere, None), next(with_timers, None)]))


def _tool_spec(tool: llm.Tool, api: llm.APIInstance) -> Json:
    parameters = probatio.to_openapi(
        tool.parameters, custom_serializer=api.custom_serializer, openapi_version="3.1.0"
    )
    function: Json = {"name": tool.name, "parameters": _ordered(parameters)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _ordered(schema: Any) -> Any:
    """Return a schema whose enumerations are sorted: some are sets, and differ from run to run."""
    if isinstance(schema, list):
        return [_ordered(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: sorted(part, key=str)
        if key in ("enum", "required") and isinstance(part, list)
        else _ordered(part)
        for key, part in schema.items()
    }
