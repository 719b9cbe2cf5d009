"""Which words are for the ear, whatever the pieces they come in."""

import pytest
from hypothesis import given, strategies as st

from custom_components.hashcenter.answers.thinking import Channel, Splitter


def heard(text: str, size: int = 1000) -> dict[Channel, list[str]]:
    """Return what each channel got, with `text` cut into pieces of `size` characters."""
    splitter = Splitter()
    pieces = [
        piece for at in range(0, len(text), size) for piece in splitter.feed(text[at : at + size])
    ]
    got: dict[Channel, list[str]] = {channel: [] for channel in Channel}
    for piece in [*pieces, *splitter.end()]:
        got[piece.channel].append(piece.text)
    return got


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("text", "spoken", "thinking", "calls"),
    [
        ("Hello.", "Hello.", "", []),
        ("<think>Hm.</think>\n\nHello.", "Hello.", "Hm.", []),
        ("[THINK]Hm.[/THINK]Hello.", "Hello.", "Hm.", []),
        ("Well, <thinking>hm</thinking>hello.", "Well, hello.", "hm", []),
        ("</think>Hello.", "Hello.", "", []),
        ("<think>Hm. And so on", "", "Hm. And so on", []),
        ("<think>One.<think>Two.</think>Hello.", "Hello.", "One.Two.", []),
        ("Hello.<|im_end|>", "Hello.", "", []),
        ('<tool_call>{"name": "a"}</tool_call>', "", "", ['{"name": "a"}']),
        ("<tool_call>1</tool_call><tool_call>2", "", "", ["1", "2"]),
        ("<think>So: <tool_call>1</tool_call>", "", "So: ", ["1"]),
        ("<think><tool_call>1</tool_call> or not</think>No.", "No.", " or not", []),
        ("3 < 4 and 5 <th", "3 < 4 and 5 <th", "", []),
        ("List[int] is [T", "List[int] is [T", "", []),
        ("  \n Hello. ", "Hello. ", "", []),
    ],
)
def test_only_words_outside_thoughts_and_calls_are_spoken(
    text: str, spoken: str, thinking: str, calls: list[str], size: int
) -> None:
    got = heard(text, size)
    assert "".join(got[Channel.SPOKEN]) == spoken
    assert "".join(got[Channel.THINKING]) == thinking
    assert got[Channel.TOOL_CALL] == calls


def test_words_are_not_held_back_longer_than_they_could_become_a_tag() -> None:
    splitter = Splitter()
    assert [piece.text for piece in splitter.feed("Hello <")] == ["Hello "]
    assert [piece.text for piece in splitter.feed("b>")] == ["<b>"]


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<tool_call>", "</tool_call>", "<", "[", "a", " "])
    ),
    st.integers(1, 12),
)
def test_the_cut_into_pieces_changes_nothing(parts: list[str], size: int) -> None:
    text = "".join(parts)
    whole, cut = heard(text), heard(text, size)
    assert {c: "".join(t) for c, t in whole.items()} == {c: "".join(t) for c, t in cut.items()}


@given(st.lists(st.tuples(st.booleans(), st.text("ab <>[/", max_size=8))), st.integers(1, 9))
def test_words_and_thoughts_each_reach_their_channel(
    parts: list[tuple[bool, str]], size: int
) -> None:
    text = "".join(f"<think>{part}</think>" if thought else part for thought, part in parts)
    got = heard(text, size)
    assert "".join(got[Channel.THINKING]) == "".join(part for thought, part in parts if thought)
    words = "".join(part for thought, part in parts if not thought)
    assert "".join(got[Channel.SPOKEN]) == words.lstrip()
