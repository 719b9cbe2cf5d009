"""Tool calls of a streamed answer: fragments by index -> calls that may be executed, or refusals.

A call is executed only if it is whole: its tool was offered and its arguments are one complete JSON
object after the mistakes that small models commonly make were mended. Anything else comes back as
a refusal that the model reads, so that it can correct itself; it never runs. Nothing is closed or
completed by guessing: a cut-off argument could name the wrong room.
"""

import ast
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

MAX_CALLS = 32
MAX_ARGUMENT_CHARS = 1 << 16


@dataclass
class _Fragments:
    index: int | None
    id: str
    name: str
    arguments: str = ""


@dataclass(frozen=True)
class Call:
    """A call as the model made it; `refusal` says why it must not run."""

    id: str
    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None


class ToolCalls:
    """Collects the fragments of one message's calls, in the order in which the calls began."""

    def __init__(self) -> None:
        self._calls: list[_Fragments] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, fragments: object) -> None:
        """Take the `tool_calls` of one delta; what is not shaped like one is passed over."""
        for fragment in fragments if isinstance(fragments, list) else []:
            if isinstance(fragment, dict):
                self._add(fragment)

    def add_text(self, text: str) -> None:
        """Take a whole call that the model wrote as text: `{"name": ..., "arguments": {...}}`."""
        called = json_object(text) or {}
        arguments = called.get("arguments", called.get("parameters", {}))
        self._add({"function": {"name": called.get("name"), "arguments": arguments}}, whole=True)

    def finish(self, usable: Collection[str], listed: Collection[str] = ()) -> list[Call]:
        """Return all calls. `usable` names the tools that may run.

        `listed` names those that the model read about, where they are more: what it reads is the
        same everywhere, what may be done is not.
        """
        calls: list[Call] = []
        for fragments in self._calls:
            taken = {call.id for call in calls}
            unique = fragments.id if fragments.id not in taken else ""
            calls.append(_finished(fragments, unique, usable, listed or usable))
        return calls

    def _add(self, fragment: dict[str, Any], *, whole: bool = False) -> None:
        function = fragment.get("function")
        function = function if isinstance(function, dict) else {}
        index, id_, name = fragment.get("index"), fragment.get("id"), function.get("name")
        id_ = id_ if isinstance(id_, str) else ""
        name = name if isinstance(name, str) else ""
        call = None if whole else self._continued(index, id_, name)
        if call is None:
            if len(self._calls) == MAX_CALLS:
                return
            call = _Fragments(index if isinstance(index, int) else None, id_, name)
            self._calls.append(call)
        call.id, call.name = call.id or id_, call.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        # A server that repeats the whole call in its finish chunk has not called twice.
        if isinstance(arguments, str) and not (
            call.arguments == arguments and json_object(arguments) is not None
        ):
            call.arguments = (call.arguments + arguments)[: MAX_ARGUMENT_CHARS + 1]

    def _continued(self, index: object, id_: str, name: str) -> _Fragments | None:
        """Return the call that a fragment goes on with; None where it begins one.

        Some servers give all calls index 0 and tell them apart by id, some leave the index out.
        """
        for call in reversed(self._calls):
            if call.index != index:
                continue
            if not name or (id_ and id_ == call.id):
                return call
            return None if index is None or (id_ and call.id) else call
        return None


def repaired(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return `arguments` without empty values and with JSON inside strings decoded.

    Small models fill in every optional field, and quote lists and objects.
    """
    return {
        name: _decoded(value)
        for name, value in arguments.items()
        if value is not None and value != ""
    }


def _finished(
    fragments: _Fragments, id_: str, usable: Collection[str], listed: Collection[str]
) -> Call:
    name = _offered_name(fragments.name, listed)
    if name is None:
        said = fragments.name[:100] or "without a name"
        return Call(
            id_, said, refusal=f"There is no tool {said}. Use only the tools that are listed."
        )
    if name not in usable:
        return Call(id_, name, refusal=f"{name} cannot be used from this device. Nothing was done.")
    arguments = json_object(fragments.arguments) if fragments.arguments.strip() else {}
    if arguments is None:
        return Call(
            id_, name, refusal="The arguments are not one complete JSON object. Nothing was done."
        )
    return Call(id_, name, repaired(arguments))


def _offered_name(name: str, offered: Collection[str]) -> str | None:
    """Return the tool that is meant. Models trained before 2026 leave out the `domain__` prefix."""
    if name in offered:
        return name
    bare = name.strip().removeprefix("functions.")
    meant = [tool for tool in offered if bare and (tool == bare or tool.endswith(f"__{bare}"))]
    return meant[0] if len(meant) == 1 else None


def json_object(text: str) -> dict[str, Any] | None:
    """Return the object that `text` is; fenced, as Python or encoded twice will do, too."""
    text = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if len(text) > MAX_ARGUMENT_CHARS:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            if isinstance(value, str):
                value = json.loads(value)
        except ValueError, SyntaxError, TypeError, MemoryError, RecursionError:
            continue
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
    return None


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] + value[-1:] in ("[]", "{}"):
        try:
            return json.loads(value)
        except ValueError, RecursionError:
            return value
    return value
