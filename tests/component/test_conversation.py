"""A sentence goes in as from an Assist pipeline and is answered by the house's own rig."""

import json
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter.answers.turn import MAX_SAME_CALLS, MAX_TOOL_ITERATIONS
from custom_components.hashcenter.rigs.rig import SILENT_S
from custom_components.hashcenter.wire.messages import InferenceState
from tests.component.talking import (
    KEY,
    LAMP,
    TURN_ON,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import calls, fails, says, thinks
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server."""
    async with ScriptedUpstream(key=KEY) as server:
        yield server


@pytest.fixture
async def voice(hass: HomeAssistant, upstream: ScriptedUpstream) -> Voice:
    """A house with one rig that can answer."""
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry())
    await rig_says(hass, "rig", upstream.url)
    return voice


async def test_a_question_is_answered_word_by_word(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("It is warm inside."))
    said = await say(voice, "Is it warm?")
    assert (said.speech, said.error) == ("It is warm inside.", False)
    assert said.streamed == said.speech
    [asked] = upstream.received
    assert asked.headers["X-Hashcenter-Priority"] == "voice"
    assert asked.body["model"] == "scripted"
    system, user = asked.body["messages"]
    assert system["role"] == "system"
    assert "Lamp" in system["content"]
    assert user == {"role": "user", "content": "Is it warm?"}
    names = [tool["function"]["name"] for tool in asked.body["tools"]]
    assert TURN_ON in names
    assert names == sorted(names)


async def test_a_tool_that_the_model_calls_runs_once_and_its_result_goes_back(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(calls((TURN_ON, LAMP)), says("The lamp is on."))
    said = await say(voice, "Light, please.")
    assert (said.speech, said.error) == ("The lamp is on.", False)
    assert [call.data["entity_id"] for call in voice.turned_on] == [["light.test_lamp"]]
    _, second = upstream.received
    assistant, result = second.body["messages"][-2:]
    [called] = assistant["tool_calls"]
    assert called["function"] == {"name": TURN_ON, "arguments": '{"name":"Lamp"}'}
    assert result["role"] == "tool"
    assert result["tool_call_id"] == called["id"]
    assert json.loads(result["content"])["error"] is False


async def test_parallel_calls_all_run(voice: Voice, upstream: ScriptedUpstream) -> None:
    upstream.add(
        calls((TURN_ON, LAMP), ("llm__GetDateTime", {}), (TURN_ON, LAMP), text="Wait."),
        says("Done."),
    )
    assert (await say(voice, "Light twice, and the time?")).speech == "Done."
    assert len(voice.turned_on) == 2
    results = [m for m in upstream.received[1].body["messages"] if m["role"] == "tool"]
    assert len(results) == 3


async def test_a_tool_that_fails_is_told_to_the_model(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(calls((TURN_ON, {"name": "Fountain"})), says("There is no fountain."))
    assert (await say(voice, "Fountain!")).speech == "There is no fountain."
    result = upstream.received[1].body["messages"][-1]
    assert json.loads(result["content"])["error"] is True


async def test_a_tool_that_fails_unforeseen_ends_in_a_sentence(
    voice: Voice, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("homeassistant.helpers.llm.IntentTool.async_call", fail)
    upstream.add(calls((TURN_ON, LAMP)))
    said = await say(voice, "Light!")
    assert said.error
    assert "index" not in said.speech
    upstream.add(says("Hello."))
    again = await say(voice, "Hello?", conversation_id=said.conversation_id)
    assert again.speech == "Hello."


async def test_a_model_that_calls_tools_forever_is_stopped(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(*[calls((TURN_ON, LAMP)) for _ in range(MAX_TOOL_ITERATIONS + 1)])
    said = await say(voice, "Light!")
    assert said.error
    assert upstream.left_over == 1
    assert len(voice.turned_on) == MAX_SAME_CALLS, "what it is not to call any more is not done"


async def test_a_model_that_repeats_itself_is_asked_for_words(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    same = calls((TURN_ON, LAMP))
    upstream.add(*[same] * MAX_SAME_CALLS, says("The lamp is on."), same, says("Again."))
    said = await say(voice, "Light!")
    assert (said.speech, said.error) == ("The lamp is on.", False)
    *before, last = (one.body for one in upstream.received)
    assert last["tool_choice"] == "none"
    assert not any("tool_choice" in one for one in before)
    assert last["tools"] == before[0]["tools"], "the prompt stays as it was read"
    await say(voice, "Light again!", conversation_id=said.conversation_id)
    assert len(voice.turned_on) == MAX_SAME_CALLS + 1


async def test_thoughts_are_kept_but_never_spoken(voice: Voice, upstream: ScriptedUpstream) -> None:
    upstream.add(thinks("They want warmth.", "It is warm."), says("Yes."))
    said = await say(voice, "Is it warm?")
    assert (said.speech, said.streamed) == ("It is warm.", "It is warm.")
    assert said.thought.strip() == "They want warmth."
    await say(voice, "Really?", conversation_id=said.conversation_id)
    assert "They want" not in json.dumps(upstream.received[1].body)


async def test_a_tool_that_needs_no_words_is_answered_silently(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(calls((TURN_ON, LAMP)), says(""))
    said = await say(voice, "Light!")
    assert (said.speech, said.error) == ("", False)
    assert len(voice.turned_on) == 1


async def test_a_question_back_keeps_the_conversation_open(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("Which lamp?"))
    assert (await say(voice, "Light!")).continues


async def test_a_later_turn_begins_with_the_same_bytes(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("One."), says("Two."), says("Three."))
    first = await say(voice, "First?")
    await say(voice, "Second?", conversation_id=first.conversation_id)
    await say(voice, "In another conversation?")
    one, two, three = [received.body for received in upstream.received]
    assert one["tools"] == two["tools"] == three["tools"]
    assert two["messages"][:2] == one["messages"]
    assert three["messages"][0] == one["messages"][0]


async def test_without_control_there_are_no_tools_and_no_clock_in_the_instructions(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    agent = agent_subentry(llm_hass_api=[], prompt="You are {{ 1 + 1 }} people.")
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent)
    await rig_says(hass, "rig", upstream.url)
    state = hass.states.get(voice.agent)
    assert state
    assert state.attributes["supported_features"] == 0
    upstream.add(says("Hello."))
    await say(voice, "What time is it?")
    body = upstream.received[0].body
    assert "tools" not in body
    assert body["messages"][0] == {"role": "system", "content": "You are 2 people."}
    assert body["messages"][1]["content"].startswith("What time is it?\n\n(It is ")


async def test_a_call_without_any_tools_offered_runs_nothing(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry(llm_hass_api=[]))
    await rig_says(hass, "rig", upstream.url)
    upstream.add(calls((TURN_ON, LAMP)), says("I cannot."))
    assert (await say(voice, "Light!")).speech == "I cannot."
    assert voice.turned_on == []


async def test_the_agent_is_a_service_of_its_own(hass: HomeAssistant, voice: Voice) -> None:
    entity = er.async_get(hass).async_get(voice.agent)
    assert entity
    assert entity.device_id
    device = dr.async_get(hass).async_get(entity.device_id)
    assert isinstance(device, dr.DeviceEntry)
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    assert device.name == "Hashcenter"
    state = hass.states.get(voice.agent)
    assert state
    assert state.attributes["supported_features"] == conversation.ConversationEntityFeature.CONTROL


def state_of(voice: Voice) -> str:
    """Return the agent's state."""
    state = voice.hass.states.get(voice.agent)
    assert state
    return state.state


async def test_the_agent_is_available_while_a_rig_can_answer_or_is_about_to(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    assert state_of(voice) != STATE_UNAVAILABLE
    cannot = InferenceState(available=False, why="no model")
    await rig_says(hass, "rig", upstream.url, tick=2, inference=cannot)
    assert state_of(voice) == STATE_UNAVAILABLE
    about_to = InferenceState(available=False, first_token_s=8, why="the model is being loaded")
    await rig_says(hass, "rig", upstream.url, tick=3, inference=about_to)
    assert state_of(voice) != STATE_UNAVAILABLE
    await rig_says(hass, "rig", upstream.url, tick=4, stopped=True)
    assert state_of(voice) == STATE_UNAVAILABLE
    await rig_says(hass, "rig", upstream.url, tick=5)
    assert state_of(voice) != STATE_UNAVAILABLE


async def test_the_agent_is_unavailable_once_its_rig_is_silent(
    hass: HomeAssistant, voice: Voice
) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SILENT_S + 1))
    await hass.async_block_till_done()
    assert state_of(voice) == STATE_UNAVAILABLE


