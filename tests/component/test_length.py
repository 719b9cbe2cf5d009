"""Questions that are too long: what is left out, what is said, what a person is told to do."""

import json
import math
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.hashcenter.answers.length import Fit, Length, fit, left_out
from tests.component.talking import (
    KEY,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import fails_because, says
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream

ISSUE = "too_many_entities_rig"


def test_as_many_turns_are_left_out_as_make_room_for_the_next_ones() -> None:
    sizes = [1000, 900, 800, 700, 600, 500, 400]
    length = Length(prompt_tokens=1000, context_tokens=900)
    assert left_out(sizes, 0, 0, length) == 5, "540 tokens may stay"
    assert left_out(sizes, 0, 1000, length) == 6, "a half of the tokens are not turns at all"
    assert left_out(sizes, 5, 0, length) == 6
    assert left_out(sizes, 6, 0, length) is None
    assert left_out([1000], 0, 0, length) is None


def test_what_fits_is_counted_by_what_an_entity_takes() -> None:
    entities = "".join(f"- names: Lamp {n:04}\n  domain: light\n" for n in range(100))
    text = f"Be kind.\n{entities}\nUse the tools.\n"
    whole = len(text) + 90
    assert fit(text, 90, whole, Length(whole, 2000)) == Fit(
        100, math.floor((2000 - 512 - (whole - len(entities))) / (len(entities) / 100))
    )
    assert fit(text, 90, whole, Length(whole, 300)) == Fit(100, 0)
    assert fit(text, 90, 90_000, Length(90_000, 20_000)) is None, "what was said is too much"
    assert fit("Be kind.", 0, 8, Length(100, 50)) is None


class Reader:
    """A rig whose model reads `context_tokens`; a token has four characters."""

    def __init__(self, context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self.read: list[list[dict[str, Any]]] = []

    def play(self, received: Received) -> Play:
        """Answer what can be read, refuse the rest."""
        tokens = len(json.dumps([received.body["messages"], received.body.get("tools")])) // 4
        if tokens > self.context_tokens:
            return fails_because(
                400,
                code="context_length_exceeded",
                prompt_tokens=tokens,
                context_tokens=self.context_tokens,
            )
        self.read.append(received.body["messages"])
        return says("Yes.")


@pytest.fixture
async def reader() -> Reader:
    """A rig with a small context."""
    return Reader(3000)


@pytest.fixture
async def upstream(reader: Reader) -> AsyncGenerator[ScriptedUpstream]:
    """Its HTTP server."""
    async with ScriptedUpstream(reader.play, key=KEY) as server:
        yield server


@pytest.fixture
async def voice(hass: HomeAssistant, socket_enabled: None, upstream: ScriptedUpstream) -> Voice:
    """A house with this rig."""
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry())
    await rig_says(hass, "rig", upstream.url)
    return voice


pytestmark = pytest.mark.usefixtures("mqtt_mock")


async def test_a_long_conversation_goes_on_without_its_oldest_turns(
    voice: Voice, reader: Reader, upstream: ScriptedUpstream
) -> None:
    conversation_id = None
    for number in range(40):
        words = f"Number {number}: {'la ' * 200}"
        said = await say(voice, words, conversation_id=conversation_id)
        assert (said.speech, said.error) == ("Yes.", False)
        conversation_id = said.conversation_id
    asked = len(upstream.received)
    assert 40 < asked < 60, "it is shortened by many turns at once, not at each question"
    for number, messages in enumerate(reader.read):
        assert [message["role"] for message in messages[:2]] == ["system", "user"]
        assert messages[0] == reader.read[0][0]
        assert messages[-1]["content"].startswith(f"Number {number}:")
    assert ir.async_get(voice.hass).async_get_issue("hashcenter", ISSUE) is None


async def test_one_sentence_that_is_too_long_is_said_to_be(
    voice: Voice, reader: Reader, upstream: ScriptedUpstream
) -> None:
    said = await say(voice, "la " * 10_000)
    assert said.error
    assert "more than the model on Rig can read" in said.speech
    assert len(upstream.received) == 1
    assert (await say(voice, "Hello?")).speech == "Yes."


async def test_a_repair_says_how_many_entities_fit_and_goes_once_they_do(
    hass: HomeAssistant, voice: Voice, reader: Reader, upstream: ScriptedUpstream
) -> None:
    names = [f"light.lamp_{number}" for number in range(500)]
    for number, name in enumerate(names):
        hass.states.async_set(name, "on", {"friendly_name": f"Lamp number {number:04}"})
        async_expose_entity(hass, "conversation", name, should_expose=True)
    said = await say(voice, "Hello?")
    assert said.error
    assert "A repair says how many" in said.speech
    issue = ir.async_get(hass).async_get_issue("hashcenter", ISSUE)
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["rig"] == "Rig"
    exposed = upstream.received[0].body["messages"][0]["content"].count("- names: ")
    assert issue.translation_placeholders["exposed"] == str(exposed)
    assert exposed > 500
    fits = int(issue.translation_placeholders["fits"])
    for name in names[fits:]:
        async_expose_entity(hass, "conversation", name, should_expose=False)
    assert (await say(voice, "Hello?")).speech == "Yes."
    assert ir.async_get(hass).async_get_issue("hashcenter", ISSUE) is None
    assert reader.context_tokens * 0.7 < len(json.dumps(reader.read[-1])) / 4 + 600, "nearly full"


async def test_a_rig_that_can_read_more_is_asked_instead(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    small, large = Reader(500), Reader(50_000)
    async with (
        ScriptedUpstream(small.play, key=KEY) as one,
        ScriptedUpstream(large.play, key=KEY) as two,
    ):
        voice = await set_up(
            hass,
            rig_subentry("one", one.url),
            rig_subentry("two", two.url),
            agent_subentry(),
        )
        await rig_says(hass, "one", one.url)
        await rig_says(hass, "two", two.url)
        assert (await say(voice, "Hello?")).speech == "Yes."
        assert (len(small.read), len(large.read)) == (0, 1)


@pytest.mark.parametrize(
    "told",
    [
        {"type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 100},
        {"code": "context_length_exceeded"},
        {"code": "context_length_exceeded", "prompt_tokens": "many", "context_tokens": None},
    ],
)
async def test_whatever_a_rig_says_of_the_length_ends_in_a_sentence(
    hass: HomeAssistant, socket_enabled: None, told: dict[str, Any]
) -> None:
    async with ScriptedUpstream(lambda _: fails_because(400, **told), key=KEY) as server:
        voice = await set_up(hass, rig_subentry("rig", server.url), agent_subentry())
        await rig_says(hass, "rig", server.url)
        said = await say(voice, "Hello?")
        assert said.error
        assert "can read" in said.speech
