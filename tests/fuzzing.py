"""Payloads that are almost right: a real one with values, keys or bytes that nobody foresaw.

Everything follows from the `random.Random` that is given, so a failure can be had again.
"""

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Final

#: Values that somebody's program, or somebody, might send in place of any other.
_STRANGE: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, -1e308, 1e-320, 2**31, 2**53 + 1, 2**63,
    -(2**64), 10**400, "", " ", "0", "nan", "null", "é", "\x00", "\ud800", "\u202e", "A" * 121,
    "B" * 5000,
    [], [[]], {}, {"": {}}, [None] * 50, {"power_w": 1}, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
_TOKENS: Final = (b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud83d", b"1e999",
                  b"\xff", b"\x00", b"\xef\xbb\xbf", b"null", b"NaN", b"-", b" " * 99)  # fmt: skip


def payload(chance: random.Random, examples: Sequence[bytes]) -> bytes:
    """Return one payload: mostly an example with strange values, sometimes broken, or noise."""
    kind = chance.random()
    if kind < 0.05:
        return chance.randbytes(chance.randint(0, 200))
    said = chance.choice(examples)
    if kind < 0.75:
        said = _strange(chance, said)
    if kind > 0.6:
        said = broken(chance, said)
    return said


def _strange(chance: random.Random, said: bytes) -> bytes:
    """Replace, remove or add some values."""
    root = [json.loads(said)]
    for _ in range(chance.randint(1, 3)):
        places = list(_places(root))
        holder, key = chance.choice(places)
        change = chance.random()
        if change < 0.7:
            holder[key] = deepcopy(chance.choice(_STRANGE))
        elif change < 0.85 and holder is not root:
            del holder[key]
        elif isinstance(holder, dict):
            name = chance.choice(("", "a" * 300, "kind", "uid", "\x00"))
            holder[name] = deepcopy(chance.choice(_STRANGE))
    return json.dumps(root[0]).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every holder and key in `value`."""
    found: list[tuple[Any, Any]] = []
    keys = range(len(value)) if isinstance(value, list) else list(value)
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += _places(value[key])
    return found


def broken(chance: random.Random, said: bytes) -> bytes:
    """Cut, repeat, insert or flip bytes."""
    text = bytearray(said)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(text))
        match chance.randint(0, 3):
            case 0:
                del text[at : at + chance.randint(1, 20)]
            case 1:
                text[at:at] = chance.choice(_TOKENS)
            case 2:
                text[at:at] = text[at : at + chance.randint(1, 60)]
            case _:
                if at < len(text):
                    text[at] ^= 1 << chance.randint(0, 7)
    return bytes(text)
