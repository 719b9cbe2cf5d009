"""Puts a streamed chat answer together into one in one piece. Pure.

A runner is always asked for a stream: llama.cpp notices that a client hung up only when it cannot
write the next piece, so only a stream gives its slot back at once.
Source: OpenAI API reference, chat completion object and chat completion chunk object.
"""

import json
from typing import Any, Final

#: What a piece says that belongs to the answer as a whole.
_OF_THE_WHOLE: Final = ("id", "created", "model", "system_fingerprint", "usage", "timings")


class Assembly:
    """An answer that grows by `feed`. `error` is what the runner said if it broke off."""

    def __init__(self) -> None:
        self.error: dict[str, Any] | None = None
        self._rest = b""
        self._whole: dict[str, Any] = {"object": "chat.completion"}
        self._choices: dict[int, dict[str, Any]] = {}

    async def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                self._take(json.loads(line[6:]))

    def answer(self) -> dict[str, Any]:
        """Return the answer as it stands."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        return {**self._whole, "choices": choices}

    def _take(self, piece: dict[str, Any]) -> None:
        if "error" in piece:
            self.error = piece
        self._whole |= {key: piece[key] for key in _OF_THE_WHOLE if piece.get(key) is not None}
        for part in piece.get("choices", ()):
            index = part.get("index", 0)
            empty = {"index": index, "message": {"role": "assistant", "content": None}}
            choice = self._choices.setdefault(index, empty)
            choice["finish_reason"] = part.get("finish_reason") or choice.get("finish_reason")
            if said := (part.get("logprobs") or {}).get("content"):
                choice.setdefault("logprobs", {"content": []})["content"] += said
            _grow(choice["message"], part.get("delta") or {})


def _grow(message: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add a delta: texts grow, tool calls are found by their index, the rest is taken over."""
    for key, value in delta.items():
        if key == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            for call in value or ():
                index = call.get("index", 0)
                while len(calls) <= index:
                    calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
                target = calls[index]
                target |= {name: call[name] for name in ("id", "type") if call.get(name)}
                for name, text in (call.get("function") or {}).items():
                    target["function"][name] = target["function"].get(name, "") + (text or "")
        elif isinstance(value, str) and key != "role":
            message[key] = (message.get(key) or "") + value
        elif value is not None:
            message[key] = value
