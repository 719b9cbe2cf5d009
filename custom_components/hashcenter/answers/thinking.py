"""Thoughts: how much a model may think, and which of its words are for the ear.

Text as it streams in -> pieces, each with its channel.
Models think aloud between tags, and some write a tool call as text when the server has no parser
for their template. Neither may be spoken. A tag may arrive in any number of parts: the end of the
text is held back for as long as it could become one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class TooLong(Exception):
    """A model thought for longer than anybody would wait."""


class Thinking(StrEnum):
    """How much a model may think before it speaks, where it can."""

    OFF = "off"
    SHORT = "short"
    FREE = "free"

    @property
    def fields(self) -> dict[str, Any]:
        """What a request says about it.

        Builds of llama.cpp differ in the name of the budget; servers ignore what they do not know.
        """
        match self:
            case Thinking.OFF:
                return {"chat_template_kwargs": {"enable_thinking": False}, **_budget(0)}
            case Thinking.SHORT:
                return _budget(SHORT_TOKENS)
            case Thinking.FREE:
                return {}


#: The budget of a short thought, in tokens.
SHORT_TOKENS: Final = 256


def _budget(tokens: int) -> dict[str, Any]:
    return {"thinking_budget_tokens": tokens, "reasoning_budget_tokens": tokens}


@dataclass(frozen=True)
class Limit:
    """For how long thoughts may keep somebody waiting, in seconds.

    `cut_s` ends a thought, and the model is asked not to think. One that thinks all the same has
    `off_s`.
    """

    cut_s: float = 4.0
    off_s: float = 20.0

    def of(self, thinking: Thinking) -> float:
        """Return the limit for a question that allows so much thinking."""
        return self.off_s if thinking is Thinking.OFF else self.cut_s


class Channel(StrEnum):
    """Where a piece of text belongs."""

    SPOKEN = "spoken"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"


@dataclass(frozen=True)
class Piece:
    """Some text of one channel; a tool call comes in one piece."""

    channel: Channel
    text: str


_THOUGHT_BEGINS = ("<think>", "<thinking>", "[THINK]")
_THOUGHT_ENDS = ("</think>", "</thinking>", "[/THINK]")
_CALL_BEGINS = "<tool_call>"
_CALL_ENDS = "</tool_call>"
# End-of-turn marks that leak where template and weights do not belong together.
_MARKS = ("<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "</s>")
_TAGS = (*_THOUGHT_BEGINS, *_THOUGHT_ENDS, _CALL_BEGINS, _CALL_ENDS, *_MARKS)


class Splitter:
    """Routes text to channels; the tags themselves and stray marks vanish.

    A tool call inside a thought that came to its end was only considered. In a thought that never
    ends it was meant: some models forget the closing tag once they have decided.
    """

    def __init__(self) -> None:
        self._held = ""
        self._spoke = False
        self._thinking = False
        self._call: str | None = None
        self._considered: list[str] = []

    def feed(self, text: str) -> list[Piece]:
        """Return the pieces that are certain after `text`."""
        self._held += text
        pieces: list[Piece] = []
        while (found := _first_tag(self._held)) is not None:
            at, tag = found
            self._add(pieces, self._held[:at])
            self._held = self._held[at + len(tag) :]
            self._pass(pieces, tag)
        certain = len(self._held) - _possible_tag_length(self._held)
        self._add(pieces, self._held[:certain])
        self._held = self._held[certain:]
        return pieces

    def end(self) -> list[Piece]:
        """Return what was held back: the text is over."""
        pieces: list[Piece] = []
        self._add(pieces, self._held)
        self._held = ""
        self._end_call(pieces)
        pieces.extend(Piece(Channel.TOOL_CALL, call) for call in self._considered)
        self._considered.clear()
        return pieces

    def _pass(self, pieces: list[Piece], tag: str) -> None:
        if tag in _THOUGHT_BEGINS:
            self._thinking = True
        elif tag in _THOUGHT_ENDS:
            self._end_call(pieces)
            self._considered.clear()
            self._thinking = False
        elif tag == _CALL_BEGINS:
            self._end_call(pieces)
            self._call = ""
        elif tag == _CALL_ENDS:
            self._end_call(pieces)

    def _end_call(self, pieces: list[Piece]) -> None:
        if self._call is None:
            return
        if self._thinking:
            self._considered.append(self._call)
        else:
            pieces.append(Piece(Channel.TOOL_CALL, self._call))
        self._call = None

    def _add(self, pieces: list[Piece], text: str) -> None:
        if self._call is not None:
            self._call += text
        elif self._thinking:
            if text:
                pieces.append(Piece(Channel.THINKING, text))
        else:
            if not self._spoke:
                text = text.lstrip()
                self._spoke = bool(text)
            if text:
                pieces.append(Piece(Channel.SPOKEN, text))


def _first_tag(text: str) -> tuple[int, str] | None:
    return min(((at, tag) for tag in _TAGS if (at := text.find(tag)) >= 0), default=None)


def _possible_tag_length(text: str) -> int:
    longest = min(len(text), max(map(len, _TAGS)) - 1)
    return next(
        (n for n in range(longest, 0, -1) if any(tag.startswith(text[-n:]) for tag in _TAGS)), 0
    )
