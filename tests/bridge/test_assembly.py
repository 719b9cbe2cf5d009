import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.assembly import Assembly


def stream(*pieces: dict[str, Any]) -> bytes:
    events = [b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces]
    return b"".join([b": a ping\n\n", *events, b"data: [DONE]\n\n"])


def piece(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "x", "model": "small", "object": "chat.completion.chunk", "choices": [choice]}


async def assembled(data: bytes, *cuts: int) -> Assembly:
    assembly, begin = Assembly(), 0
    for end in [*sorted(cuts), len(data)]:
        await assembly.feed(data[begin:end])
        begin = end
    return assembly


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
TEXT = stream(
    piece(role="assistant", content=None),
    piece(content="Warm"),
    piece(content=" rööm"),
    piece("stop"),
    {
        "choices": [],
        "usage": USAGE,
        "timings": {"cache_n": 1},
    },
)


@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=8))
async def test_the_text_is_the_same_however_the_stream_is_cut(cuts: list[int]) -> None:
    answer = (await assembled(TEXT, *cuts)).answer()
    assert answer == {
        "id": "x",
        "object": "chat.completion",
        "model": "small",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Warm rööm"},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "timings": {"cache_n": 1},
    }


async def test_tool_calls_are_put_together_by_their_index() -> None:
    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "on", "arguments": ""}}
    second = {"index": 1, "id": "b", "type": "function", "function": {"name": "off"}}
    data = stream(
        piece(role="assistant", tool_calls=[first]),
        piece(tool_calls=[{"index": 0, "function": {"arguments": '{"room":'}}, second]),
        piece(tool_calls=[{"index": 1, "function": {"arguments": "{}"}}]),
        piece(tool_calls=[{"index": 0, "function": {"arguments": '"attic"}'}}]),
        piece("tool_calls"),
    )
    (choice,) = (await assembled(data)).answer()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "on", "arguments": '{"room":"attic"}'},
            },
            {"id": "b", "type": "function", "function": {"name": "off", "arguments": "{}"}},
        ],
    }


async def test_thoughts_probabilities_and_several_choices_are_kept_apart() -> None:
    likely = piece(content="yes")
    likely["choices"][0]["logprobs"] = {"content": [{"token": "yes"}]}
    data = stream(
        piece(reasoning_content="Hm"),
        piece(reasoning_content="m."),
        likely,
        piece(index=1, content="no"),
    )
    first, second = (await assembled(data)).answer()["choices"]
    assert first["message"]["reasoning_content"] == "Hmm."
    assert first["message"]["content"] == "yes"
    assert first["logprobs"] == {"content": [{"token": "yes"}]}
    assert second["message"]["content"] == "no"


async def test_an_error_in_the_stream_is_kept() -> None:
    error = {"error": {"message": "out of memory"}}
    assert (await assembled(stream(piece(content="a"), error))).error == error


async def test_a_stream_that_is_not_json_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        await assembled(b"data: {oops\n\n")
