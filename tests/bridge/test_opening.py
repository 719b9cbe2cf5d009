"""The beginning of a stream is held back until something is said, however it is cut up."""

from hypothesis import given, strategies as st

from hashcenter_bridge.opening import Opening

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}\n\n'
PROGRESS = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],'
    b'"prompt_progress":{"total":215,"cache":24,"processed":152,"time_ms":1017}}\n\n'
)
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
MORE = b'data: {"choices":[{"index":0,"delta":{"content":" you"}}]}\n\ndata: [DONE]\n\n'


def test_nothing_goes_on_before_something_is_said() -> None:
    opening = Opening()
    steps = [(opening.feed(piece), opening.said) for piece in (PROGRESS + ROLE, WORD)]
    assert steps == [(b"", False), (ROLE + WORD, True)]
    assert opening.feed(MORE) == MORE
    assert opening.end() == b""


def test_progress_is_noted_and_told_only_to_who_asked() -> None:
    silent, told = Opening(), Opening(keep_progress=True)
    assert silent.feed(PROGRESS) == b""
    assert told.feed(PROGRESS) == PROGRESS
    for opening in (silent, told):
        assert (opening.cached, opening.total) == (24, 215)
        assert not opening.said


def test_a_ping_lets_go_of_what_is_held_but_says_nothing() -> None:
    opening = Opening()
    assert opening.feed(ROLE) == b""
    assert opening.feed(b": ping\n\n") == ROLE + b": ping\n\n"
    assert not opening.said
    assert opening.feed(PROGRESS) == b""
    assert opening.feed(WORD) == WORD


def test_an_answer_that_says_nothing_goes_on_at_its_end() -> None:
    opening = Opening()
    assert opening.feed(ROLE + b"data: [DONE]") == b""
    assert opening.end() == ROLE + b"data: [DONE]"


def test_a_first_event_without_end_is_not_held_for_ever() -> None:
    opening = Opening()
    endless = b"data: " + b"x" * (1 << 20)
    assert opening.feed(endless) == b""
    assert opening.end() == endless
    assert Opening().feed(ROLE + endless) == ROLE


def test_progress_that_cannot_be_read_is_only_left_out() -> None:
    opening = Opening()
    for broken in (b'"prompt_progress"', b'data: {"prompt_progress":3}', b"data: [1]"):
        opening.feed(broken + b"\n\n")
    assert opening.cached is None


@given(st.data())
def test_cuts_change_nothing(data: st.DataObject) -> None:
    whole = PROGRESS + ROLE + PROGRESS + WORD + MORE
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    opening, out = Opening(), b""
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        out += opening.feed(whole[begin:end])
    assert out + opening.end() == ROLE + WORD + MORE
