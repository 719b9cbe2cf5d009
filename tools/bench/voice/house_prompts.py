"""What the two servers were given: how much of a prompt was read already, and with which flags.

Both are asked the same way, beside the measurement: llama.cpp's `/slots` while it answers, and the
settings on the command line of each process, from /proc.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from tools.demo.processes import DemoError, marked

#: Programs of llama.cpp as they stand in a command line, the settings behind them.
_PROGRAMS: Final = {
    "xllamacpp_child.py": "ours",
    "tools.bench.voice.house_bare": "core",
}
#: Where a server listens, and that it may save what it has read: no matter of speed while asked.
_OF_THE_PLACE: Final = frozenset({"socket", "prompt_folder"})
_WITHIN_S: Final = 10.0


@dataclass(frozen=True)
class Prompt:
    """Tokens of the prompt that is being answered, and how many of them were read before."""

    tokens: int
    cached: int

    def __str__(self) -> str:
        return f"{self.cached} of {self.tokens} tokens cached"


async def prompt_of(url: str, unix_socket: Path | None = None) -> Prompt | None:
    """Return the prompt that the server answers now; None if it rests already."""
    connector = aiohttp.UnixConnector(str(unix_socket)) if unix_socket else None
    timeout = aiohttp.ClientTimeout(total=_WITHIN_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"{url}/slots") as answer,
        ):
            slots: list[dict[str, Any]] = await answer.json()
    except (aiohttp.ClientError, OSError, ValueError):
        return None
    working = [slot for slot in slots if slot.get("is_processing") and slot.get("n_prompt_tokens")]
    if not working:
        return None
    newest = max(working, key=lambda slot: int(slot.get("id_task", 0)))
    decoded = sum(int(one.get("n_decoded", 0)) for one in newest.get("next_token", ()))
    return Prompt(
        int(newest["n_prompt_tokens"]) - decoded, int(newest.get("n_prompt_tokens_cache", 0))
    )


def flags(mark: str) -> dict[str, dict[str, Any]]:
    """Return the settings with which the processes of this mark serve, by agent."""
    found: dict[str, dict[str, Any]] = {}
    for pid in marked(mark):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        for program, agent in _PROGRAMS.items():
            if any(word.endswith(program) for word in words) and words[-2].startswith("{"):
                found[agent] = json.loads(words[-2])
    return found


def require_the_same(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the flags that both servers have. Raises DemoError where they differ."""
    if set(found) != set(_PROGRAMS.values()):
        raise DemoError(f"the flags of {', '.join(found) or 'no server'} only could be read")
    names = {name for flags in found.values() for name in flags} - _OF_THE_PLACE
    ours, core = ({name: found[agent].get(name) for name in names} for agent in ("ours", "core"))
    if different := sorted(name for name in names if ours[name] != core[name]):
        raise DemoError(f"the two servers differ in {', '.join(different)}")
    shown = ", ".join(f"{name}={Path(str(ours[name])).name}" for name in sorted(names))
    return (
        f"both serve with {shown}; resting slots are saved and emptied (its default) for core only"
    )
