"""A model that is held to a form: what it may write, and what becomes of what it writes."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar
from hypothesis import given, strategies as st

from custom_components.hashcenter.answers.constrained import (
    MAX_NAMES,
    Reader,
    instructions,
    schema,
    violation,
    written,
)
from custom_components.hashcenter.answers.prompt import Names, Prompt
from tests.component.talking import (
    KEY,
    TURN_ON,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import says
from tests.conformance.scripted_upstream import ScriptedUpstream


def tool(name: str, /, **properties: Any) -> dict[str, Any]:
    """Return what a model reads about a tool."""
    parameters = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TURN, DIM, TIMER = "intent__Turn", "light__Dim", "intent__Timer"
PROMPT = Prompt(
    "Be kind.",
    tools=(
        tool(TURN, name={"type": "string"}, area={"type": "string"}),
        tool(DIM, name={"type": "string"}, percent={"type": "integer", "maximum": 100}),
        tool(TIMER, name={"type": "string"}),
    ),
    usable=frozenset({TURN, DIM}),
    named={TURN: frozenset({"name", "area", "floor"}), DIM: frozenset({"name"})},
)
NAMES = Names(name=("Lamp", "Fan", "Lamp"), area=("Hall",))
ALLOWED = schema(PROMPT, NAMES)


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    """Return a call as a model writes it."""
    return {"tool": name, "arguments": arguments}


def test_the_instructions_tell_about_every_tool_and_are_the_same_for_every_place() -> None:
    told = instructions(PROMPT)
    assert told.startswith("Be kind.\n")
    assert all(name in told for name in (TURN, DIM, TIMER))
    elsewhere = Prompt(PROMPT.shared, "Here.", tools=PROMPT.tools, usable=frozenset({TIMER}))
    assert instructions(elsewhere) == told
    assert "calls" not in instructions(Prompt("Be kind."))


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ({"say": "Hello."}, None),
        ({"calls": [call(TURN, name="Lamp", area="Hall"), call(DIM, name="Fan", percent=5)]}, None),
        ({"calls": [call(TURN)]}, None),
        ({"calls": [call(TURN, name="Sun")]}, 'there is no "Sun" here'),
        ({"calls": [call(DIM, percent=200)]}, "200 is not between None and 100"),
        ({"calls": [call(DIM, percent="much")]}, '"much" is not of the type integer'),
        ({"calls": [call(DIM, percent=True)]}, "true is not of the type integer"),
        ({"calls": [call(TURN, color="red")]}, 'there is no argument "color"'),
        ({"calls": [call(TIMER)]}, f'there is no tool "{TIMER}" here'),
        ({"calls": [{"tool": TURN}]}, "arguments is missing"),
        ({"calls": "all"}, '"all" is not of the type array'),
        ({"say": 5}, "5 is not of the type string"),
    ],
)
def test_what_breaks_the_form_is_named(value: Any, wrong: str | None) -> None:
    assert violation(ALLOWED, value) == wrong


def test_more_names_than_a_grammar_takes_are_left_free() -> None:
    many = Names(name=tuple(f"Lamp {number}" for number in range(MAX_NAMES + 1)), area=("Hall",))
    allowed = schema(PROMPT, many)
    assert violation(allowed, {"calls": [call(TURN, name="Sun")]}) is None
    assert violation(allowed, {"calls": [call(TURN, area="Sun")]}) is not None


def test_without_tools_there_are_only_words_or_data() -> None:
    assert violation(schema(Prompt("Be kind."), NAMES), {"calls": [call(TURN)]}) is not None
    number = schema(Prompt("Count."), Names(), {"type": "integer"})
    assert violation(number, {"answer": 3}) is None
    assert violation(number, {"say": "Three."}) is not None


def test_a_conversation_becomes_one_of_texts() -> None:
    made = {"function": {"name": TURN, "arguments": '{"name":"Lamp"}'}}
    assert written(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Light!"},
            {"role": "assistant", "content": "", "tool_calls": [made, made]},
            {"role": "tool", "content": "one"},
            {"role": "tool", "content": "two"},
            {"role": "assistant", "content": "Done."},
        ],
        PROMPT,
    ) == [
        {"role": "system", "content": instructions(PROMPT)},
        {"role": "user", "content": "Light!"},
        {
            "role": "assistant",
            "content": json.dumps({"calls": [call(TURN, name="Lamp"), call(TURN, name="Lamp")]}),
        },
        {"role": "user", "content": "Result: one\nResult: two"},
        {"role": "assistant", "content": '{"say": "Done."}'},
    ]


@given(st.text(max_size=30), st.booleans(), st.data())
def test_words_are_heard_as_they_come_however_they_were_cut(
    words: str, ascii_only: bool, data: Any
) -> None:
    text = json.dumps({"say": words}, ensure_ascii=ascii_only)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    reader = Reader(ALLOWED)
    heard = [reader.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    end = reader.end()
    assert end is not None
    assert "".join(heard).replace("\r", "") == words.replace("\r", "").replace("\b", "").replace(
        "\f", ""
    )
    assert end == ("", [])


def read(text: str) -> tuple[str, list[tuple[str, Any, str | None]]] | None:
    """Return the words of a text, and its calls."""
    reader = Reader(ALLOWED)
    words = reader.feed(text)
    if (end := reader.end()) is None:
        return None
    calls = [(one.name, one.arguments, one.refusal) for one in end[1]]
    return words + end[0], calls


def test_calls_that_keep_the_form_run_and_others_are_refused_with_a_reason() -> None:
    text = json.dumps({"calls": [call(TURN, name="Lamp"), call(TURN, name="Sun"), "?"]})
    words, [done, unknown, odd] = read(text) or ("", [])
    assert words == ""
    assert done == (TURN, {"name": "Lamp"}, None)
    assert unknown == (TURN, {}, 'Nothing was done: there is no "Sun" here.')
    assert odd[2]


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("Just words.", "Just words."),
        ('```json\n{"say": "Fenced."}\n```', "Fenced."),
        ('{"say": "Cut off', "Cut off"),
        ('{"say": "Too much", "more": 1}', "Too much"),
        ('{"calls": [{"tool"', None),
        ('{"shout": "Hello."}', None),
        ("[1, 2]", None),
        ("```json", None),
        ("", ""),
    ],
)
def test_a_server_that_ignores_the_form_is_heard_but_no_json_is_spoken(
    text: str, heard: str | None
) -> None:
    got = read(text)
    assert (got[0] if got else None) == heard
    assert got is None or got[1] == []


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server."""
    async with ScriptedUpstream(key=KEY) as server:
        yield server


