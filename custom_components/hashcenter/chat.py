"""Home Assistant's chat log <-> OpenAI chat completions.

Out: `messages` and `tool_specs` render a conversation and its tools. The same house renders to the
same bytes, so that the rig finds the prompt in its cache: tools and enumerations are sorted, and
the clock that Home Assistant writes behind its instructions moves to the user's words.
In: `deltas` turns the chunks of a streamed answer into what the chat log takes. Thoughts go to
`thinking_content`, tool calls are handed over once, whole, when the answer is complete: an answer
that breaks off moves nothing.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable
from datetime import tzinfo
from typing import Any

import probatio
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
from homeassistant.helpers.llm import APIInstance, Tool, ToolInput, ToolResult

from .thinking import Channel, Piece, Splitter
from .tool_calls import Call, ToolCalls

type Delta = AssistantContentDeltaDict | ToolResultContentDeltaDict
type Json = dict[str, Any]

# How `llm.DATE_TIME_PROMPT` looks once rendered.
_CLOCK = re.compile(r"\n?Current time is \d\d:\d\d:\d\d\. Today's date is \d{4}-\d\d-\d\d\.")
_THINKING_FIELDS = ("reasoning_content", "reasoning", "thinking")


def messages(contents: Iterable[Content], zone: tzinfo) -> list[Json]:
    """Return the OpenAI messages of a chat log; a clock in it is told in local time, `zone`."""
    rendered: list[Json] = []
    clock = False
    for content in contents:
        match content:
            case SystemContent():
                clock = _CLOCK.search(content.content) is not None
                rendered.append({"role": "system", "content": _CLOCK.sub("", content.content)})
            case UserContent():
                rendered.append(
                    {"role": "user", "content": _user_words(content, zone, clock=clock)}
                )
            case AssistantContent():
                rendered.extend(_assistant(content))
            case ToolResultContent():
                rendered.append(_tool_result(content))
    return rendered


def tool_specs(api: APIInstance | None) -> list[Json]:
    """Return the tools that a model may call, sorted by name."""
    if api is None:
        return []
    return [_tool_spec(tool, api) for tool in sorted(api.tools, key=lambda tool: tool.name)]


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


async def deltas(chunks: AsyncIterable[Json], offered: Collection[str]) -> AsyncGenerator[Delta]:
    """Yield the chat log's deltas of one streamed message; `offered` names its tools.

    What follows the first finish reason is not part of the message. `chunks` must raise if the
    answer is incomplete.
    """
    answer = _Answer(offered)
    yield {"role": "assistant"}
    async for chunk in chunks:
        for delta in answer.take(chunk):
            yield delta
    for delta in answer.end():
        yield delta


class _Answer:
    """One message as it arrives."""

    def __init__(self, offered: Collection[str]) -> None:
        self._offered = offered
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
        return [*found, *_called(self._calls.finish(self._offered))]

    def _route(self, pieces: Iterable[Piece]) -> list[Delta]:
        found: list[Delta] = []
        for piece in pieces:
            match piece.channel:
                case Channel.SPOKEN:
                    found.append({"content": piece.text})
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


def _tool_spec(tool: Tool, api: APIInstance) -> Json:
    parameters = probatio.to_openapi(
        tool.parameters, custom_serializer=api.custom_serializer, openapi_version="3.1.0"
    )
    function: Json = {"name": tool.name, "parameters": _ordered(parameters)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _ordered(schema: Any) -> Any:
    """Return a schema whose enumerations are sorted: some are sets, and differ from run to run."""
    if isinstance(schema, list):
        return [_ordered(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: sorted(part, key=str)
        if key in ("enum", "required") and isinstance(part, list)
        else _ordered(part)
        for key, part in schema.items()
    }