async def test_heartbeats_write_no_states_of_the_agent(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    before = hass.states.get(voice.agent)
    for tick in range(2, 12):
        await rig_says(hass, "rig", upstream.url, tick=tick)
    after = hass.states.get(voice.agent)
    assert before
    assert after
    assert before.last_reported == after.last_reported


async def test_an_unavailable_agent_says_why_and_asks_nobody(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    await rig_says(hass, "rig", upstream.url, tick=2, stopped=True)
    said = await say(voice, "Hello?")
    assert said.error
    assert "stopped" in said.speech
    assert upstream.received == []


async def test_an_unavailable_agent_says_so_within_a_tenth_of_a_second(
    hass: HomeAssistant, voice: Voice
) -> None:
    for number in range(300):
        name = f"light.lamp_{number}"
        hass.states.async_set(name, "on", {"friendly_name": f"Lamp {number}"})
        async_expose_entity(hass, "conversation", name, should_expose=True)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SILENT_S + 1))
    await hass.async_block_till_done()
    began = time.perf_counter()
    said = await say(voice, "Hello?")
    assert time.perf_counter() - began < 0.1
    assert (said.speech, said.error) == ("No rig can answer right now.", True)


async def test_the_sentence_is_in_the_speakers_language(
    voice: Voice, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def german(*_: object) -> dict[str, str]:
        return {"component.hashcenter.exceptions.rig_loading.message": "{rig} lädt noch."}

    monkeypatch.setattr("custom_components.hashcenter.conversation.async_get_translations", german)
    upstream.add(fails(503, "loading"))
    assert (await say(voice, "Hallo?", language="de")).speech == "Rig lädt noch."


async def test_a_changed_address_gets_neither_question_nor_key(
    hass: HomeAssistant, voice: Voice
) -> None:
    async with ScriptedUpstream([says("I am somebody else.")]) as stranger:
        await rig_says(hass, "rig", stranger.url, tick=2)
        assert state_of(voice) == STATE_UNAVAILABLE
        assert (await say(voice, "Hello?")).error
        assert stranger.received == []


async def test_another_rig_answers_when_the_first_is_busy(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    async with ScriptedUpstream([fails(503, "queue_full")], key=KEY) as busy:
        voice = await set_up(
            hass,
            rig_subentry("busy", busy.url),
            rig_subentry("rig", upstream.url),
            agent_subentry(),
        )
        soon = InferenceState(available=True, model="scripted", first_token_s=0.1)
        await rig_says(hass, "busy", busy.url, inference=soon)
        await rig_says(hass, "rig", upstream.url)
        upstream.add(says("Hello."))
        assert (await say(voice, "Hello?")).speech == "Hello."
        assert len(busy.received) == 1


async def test_a_fixed_rig_is_the_only_one_that_is_asked(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    async with ScriptedUpstream([says("Me.")], key=KEY) as other:
        voice = await set_up(
            hass,
            rig_subentry("other", other.url),
            rig_subentry("rig", upstream.url),
            agent_subentry(rig="rig"),
        )
        await rig_says(hass, "other", other.url)
        assert state_of(voice) == STATE_UNAVAILABLE
        await rig_says(hass, "rig", upstream.url)
        upstream.add(says("You."))
        assert (await say(voice, "Who?")).speech == "You."
        assert other.received == []


async def test_the_model_answers_by_what_its_tools_said(
    hass: HomeAssistant,
) -> None:
    def play(received: Received) -> Play:
        last: dict[str, Any] = received.body["messages"][-1]
        if last["role"] == "user":
            return calls(("homeassistant__GetLiveContext", {}))
        return says(f"It is {'off' if 'off' in last['content'] else 'on'}.")

    async with ScriptedUpstream(play, key=KEY) as server:
        voice = await set_up(hass, rig_subentry("rig", server.url), agent_subentry())
        await rig_says(hass, "rig", server.url)
        assert (await say(voice, "Is the lamp on?")).speech == "It is off."
