"""Fragments of tool calls become whole calls or refusals, never guesses."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.hashcenter.answers.tool_calls import MAX_CALLS, ToolCalls, repaired

OFFERED = ["intent__HassTurnOn", "intent__HassTurnOff", "light__turn"]


def fragment(
    arguments: Any = "", *, index: Any = 0, id_: str = "", name: str = ""
) -> dict[str, Any]:
    """Return one entry of a delta's `tool_calls`."""
    return {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}


def finished(*fragments: Any) -> list[tuple[str, dict[str, Any] | None]]:
    """Return name and arguments of each call; None for one that was refused."""
    calls = ToolCalls()
    for one in fragments:
        calls.add([one])
    return [(call.name, None if call.refusal else call.arguments) for call in calls.finish(OFFERED)]


@given(st.dictionaries(st.text(max_size=5), st.text(min_size=1, max_size=20)), st.data())
def test_arguments_are_whole_however_they_were_cut(arguments: dict[str, str], data: Any) -> None:
    text = json.dumps(arguments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    got = finished(fragment(name="light__turn", id_="1"), *(fragment(p) for p in pieces))
    assert got == [("light__turn", repaired(arguments))]


def test_parallel_calls_are_told_apart_by_index() -> None:
    assert finished(
        fragment('{"a":', index=0, name="intent__HassTurnOn", id_="x"),
        fragment('{"b":', index=1, name="intent__HassTurnOff", id_="y"),
        fragment("2}", index=1),
        fragment("1}", index=0),
    ) == [("intent__HassTurnOn", {"a": 1}), ("intent__HassTurnOff", {"b": 2})]


def test_parallel_calls_that_all_have_index_0_are_told_apart_by_id() -> None:
    assert finished(
        fragment('{"a":1}', name="intent__HassTurnOn", id_="x"),
        fragment('{"b":2}', name="intent__HassTurnOff", id_="y"),
    ) == [("intent__HassTurnOn", {"a": 1}), ("intent__HassTurnOff", {"b": 2})]


def test_parallel_calls_without_index_are_told_apart_by_name() -> None:
    assert finished(
        fragment('{"a":', index=None, name="intent__HassTurnOn"),
        fragment("1}", index=None),
        fragment('{"b":2}', index=None, name="intent__HassTurnOff"),
    ) == [("intent__HassTurnOn", {"a": 1}), ("intent__HassTurnOff", {"b": 2})]


def test_a_call_that_is_repeated_whole_counts_once() -> None:
    whole = fragment('{"a":1}', name="light__turn", id_="x")
    assert finished(whole, whole, fragment('{"a":1}')) == [("light__turn", {"a": 1})]


def test_calls_under_one_id_get_ids_of_their_own() -> None:
    calls = ToolCalls()
    calls.add([fragment("{}", index=at, id_="x", name="light__turn") for at in range(2)])
    assert [call.id for call in calls.finish(OFFERED)] == ["x", ""]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", {}),
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("{'a': True}", {"a": True}),
        ({"a": 1}, {"a": 1}),
        ('{"a": "", "b": null, "c": "[1, 2]", "d": "{\\"e\\": 1}"}', {"c": [1, 2], "d": {"e": 1}}),
        ('{"a": 0, "b": false}', {"a": 0, "b": False}),
    ],
)
def test_common_mistakes_of_small_models_are_mended(said: Any, meant: dict[str, Any]) -> None:
    assert finished(fragment(said, name="light__turn")) == [("light__turn", meant)]


@pytest.mark.parametrize(
    "said",
    [
        '{"a": "kit',
        '{"a": 1',
        '{"a": 1}}',
        '{"a": 1}{"a": 2}',
        "[1]",
        "null",
        "name=lamp",
        '{"a":' * 5000,
        "(" * 5000,
        "{1: 2}",
        "__import__('os')",
        '{"a": "' + "x" * (1 << 17) + '"}',
    ],
)
def test_what_is_not_one_complete_object_is_refused(said: str) -> None:
    assert finished(fragment(said, name="light__turn")) == [("light__turn", None)]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("intent__HassTurnOn", "intent__HassTurnOn"),
        ("HassTurnOn", "intent__HassTurnOn"),
        ("functions.HassTurnOn", "intent__HassTurnOn"),
    ],
)
def test_a_name_without_its_prefix_is_understood(said: str, meant: str) -> None:
    assert finished(fragment("{}", name=said)) == [(meant, {})]


@pytest.mark.parametrize("said", ["HassTurn", "__", "intent__", "a" * 1000, "turn_on", ""])
def test_a_tool_that_was_not_offered_is_refused(said: str) -> None:
    [(_, arguments)] = finished(fragment("{}", name=said, id_="x"))
    assert arguments is None


def test_a_bare_name_that_two_tools_share_is_refused() -> None:
    calls = ToolCalls()
    calls.add([fragment("{}", name="turn")])
    [call] = calls.finish(["light__turn", "fan__turn"])
    assert call.refusal


def test_calls_beyond_the_limit_are_not_collected() -> None:
    many = (fragment("{}", index=at, name="light__turn") for at in range(MAX_CALLS + 10))
    assert len(finished(*many)) == MAX_CALLS


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["index", "id", "function", "name", "arguments"]), inner
            )
        ),
    )
)
def test_no_shape_of_a_delta_is_too_odd(fragments: Any) -> None:
    calls = ToolCalls()
    calls.add(fragments)
    calls.add([fragments])
    assert all(call.refusal for call in calls.finish(OFFERED))


def test_calls_written_as_text_are_calls_of_their_own() -> None:
    calls = ToolCalls()
    calls.add_text('{"name": "light__turn", "arguments": {"a": 1}}')
    calls.add_text('{"name": "light__turn", "parameters": {"a": 2}}')
    calls.add_text("rubbish")
    done = calls.finish(OFFERED)
    assert [call.arguments for call in done[:2]] == [{"a": 1}, {"a": 2}]
    assert done[2].refusal
