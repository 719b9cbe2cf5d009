"""The chat log becomes OpenAI messages and back, without Home Assistant running."""

from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, timedelta, timezone
from typing import Any, cast

import pytest
from homeassistant.components.conversation import (
    AssistantContent,
    Content,
    SystemContent,
    ToolResultContent,
    UserContent,
)
from homeassistant.helpers import llm

from custom_components.hashcenter.answers.chat import (
    Delta,
    carries_token,
    deltas,
    first_choice,
    messages,
)
from custom_components.hashcenter.answers.prompt import Prompt, split

TOOLS = ["intent__HassTurnOn", "intent__HassTurnOff"]
PROMPT = Prompt(
    "Be kind.",
    tools=tuple({"function": {"name": name}} for name in [*TOOLS, "intent__HassStartTimer"]),
    usable=frozenset(TOOLS),
)


async def deltas_of(chunks: Iterable[dict[str, Any]]) -> list[Delta]:
    """Return the deltas that the chat log gets from chunks."""

    async def arriving() -> AsyncGenerator[dict[str, Any]]:
        for chunk in chunks:
            yield chunk

    return [delta async for delta in deltas(arriving(), PROMPT)]


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """Return a chunk as servers send it."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(arguments: str, *, index: int = 0, name: str = "", id_: str = "") -> dict[str, Any]:
    """Return one fragment of a tool call."""
    return {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}


def test_a_conversation_is_rendered_role_by_role() -> None:
    asked = llm.ToolInput("intent__HassTurnOn", {"name": "Lamp"}, id="call_1")
    log: list[Content] = [
        SystemContent("You are a voice assistant."),
        UserContent("Light, please."),
        AssistantContent("agent", thinking_content="Hm.", tool_calls=[asked]),
        ToolResultContent("agent", "call_1", asked.tool_name, llm.ToolResult({"done": True})),
        AssistantContent("agent", content="Here you are."),
    ]
    assert messages(log, Prompt("You are a voice assistant."), UTC) == [
        {"role": "system", "content": "You are a voice assistant."},
        {"role": "user", "content": "Light, please."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "type": "function",
                    "id": "call_1",
                    "function": {"name": "intent__HassTurnOn", "arguments": '{"name":"Lamp"}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": '{"data":{"done":true},"error":false}',
        },
        {"role": "assistant", "content": "Here you are."},
    ]


def test_thoughts_are_not_sent_back() -> None:
    log = [AssistantContent("agent", thinking_content="Hm.")]
    assert messages(log, PROMPT, UTC) == []


def test_the_clock_moves_from_the_instructions_to_the_words_it_belongs_to() -> None:
    clock = "Current time is 14:03:11. Today's date is 2026-11-05."
    first, second = UserContent("What time is it?"), UserContent("And now?")
    object.__setattr__(second, "created", first.created + timedelta(minutes=2))
    zone = timezone(timedelta(hours=2))
    text = f"Be brief.\n{clock}\nBe kind."
    log: list[Content] = [SystemContent(text), first, second]
    system, *users = messages(log, split(text), zone)
    assert system["content"] == "Be brief.\nBe kind."
    for said, user in zip((first, second), users, strict=True):
        at = said.created.astimezone(zone)
        assert user["content"] == f"{said.content}\n\n(It is {at:%H:%M} on {at:%Y-%m-%d}.)"


def test_where_it_was_said_is_told_with_the_first_words_only() -> None:
    prompt = Prompt("Be kind.", place="You are in the kitchen.")
    log: list[Content] = [
        SystemContent("Be kind.\nYou are in the kitchen."),
        UserContent("Light!"),
        AssistantContent("agent", content="Here."),
        UserContent("More!"),
    ]
    system, first, _, second = messages(log, prompt, UTC)
    assert system["content"] == "Be kind."
    assert first["content"] == "You are in the kitchen.\n\nLight!"
    assert second["content"] == "More!"
    assert messages(log, prompt, UTC, skip=1) == [
        system,
        {"role": "user", "content": "You are in the kitchen.\n\nMore!"},
    ]


async def test_a_tool_of_other_places_does_not_run_and_the_model_is_told() -> None:
    start = call('{"minutes": 5}', name="intent__HassStartTimer", id_="call_1")
    got = await deltas_of([chunk(tool_calls=[start], finish="tool_calls")])
    [_, calls, result] = got
    assert cast("Any", calls)["tool_calls"][0].external
    assert "cannot be used from this device" in cast("Any", result)["result"].data["error_text"]


async def test_words_reach_the_chat_log_as_they_come() -> None:
    assert await deltas_of(
        [
            chunk(role="assistant", content=None),
            chunk(content="Hel"),
            chunk(content="lo", finish="stop"),
        ]
    ) == [{"role": "assistant"}, {"content": "Hel"}, {"content": "lo"}]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
async def test_thoughts_in_a_field_of_their_own_are_thoughts(field: str) -> None:
    got = await deltas_of([chunk(**{field: "Hm."}), chunk(content="Hello.", finish="stop")])
    assert got[1:] == [{"thinking_content": "Hm."}, {"content": "Hello."}]


async def test_a_thought_that_is_sent_under_two_names_counts_once() -> None:
    got = await deltas_of([chunk(reasoning="Hm.", reasoning_content="Hm.", finish="stop")])
    assert got[1:] == [{"thinking_content": "Hm."}]


async def test_calls_are_handed_over_once_and_only_when_the_answer_is_complete() -> None:
    parts = [
        chunk(tool_calls=[call('{"name":', name="intent__HassTurnOn", id_="x")]),
        chunk(tool_calls=[call('"Lamp"}')]),
        chunk(tool_calls=[call("{}", index=1, name="intent__HassTurnOff", id_="y")]),
    ]
    finish = chunk(finish="tool_calls")
    *_, handed = await deltas_of([*parts, finish, finish, *parts])
    assert handed == {
        "tool_calls": [
            llm.ToolInput("intent__HassTurnOn", {"name": "Lamp"}, id="x"),
            llm.ToolInput("intent__HassTurnOff", {}, id="y"),
        ]
    }


async def test_an_answer_that_breaks_off_calls_nothing() -> None:
    async def breaks() -> AsyncGenerator[dict[str, Any]]:
        yield chunk(tool_calls=[call("{}", name="intent__HassTurnOn", id_="x")])
        raise ConnectionError

    stream = deltas(breaks(), PROMPT)
    assert await anext(stream) == {"role": "assistant"}
    with pytest.raises(ConnectionError):
        await anext(stream)


async def test_a_call_that_must_not_run_is_answered_to_the_model() -> None:
    parts = [
        chunk(tool_calls=[call("{}", name="intent__HassTurnOn", id_="x")]),
        chunk(tool_calls=[call('{"a', index=1, name="intent__HassTurnOff", id_="y")]),
        chunk(finish="tool_calls"),
    ]
    calls, answer = (await deltas_of(parts))[1:]
    assert [(one.id, one.external) for one in cast("Any", calls)["tool_calls"]] == [
        ("x", False),
        ("y", True),
    ]
    assert cast("Any", answer)["role"] == "tool_result"
    assert cast("Any", answer)["tool_call_id"] == "y"
    assert cast("Any", answer)["result"].error


async def test_calls_without_an_id_get_one_each() -> None:
    parts = [call("{}", index=at, name="intent__HassTurnOn") for at in range(2)]
    [_, handed] = await deltas_of([chunk(tool_calls=parts, finish="tool_calls")])
    ids = {one.id for one in cast("Any", handed)["tool_calls"]}
    assert len(ids) == 2
    assert "" not in ids


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": ["x"]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": 3, "tool_calls": "x", "reasoning": ["x"]}}]},
    ],
)
async def test_chunks_of_odd_shape_are_passed_over(odd: dict[str, Any]) -> None:
    assert await deltas_of([odd, chunk(content="Hello.", finish="stop")]) == [
        {"role": "assistant"},
        {"content": "Hello."},
    ]


def test_only_words_thoughts_and_calls_count_as_a_token() -> None:
    assert not carries_token(chunk(role="assistant", content=""))
    assert not carries_token({"choices": [], "usage": {}})
    assert carries_token(chunk(content="a"))
    assert carries_token(chunk(reasoning_content="a"))
    assert carries_token(chunk(tool_calls=[call("")]))
    assert first_choice({"choices": []}) == {}
