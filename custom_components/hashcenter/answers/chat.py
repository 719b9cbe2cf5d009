"""Home Assistant's chat log <-> OpenAI chat completions.

Out: `messages` renders a conversation behind its prompt (prompt.py), so that the same house renders
to the same bytes and the rig finds them in its cache.
In: `deltas` turns the chunks of a streamed answer into what the chat log takes. Thoughts go to
`thinking_content`, tool calls are handed over once, whole, when the answer is complete: an answer
that breaks off moves nothing.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from datetime import tzinfo
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from homeassistant.components.conversation import (
    AssistantContent,
    AssistantContentDeltaDict,
    Content,
    SystemContent,
    ToolResultContent,
    ToolResultContentDeltaDict,
    UserContent,
)
from homeassistant.helpers.json import json_dumps
from homeassistant.helpers.llm import ToolInput, ToolResult

from ..errors import error
from .prompt import Json, Prompt
from .thinking import Channel, Piece, Splitter
from .tool_calls import Call, ToolCalls

type Delta = AssistantContentDeltaDict | ToolResultContentDeltaDict

_THINKING_FIELDS = ("reasoning_content", "reasoning", "thinking")


def messages(
    contents: Iterable[Content],
    prompt: Prompt,
    zone: tzinfo,
    skip: int = 0,
    images: Mapping[Path, str] = MappingProxyType({}),
) -> list[Json]:
    """Return the OpenAI messages of a chat log without its `skip` oldest turns.

    A turn begins with a person's words. Their time is told in local time, `zone`, if the prompt
    needs it; where they were said is told with the first ones. `images` holds what is attached.
    """
    rendered: list[Json] = []
    turn = 0
    for content in contents:
        if isinstance(content, SystemContent):
            rendered.append({"role": "system", "content": prompt.shared})
            continue
        if isinstance(content, UserContent):
            turn += 1
        if turn <= skip and skip:
            continue
        match content:
            case UserContent():
                words = _user_words(content, zone, clock=prompt.clock)
                if turn == skip + 1 and prompt.place:
                    words = f"{prompt.place}\n\n{words}"
                attached = [images[one.path] for one in content.attachments or []]
                rendered.append({"role": "user", "content": _with_images(words, attached)})
            case AssistantContent():
                rendered.extend(_assistant(content))
            case ToolResultContent():
                rendered.append(_tool_result(content))
    return rendered


def first_choice(chunk: Json) -> Json:
    """Return the choice that a chunk is about; empty where it has none, as with usage figures."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else {}


def carries_token(chunk: Json) -> bool:
    """Whether a chunk carries something that the model said, thought or called."""
    delta = first_choice(chunk).get("delta")
    fields = ("content", "tool_calls", *_THINKING_FIELDS)
    return isinstance(delta, dict) and any(delta.get(name) for name in fields)


class Reader(Protocol):
    """Reads an answer in another form than words."""

    def feed(self, text: str) -> str:
        """Return the words that are certain after `text`."""

    def end(self) -> tuple[str, list[Call]] | None:
        """Return the last words and the calls, None if they are in no form at all."""


async def deltas(
    chunks: AsyncIterable[Json], prompt: Prompt, reader: Reader | None = None
) -> AsyncGenerator[Delta]:
    """Yield the chat log's deltas of one streamed message; `prompt` names its tools.

    `reader` reads what is not thought; without one it is words. Raises HomeAssistantError if it
    cannot.
    What follows the first finish reason is not part of the message. `chunks` must raise if the
    answer is incomplete.
    """
    answer = _Answer(prompt, reader)
    yield {"role": "assistant"}
    async for chunk in chunks:
        for delta in answer.take(chunk):
            yield delta
    for delta in answer.end():
        yield delta


class _Answer:
    """One message as it arrives."""

    def __init__(self, prompt: Prompt, reader: Reader | None) -> None:
        self._prompt = prompt
        self._reader = reader
        self._splitter = Splitter()
        self._calls = ToolCalls()
        self._written_calls: list[str] = []
        self._ended = False

    def take(self, chunk: Json) -> list[Delta]:
        """Return what a chunk adds."""
        if self._ended:
            return []
        choice = first_choice(chunk)
        found: list[Delta] = []
        delta = choice.get("delta")
        if isinstance(delta, dict):
            thought = next((delta[name] for name in _THINKING_FIELDS if delta.get(name)), None)
            if isinstance(thought, str):
                found.append({"thinking_content": thought})
            if isinstance(content := delta.get("content"), str):
                found.extend(self._route(self._splitter.feed(content)))
            self._calls.add(delta.get("tool_calls"))
        if choice.get("finish_reason"):
            found.extend(self.end())
        return found

    def end(self) -> list[Delta]:
        """Return what completes the message, once."""
        if self._ended:
            return []
        self._ended = True
        found = self._route(self._splitter.end())
        if not self._calls:
            # A server that found the calls may have left their text in as well.
            for text in self._written_calls:
                self._calls.add_text(text)
        calls = self._calls.finish(self._prompt.usable, self._prompt.listed)
        if self._reader is not None:
            if (read := self._reader.end()) is None:
                raise error("answer_not_understood")
            words, more = read
            found.extend([{"content": words}] if words else [])
            calls = [*calls, *more]
        return [*found, *_called(calls)]

    def _route(self, pieces: Iterable[Piece]) -> list[Delta]:
        found: list[Delta] = []
        for piece in pieces:
            match piece.channel:
                case Channel.SPOKEN:
                    words = self._reader.feed(piece.text) if self._reader else piece.text
                    found.extend([{"content": words}] if words else [])
                case Channel.THINKING:
                    found.append({"thinking_content": piece.text})
                case Channel.TOOL_CALL:
                    self._written_calls.append(piece.text)
        return found


def _called(calls: Iterable[Call]) -> list[Delta]:
    """Return the deltas that run calls, and that answer those which must not run."""
    inputs: list[ToolInput] = []
    results: list[Delta] = []
    for call in calls:
        refused = call.refusal is not None
        tool_input = ToolInput(call.name, call.arguments, external=refused)
        tool_input.id = call.id or tool_input.id
        inputs.append(tool_input)
        if refused:
            error = ToolResult({"error": "InvalidCall", "error_text": call.refusal}, error=True)
            results.append(
                {
                    "role": "tool_result",
                    "tool_call_id": tool_input.id,
                    "tool_name": call.name,
                    "result": error,
                }
            )
    return [{"tool_calls": inputs}, *results] if inputs else []


def _user_words(content: UserContent, zone: tzinfo, *, clock: bool) -> str:
    if not clock:
        return content.content
    # The time at which it was said: the same in every later turn.
    said = content.created.astimezone(zone)
    return f"{content.content}\n\n(It is {said:%H:%M} on {said:%Y-%m-%d}.)"


def _with_images(words: str, urls: list[str]) -> str | list[Json]:
    if not urls:
        return words
    shown: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*shown, {"type": "text", "text": words}]


def _assistant(content: AssistantContent) -> list[Json]:
    if not content.content and not content.tool_calls:
        return []
    message: Json = {"role": "assistant", "content": content.content or ""}
    if content.tool_calls:
        message["tool_calls"] = [
            {
                "type": "function",
                "id": call.id,
                "function": {"name": call.tool_name, "arguments": json_dumps(call.tool_args)},
            }
            for call in content.tool_calls
        ]
    return [message]


def _tool_result(content: ToolResultContent) -> Json:
    result = {"data": content.result.data, "error": content.result.error}
    return {"role": "tool", "tool_call_id": content.tool_call_id, "content": json_dumps(result)}
