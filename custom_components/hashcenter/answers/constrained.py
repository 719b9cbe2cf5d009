"""Tool calls that are valid by construction, for models that err when they are free. Pure.

The tools stand as text in the instructions. The answer is JSON, and the rig lets the model write
nothing but what `schema` allows: words, or calls of the tools of this place with the names that
this house has.

    {"say": "It is warm."}      {"calls": [{"tool": "...", "arguments": {...}}, ...]}

Servers have been seen to ignore a constraint without a word, so what comes is checked against the
same schema: what it does not allow is not done.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .prompt import Json, Names, Prompt
from .tool_calls import MAX_CALLS, Call, json_object

#: More names than this would make a grammar that takes a rig too long to build.
MAX_NAMES: Final = 400
_MAX_PARALLEL: Final = 8
_SAY: Final = re.compile(r'\s*\{\s*"say"\s*:\s*"')
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "", "b": "", "f": ""}
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def instructions(prompt: Prompt) -> str:
    """Return what a model is told about tools and how to answer."""
    lines = [prompt.shared]
    if prompt.tools:
        lines.append("\nYou can use these tools:")
    for tool in prompt.tools:
        function = tool["function"]
        spec = {"tool": function["name"], "description": function.get("description", "")}
        lines.append(json.dumps(spec | {"arguments": function["parameters"]}, ensure_ascii=False))
    lines.append(
        '\nAnswer with JSON: {"say": "your words"}'
        + (
            ' or, to use tools, {"calls": [{"tool": "its name", "arguments": {}}]}. '
            "You are told what came of it."
            if prompt.tools
            else "."
        )
    )
    return "\n".join(lines)


def schema(prompt: Prompt, names: Names, answer: Json | None = None) -> Json:
    """Return the schema of an answer: words, or `answer` in their place, or calls."""
    words: Json = {"say": {"type": "string"}} if answer is None else {"answer": answer}
    forms = [_object(words)]
    definitions = _definitions(names)
    calls = [_call(tool, prompt, definitions) for tool in prompt.tools if _usable(tool, prompt)]
    if calls:
        many = {"type": "array", "minItems": 1, "maxItems": _MAX_PARALLEL, "items": _any(calls)}
        forms.append(_object({"calls": many}))
    return {"$defs": definitions, **_any(forms)} if definitions and calls else _any(forms)


def written(messages: Iterable[Json], prompt: Prompt) -> list[Json]:
    """Return a conversation as one of texts: templates for small models know no tools."""
    texts: list[Json] = []
    for message in messages:
        match message["role"]:
            case "system":
                texts.append({"role": "system", "content": instructions(prompt)})
            case "assistant":
                texts.append({"role": "assistant", "content": _said(message)})
            case "tool":
                result = f"Result: {message['content']}"
                if texts[-1].get("results"):
                    texts[-1]["content"] += f"\n{result}"
                else:
                    texts.append({"role": "user", "content": result, "results": True})
            case _:
                texts.append(dict(message))
    for text in texts:
        text.pop("results", None)
    return texts


class Reader:
    """Reads an answer as it comes: its words at once, its calls when they are whole."""

    def __init__(self, allowed: Json) -> None:
        self._allowed = allowed
        self._text = ""
        self._at: int | None = None

    def feed(self, text: str) -> str:
        """Return the words that are certain after `text`."""
        self._text += text
        if self._at is None:
            if (begins := _SAY.match(self._text)) is None:
                return ""
            self._at = begins.end()
        words, self._at = _unquoted(self._text, self._at)
        return words

    def end(self) -> tuple[str, list[Call]] | None:
        """Return the words that were not returned yet, and the calls; None if it is neither.

        A model that was not constrained and just speaks is heard.
        """
        text = self._text.strip()
        value = json_object(text)
        if value is None:
            # Cut off in the middle of its words, it was spoken; JSON that is broken is not.
            spoken = self._at is not None
            return ("", []) if spoken else None if text[:1] in ("{", "[", "`") else (text, [])
        if isinstance(value.get("calls"), list) and len(value) == 1:
            return "", [self._checked(call) for call in value["calls"][:MAX_CALLS]]
        if violation(self._allowed, value) is not None:
            return ("", []) if self._at is not None else None
        if "answer" in value:
            return json.dumps(value["answer"], ensure_ascii=False), []
        return ("" if self._at is not None else value["say"]), []

    def _checked(self, call: Any) -> Call:
        call = call if isinstance(call, dict) else {}
        name, arguments = str(call.get("tool", ""))[:100], call.get("arguments")
        wrong = violation(self._allowed, {"calls": [call]})
        if wrong is not None or not isinstance(arguments, dict):
            return Call("", name, refusal=f"Nothing was done: {wrong}.")
        return Call("", name, arguments)


def violation(allowed: Json, value: Any, root: Json | None = None) -> str | None:
    """Return how `value` breaks the schema, None if it keeps it; knows what `schema` makes."""
    root = root or allowed
    if (name := allowed.get("$ref")) is not None:
        return violation(root["$defs"][name.rpartition("/")[2]], value, root)
    if (options := allowed.get("anyOf")) is not None:
        all_wrong = [violation(option, value, root) for option in options]
        return None if None in all_wrong else _closest(options, value, all_wrong)
    if "const" in allowed and value != allowed["const"]:
        return f"{_short(value)} is not {_short(allowed['const'])}"
    if "enum" in allowed and value not in allowed["enum"]:
        return f"there is no {_short(value)} here"
    kinds = allowed.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(kind, value) for kind in kinds):
        return f"{_short(value)} is not of the type {' or '.join(kinds)}"
    if isinstance(value, dict):
        return _object_violation(allowed, value, root)
    if isinstance(value, list):
        items = allowed.get("items", {})
        return next((wrong for one in value if (wrong := violation(items, one, root))), None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = allowed.get("minimum"), allowed.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            return f"{value} is not between {low} and {high}"
    return None


def _object_violation(allowed: Json, value: dict[str, Any], root: Json) -> str | None:
    known = allowed.get("properties", {})
    for key in allowed.get("required", ()):
        if key not in value:
            return f"{key} is missing"
    for key, one in value.items():
        if key not in known:
            if allowed.get("additionalProperties", True) is False:
                return f"there is no argument {_short(key)}"
        elif (wrong := violation(known[key], one, root)) is not None:
            return wrong
    return None


def _closest(options: list[Json], value: Any, wrong: list[str | None]) -> str:
    """Return what is wrong with the option that is meant: the one whose constant is there."""
    named = value.get("tool") if isinstance(value, dict) else None
    meant = set(value) if isinstance(value, dict) else set()
    for option, said in zip(options, wrong, strict=True):
        known = option.get("properties", {})
        if known.get("tool", {}).get("const") == named is not None or (
            "tool" not in known and meant and meant <= set(known)
        ):
            return said or ""
    return f"there is no tool {_short(named)} here" if named is not None else wrong[-1] or ""


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _definitions(names: Names) -> dict[str, Json]:
    """Return the schemas of the arguments whose names can be listed."""
    listed = {"name": names.name, "area": names.area, "floor": names.floor}
    return {
        key: {"type": "string", "enum": sorted(set(known))}
        for key, known in listed.items()
        if 0 < len(set(known)) <= MAX_NAMES
    }


def _object(properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _any(options: list[Json]) -> Json:
    return options[0] if len(options) == 1 else {"anyOf": options}


def _usable(tool: Json, prompt: Prompt) -> bool:
    return tool["function"]["name"] in prompt.usable


def _call(tool: Json, prompt: Prompt, definitions: Mapping[str, Json]) -> Json:
    function = tool["function"]
    named = prompt.named.get(function["name"], frozenset())
    parameters = dict(function["parameters"])
    parameters["properties"] = {
        key: {"$ref": f"#/$defs/{key}"} if key in named and key in definitions else value
        for key, value in parameters.get("properties", {}).items()
    }
    return _object({"tool": {"const": function["name"]}, "arguments": parameters})


def _said(message: Json) -> str:
    """Return an answer of before as it was written."""
    if calls := message.get("tool_calls"):
        made = [
            {
                "tool": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
            }
            for call in calls
        ]
        return json.dumps({"calls": made}, ensure_ascii=False)
    return json.dumps({"say": message.get("content") or ""}, ensure_ascii=False)


def _unquoted(text: str, at: int) -> tuple[str, int]:
    """Return the words of a JSON string from `at` to its end or to what is certain, and that place.

    The place of a string that ended is its quotation mark.
    """
    words = ""
    while at < len(text) and text[at] != '"':
        if text[at] != "\\":
            words += text[at]
            at += 1
            continue
        escape = text[at + 1 : at + 2]
        if not escape or (escape == "u" and len(text) < at + 6):
            break
        if escape == "u":
            part = re.match(r"(?:\\u[0-9a-fA-F]{4})+", text[at:])
            if part is None:
                at += 2
                continue
            # Half of a pair of surrogates waits for its other half.
            units = part.group()
            pairs = json.loads(f'"{units}"')
            if "\ud800" <= pairs[-1] <= "\udbff":
                units, pairs = units[:-6], pairs[:-1]
                if not units:
                    break
            words += pairs.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            at += len(units)
        else:
            words += _ESCAPES.get(escape, escape)
            at += 2
    return words, at
