"""A house that can be talked to: rigs that say over MQTT where they answer, a lamp, an agent.

Everything between a sentence and its answer is real but the models: Home Assistant's chat log,
tools and intents, the agent, HTTP to scripted upstreams.
"""

from dataclasses import dataclass
from typing import Any

from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_LLM_HASS_API
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.helpers import chat_session, entity_registry as er, intent
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
    async_mock_service,
)

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import encode
from custom_components.hashcenter.wire.messages import (
    Endpoint,
    InferenceState,
    Inventory,
    Model,
    RigState,
    Runner,
)

KEY = "the-key"
TURN_ON = "intent__HassTurnOn"
LAMP = {"name": "Lamp"}


@dataclass
class Voice:
    """A house that is set up."""

    hass: HomeAssistant
    entry: MockConfigEntry
    agent: str
    turned_on: list[ServiceCall]


@dataclass
class Said:
    """What became of one sentence: the answer's sentence, what was streamed to be spoken."""

    speech: str
    error: bool
    conversation_id: str
    streamed: str
    thought: str
    continues: bool


def rig_subentry(rig: str, url: str, key: str | None = KEY) -> ConfigSubentryData:
    """Return an accepted rig."""
    data = {"rig": rig, "key": key, "host": url}
    return ConfigSubentryData(subentry_type="rig", title=rig.title(), unique_id=rig, data=data)


def agent_subentry(**data: Any) -> ConfigSubentryData:
    """Return an agent, by default one that controls what is exposed to Assist."""
    return ConfigSubentryData(
        subentry_type="conversation",
        title="Hashcenter",
        unique_id=None,
        data={CONF_LLM_HASS_API: ["assist"], **data},
    )


def task_subentry(**data: Any) -> ConfigSubentryData:
    """Return an entity for AI Tasks."""
    return ConfigSubentryData(
        subentry_type="ai_task_data", title="Hashcenter AI Task", unique_id=None, data=data
    )


async def set_up(
    hass: HomeAssistant, *subentries: ConfigSubentryData, agents: int = 1, lamp: bool = True
) -> Voice:
    """Set up a house with these subentries, and a lamp that Assist may control."""
    for component in ("homeassistant", "conversation", "intent", "light"):
        assert await async_setup_component(hass, component, {})
    registry = er.async_get(hass)
    turned_on = _add_lamp(hass) if lamp else []
    entry = MockConfigEntry(
        domain=DOMAIN, unique_id=DOMAIN, title="Hashcenter", subentries_data=list(subentries)
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    found = [one.entity_id for one in er.async_entries_for_config_entry(registry, entry.entry_id)]
    [*names] = [entity for entity in found if entity.startswith("conversation.")]
    assert len(names) == agents
    return Voice(hass, entry, names[0] if names else "", turned_on)


def _add_lamp(hass: HomeAssistant) -> list[ServiceCall]:
    """Expose a lamp; return where its being turned on is noted."""
    registry = er.async_get(hass)
    lamp = registry.async_get_or_create("light", "test", "lamp", original_name="Lamp")
    hass.states.async_set(lamp.entity_id, "off", {"friendly_name": "Lamp"})
    async_expose_entity(hass, "conversation", lamp.entity_id, should_expose=True)
    return async_mock_service(hass, "light", "turn_on")


async def rig_says(
    hass: HomeAssistant,
    rig: str,
    url: str,
    *,
    tick: float = 1.0,
    stopped: bool = False,
    inference: InferenceState | None = None,
    models: tuple[Model, ...] = (),
) -> None:
    """Have a rig's inventory and heartbeat heard."""
    inventory = Inventory(
        boot_id="boot",
        protocol=1,
        min_protocol=1,
        version="0.1.0",
        name=rig,
        endpoint=Endpoint(url=url),
        runners=(Runner(name="runner", plugin="llama_server", models=models),) if models else (),
    )
    state = RigState(
        boot_id="boot",
        tick=tick,
        activity="idle",
        stopped=stopped,
        inference=inference or InferenceState(available=True, model="scripted", first_token_s=0.5),
    )
    async_fire_mqtt_message(hass, topics.INVENTORY.of(rig), encode(inventory))
    async_fire_mqtt_message(hass, topics.STATE.of(rig), encode(state))
    await hass.async_block_till_done()


async def say(
    voice: Voice,
    text: str,
    *,
    conversation_id: str | None = None,
    device_id: str | None = None,
    satellite_id: str | None = None,
    language: str = "en",
) -> Said:
    """Say a sentence as an Assist pipeline does, and listen to what streams back."""
    streamed: list[str] = []
    thought: list[str] = []

    def listen(_log: conversation.ChatLog, delta: dict[str, Any]) -> None:
        if delta.get("role") in (None, "assistant"):
            streamed.append(delta.get("content") or "")
            thought.append(delta.get("thinking_content") or "")

    with (
        chat_session.async_get_chat_session(
            voice.hass, conversation_id, context=Context()
        ) as session,
        conversation.async_get_chat_log(voice.hass, session, chat_log_delta_listener=listen),
    ):
        result = await conversation.async_converse(
            voice.hass,
            text,
            session.conversation_id,
            Context(),
            language=language,
            agent_id=voice.agent,
            device_id=device_id,
            satellite_id=satellite_id,
        )
    await voice.hass.async_block_till_done()
    return Said(
        speech=result.response.speech["plain"]["speech"],
        error=result.response.response_type is intent.IntentResponseType.ERROR,
        conversation_id=session.conversation_id,
        streamed="".join(streamed),
        thought="".join(thought),
        continues=result.continue_conversation,
    )
