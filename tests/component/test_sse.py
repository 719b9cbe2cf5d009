"""A byte stream becomes events, however the network cut it."""

import pytest
from hypothesis import given, strategies as st

from custom_components.hashcenter.answers.sse import EventLines, TooLong

STREAM = (
    b": keep-alive\n\n"
    b'data: {"a": 1}\r\n\r\n'
    b"event: message\nid: 7\n"
    b"data:caf\xc3\xa9\n\n"
    b'error: {"code": 500}\n\n'
    b"data: [DONE]\n\n"
)
EVENTS = ['{"a": 1}', "caf\u00e9", '{"error": {"code": 500}}', "[DONE]"]


@given(st.integers(1, len(STREAM)))
def test_events_are_whole_however_the_bytes_were_cut(size: int) -> None:
    lines = EventLines()
    got = [
        event for at in range(0, len(STREAM), size) for event in lines.feed(STREAM[at : at + size])
    ]
    assert got == EVENTS


def test_a_line_beyond_the_limit_is_refused_before_it_ends() -> None:
    lines = EventLines(limit_bytes=100)
    assert list(lines.feed(b"data: " + b"x" * 90)) == []
    with pytest.raises(TooLong):
        list(lines.feed(b"x" * 10))


@given(st.lists(st.binary()))
def test_any_bytes_can_be_fed(pieces: list[bytes]) -> None:
    lines = EventLines()
    assert all(isinstance(event, str) for piece in pieces for event in lines.feed(piece))
