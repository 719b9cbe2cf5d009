"""What a rig reads before the words is the same, byte for byte, wherever and whenever they fall."""

import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import probatio
import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, llm

from custom_components.hashcenter.answers.prompt import Prompt, _tool_spec, split
from tests.component.satellites import Satellite, add_satellites
from tests.component.talking import (
    KEY,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import calls, says
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream

START_TIMER = "intent__HassStartTimer"


def test_a_line_that_is_not_everywhere_is_the_places() -> None:
    here = "Be kind.\n- names: Lamp\nYou are in the kitchen.\nNo timers."
    nowhere = "- names: Lamp\nAsk for the area.\nNo timers."
    elsewhere = "- names: Lamp\nYou are in the hall."
    variants = [here.removeprefix("Be kind.\n"), nowhere, elsewhere]
    assert split(here, variants) == Prompt(
        "Be kind.\n- names: Lamp", "You are in the kitchen.\nNo timers."
    )
    assert split(f"Be kind.\n{nowhere}", variants).shared == "Be kind.\n- names: Lamp"


def test_a_line_that_occurs_often_stays_wherever_it_is() -> None:
    text = "a\n\nb\n\nhere"
    assert split(text, [text, "a\n\nb\n"]) == Prompt("a\n\nb\n", "here")


def test_without_variants_everything_is_shared() -> None:
    assert split("Be kind.\nBe brief.") == Prompt("Be kind.\nBe brief.")


def test_what_was_added_for_one_conversation_is_not_shared() -> None:
    assert split("Be kind.\nThe door is open.", extra="The door is open.") == Prompt(
        "Be kind.", "The door is open."
    )


def test_the_clock_is_found_wherever_it_stands() -> None:
    clock = "Current time is 14:03:11. Today's date is 2026-11-05."
    assert split(f"Be kind.\n{clock}\nBe brief.") == Prompt("Be kind.\nBe brief.", clock=True)


def test_enumerations_and_required_fields_come_in_one_order() -> None:
    schema = {
        probatio.Required("required"): probatio.In(["b", "c", "a"]),
        probatio.Required("enum"): str,
    }
    tool = cast("llm.Tool", SimpleNamespace(name="a__one", description="Does it."))
    tool.parameters = probatio.Schema(schema)
    api = SimpleNamespace(custom_serializer=llm.selector_serializer)
    spec = _tool_spec(tool, cast("llm.APIInstance", api))
    parameters = spec["function"]["parameters"]
    assert parameters["properties"]["required"]["enum"] == ["a", "b", "c"]
    assert parameters["required"] == ["enum", "required"]
    assert list(parameters["properties"]) == ["required", "enum"]


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server, which starts a timer if asked and says yes to everything else."""

    def play(received: Received) -> Play:
        last: dict[str, Any] = received.body["messages"][-1]
        if last["content"].endswith("Timer!"):
            return calls((START_TIMER, {"minutes": 5}))
        return says("Yes.")

    async with ScriptedUpstream(play, key=KEY) as server:
        yield server


@pytest.fixture
async def voice(hass: HomeAssistant, socket_enabled: None, upstream: ScriptedUpstream) -> Voice:
    """A house with one rig that can answer."""
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry())
    await rig_says(hass, "rig", upstream.url)
    return voice


@pytest.fixture
async def satellites(hass: HomeAssistant, voice: Voice) -> dict[str, Satellite]:
    """Four satellites in different places; two of them keep timers."""
    areas = {"alice": "Kitchen", "bob": "Attic", "carol": None, "dave": "Cellar"}
    return await add_satellites(hass, areas, timers=frozenset({"alice", "bob"}))


def before_the_words(received: Received) -> bytes:
    """Return the bytes of a request up to the first words of a person."""
    body = received.body
    system, user = body["messages"][:2]
    assert (system["role"], user["role"]) == ("system", "user")
    return json.dumps([body["tools"], system]).encode()


def words(received: Received) -> str:
    """Return the first words with what stands before them."""
    said: str = received.body["messages"][1]["content"]
    return said


pytestmark = pytest.mark.usefixtures("mqtt_mock")


async def test_every_satellite_and_every_conversation_has_the_same_bytes_before_the_words(
    voice: Voice, upstream: ScriptedUpstream, satellites: dict[str, Satellite]
) -> None:
    for satellite in [*satellites.values(), *reversed(satellites.values())]:
        await say(voice, "Light!", device_id=satellite.device_id)
    await say(voice, "Light!")
    assert len({before_the_words(received) for received in upstream.received}) == 1
    system = upstream.received[0].body["messages"][0]["content"]
    assert "- names: Lamp" in system
    for line in ("You are in area", "not able to start timers", "specify an area"):
        assert line not in system
    tools = [tool["function"]["name"] for tool in upstream.received[-1].body["tools"]]
    assert START_TIMER in tools
    assert tools == sorted(tools)


async def test_where_a_satellite_is_stands_right_before_its_first_words(
    voice: Voice, upstream: ScriptedUpstream, satellites: dict[str, Satellite]
) -> None:
    for satellite in satellites.values():
        await say(voice, "Light!", device_id=satellite.device_id)
    alice, bob, carol, dave = map(words, upstream.received)
    for said, area in ((alice, "Kitchen"), (bob, "Attic"), (dave, "Cellar")):
        assert said.startswith(f"You are in area {area} and ")
        assert said.endswith("\n\nLight!")
    assert "timers" not in alice
    assert "timers" not in bob
    assert "This device is not able to start timers.\n\nLight!" in carol
    assert "ask the user to specify an area" in carol
    assert "This device is not able to start timers.\n\nLight!" in dave


async def test_the_same_satellite_has_the_same_bytes_up_to_its_words(
    voice: Voice, upstream: ScriptedUpstream, satellites: dict[str, Satellite]
) -> None:
    device_id = satellites["bob"].device_id
    first = await say(voice, "Light!", device_id=device_id)
    await say(voice, "More!", device_id=device_id, conversation_id=first.conversation_id)
    await say(voice, "Light!", device_id=device_id)
    one, two, three = upstream.received
    assert two.body["messages"][:2] == one.body["messages"]
    assert one.raw == three.raw


async def test_a_renamed_entity_is_renamed_for_all_in_a_new_conversation_only(
    hass: HomeAssistant,
    voice: Voice,
    upstream: ScriptedUpstream,
    satellites: dict[str, Satellite],
) -> None:
    alice, bob = (satellites[name].device_id for name in ("alice", "bob"))
    first = await say(voice, "Light!", device_id=alice)
    er.async_get(hass).async_update_entity("light.test_lamp", name="Sun")
    hass.states.async_set("light.test_lamp", "off", {"friendly_name": "Sun"})
    await say(voice, "More!", device_id=alice, conversation_id=first.conversation_id)
    await say(voice, "Light!", device_id=alice)
    await say(voice, "Light!", device_id=bob)
    before, going_on, renamed, elsewhere = map(before_the_words, upstream.received)
    assert before == going_on
    assert renamed == elsewhere
    assert b"Sun" in renamed
    assert b"Lamp" not in renamed
    at = next(at for at, (a, b) in enumerate(zip(before, renamed, strict=False)) if a != b)
    assert before[at:].startswith(b"Lamp"), "only the name has changed"


async def test_a_satellite_that_keeps_no_timers_cannot_start_one(
    voice: Voice, upstream: ScriptedUpstream, satellites: dict[str, Satellite]
) -> None:
    await say(voice, "Timer!", device_id=satellites["carol"].device_id)
    await say(voice, "Timer!", device_id=satellites["alice"].device_id)
    _, refused, _, done = (
        received.body["messages"][-1]["content"] for received in upstream.received
    )
    assert json.loads(refused)["error"] is True
    assert "cannot be used from this device" in refused
    assert json.loads(done)["error"] is False