@pytest.fixture
async def voice(hass: HomeAssistant, socket_enabled: None, upstream: ScriptedUpstream) -> Voice:
    """A house whose agent holds a small model to a form."""
    ar.async_get(hass).async_create("Hall", aliases={"Corridor"})
    agent = agent_subentry(constrain_tools=True)
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent)
    await rig_says(hass, "rig", upstream.url)
    return voice


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_small_model_turns_on_a_lamp_and_says_so(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(
        says(json.dumps({"calls": [call(TURN_ON, name="Lamp"), call(TURN_ON, name="Sun")]})),
        says('{"say": "The lamp is on.\\nThere is no sun."}'),
    )
    said = await say(voice, "Light!")
    assert (said.speech, said.error) == ("The lamp is on.\nThere is no sun.", False)
    assert said.streamed == said.speech
    assert [one.data["entity_id"] for one in voice.turned_on] == [["light.test_lamp"]]
    first, second = (received.body for received in upstream.received)
    assert "tools" not in first
    assert TURN_ON in first["messages"][0]["content"]
    allowed = first["response_format"]["json_schema"]["schema"]
    assert "Lamp" in allowed["$defs"]["name"]["enum"]
    assert allowed["$defs"]["area"]["enum"] == ["Corridor", "Hall"]
    _, done, refused = second["messages"][-1]["content"].split("Result: ")
    assert json.loads(done)["error"] is False
    assert 'there is no \\"Sun\\" here' in refused
    assert first["messages"][0] == second["messages"][0]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_small_model_that_repeats_itself_can_only_speak(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    same = says(json.dumps({"calls": [call(TURN_ON, name="Lamp")]}))
    upstream.add(same, same, same, says('{"say": "It is on."}'))
    assert (await say(voice, "Light!")).speech == "It is on."
    *_, before, last = (
        one.body["response_format"]["json_schema"]["schema"] for one in upstream.received
    )
    assert "calls" in json.dumps(before)
    assert "calls" not in json.dumps(last)
    assert len(voice.turned_on) == 3


@pytest.mark.usefixtures("mqtt_mock")
async def test_what_is_no_answer_at_all_is_not_spoken(
    voice: Voice, upstream: ScriptedUpstream
) -> None:
    upstream.add(says('{"calls": [{"tool": "x"'))
    said = await say(voice, "Light!")
    assert said.error
    assert said.speech == "The model's answer could not be understood."
    assert said.streamed == ""
