"""A model that thinks: how much it may, and what happens when it keeps somebody waiting."""

from collections.abc import AsyncGenerator

import pytest
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.answers import thinking
from tests.component.talking import (
    KEY,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import chunk, says, stream, thinks
from tests.conformance.scripted_upstream import Drip, Play, ScriptedUpstream

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")

NO_THOUGHTS = {
    "chat_template_kwargs": {"enable_thinking": False},
    "thinking_budget_tokens": 0,
    "reasoning_budget_tokens": 0,
}


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server."""
    async with ScriptedUpstream(key=KEY) as server:
        yield server


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = thinking.Limit(cut_s=0.3, off_s=0.6)
    monkeypatch.setattr("custom_components.hashcenter.conversation.LIMIT", limit)


async def talk(hass: HomeAssistant, upstream: ScriptedUpstream, **agent: str) -> Voice:
    """Return a house with an agent."""
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry(**agent))
    await rig_says(hass, "rig", upstream.url)
    return voice


def forever(**delta: str) -> Play:
    """Return an answer that thinks and thinks."""
    return stream(chunk({"content": "<think>"}), Drip(chunk(delta).data))


async def test_a_voice_agent_asks_for_no_thoughts(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("Hello."))
    await say(await talk(hass, upstream), "Hello?")
    body = upstream.received[0].body
    assert {name: body[name] for name in NO_THOUGHTS} == NO_THOUGHTS


async def test_a_short_thought_has_a_budget_and_a_free_one_none(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    upstream.add(thinks("Hm.", "Hello."))
    said = await say(await talk(hass, upstream, thinking="short"), "Hello?")
    assert said.speech == "Hello."
    body = upstream.received[0].body
    assert body["reasoning_budget_tokens"] == thinking.SHORT_TOKENS
    assert "chat_template_kwargs" not in body
    assert thinking.Thinking.FREE.fields == {}


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
async def test_a_thought_that_keeps_somebody_waiting_is_cut(
    hass: HomeAssistant, upstream: ScriptedUpstream, field: str
) -> None:
    upstream.add(forever(**{field: "Hm, "}), says("Hello."))
    said = await say(await talk(hass, upstream, thinking="free"), "Hello?")
    assert (said.speech, said.streamed, said.error) == ("Hello.", "Hello.", False)
    first, second = upstream.received
    await first.hung_up.wait()
    assert first.body["messages"] == second.body["messages"]
    assert {name: second.body[name] for name in NO_THOUGHTS} == NO_THOUGHTS


async def test_a_model_that_cannot_but_think_is_given_up(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    upstream.add(forever(content="Hm, "), forever(content="Hm, "), says("Hello."))
    voice = await talk(hass, upstream, thinking="free")
    said = await say(voice, "Hello?")
    assert said.error
    assert said.speech == "The model thought about it for too long."
    assert (await say(voice, "Again?", conversation_id=said.conversation_id)).speech == "Hello."


async def test_who_speaks_is_not_cut(hass: HomeAssistant, upstream: ScriptedUpstream) -> None:
    words = [chunk({"content": "Hello "}), *[chunk({"reasoning_content": "Hm"})] * 3]
    upstream.add(stream(*words, chunk({"content": "there."}), chunk({}, "stop")))
    said = await say(await talk(hass, upstream), "Hello?")
    assert said.speech == "Hello there."
