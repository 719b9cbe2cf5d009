"""Digs in what a machine sent: any shape, any type, and unknown stays None.

Firmwares write numbers as strings ("72%"), "inf" for nothing, and leave out what they do not know.
"""

import json
import math
import re
from typing import Any

from ..asic import normal_mac

#: What cgminer's descendants get wrong: a comma before a closing bracket, none between two objects.
_COMMA_BEFORE_END = re.compile(r",\s*([}\]])")
_NO_COMMA_BETWEEN = re.compile(r"([}\]])\s*([{\[])")
_NO_NUMBER = re.compile(r'(:\s*)"?[+-]?(?:inf|nan|infinity)"?(\s*[,}\]])', re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def parse(text: str | bytes) -> Any:
    """Return the JSON in `text`, repaired where firmwares are known to be careless.

    Raises ValueError.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = text.strip("\0\r\n\t ")
    try:
        return json.loads(text, parse_constant=_nothing)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        pass
    repaired = _COMMA_BEFORE_END.sub(r"\1", text)
    repaired = _NO_COMMA_BETWEEN.sub(r"\1,\2", repaired)
    repaired = _NO_NUMBER.sub(r"\1null\2", repaired)
    try:
        return json.loads(repaired, strict=False, parse_constant=_nothing)
    except (ValueError, RecursionError):
        raise ValueError(f"it is not JSON ({len(text)} characters)") from None


def _nothing(_name: str) -> None:
    """Infinity and NaN are no readings."""


def dig(reply: Any, *path: str | int) -> Any:
    """Return what is at `path` (keys and positions), None if the way is not there."""
    for step in path:
        if isinstance(step, str) and isinstance(reply, dict):
            reply = reply.get(step)
        elif isinstance(step, int) and isinstance(reply, list) and step < len(reply):
            reply = reply[step]
        else:
            return None
    return reply


def rows(reply: Any, *path: str | int) -> list[dict[str, Any]]:
    """Return the objects in the list at `path`; what is none is left out."""
    found = dig(reply, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def number(value: Any) -> float | None:
    """Return a finite number, also from "72%" or "1051 W"; a truth is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        found = _NUMBER.match(value.strip())
        if found is None:
            return None
        value = found.group()
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def positive(value: Any) -> float | None:
    """Return a number above 0: what firmwares report as 0 when they do not know it."""
    result = number(value)
    return result if result is not None and result > 0 else None


def amount(value: Any) -> float | None:
    """Return a number that is not negative: watts, shares, revolutions."""
    result = number(value)
    return result if result is not None and result >= 0 else None


def count(value: Any) -> int | None:
    """Return a whole number that is not negative."""
    result = amount(value)
    return int(result) if result is not None else None


def string(value: Any) -> str | None:
    """Return a text that says something, at most 120 characters of it."""
    return value.strip()[:120] or None if isinstance(value, str) else None


def truth(value: Any) -> bool | None:
    """Return a yes or no however it is written (true, "true", "Y", 1)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"true", "yes", "y", "1", "on", "enable", "enabled"}:
            return True
        if word in {"false", "no", "n", "0", "off", "disable", "disabled", ""}:
            return False
    return None


def mac(value: Any) -> str | None:
    """Return a MAC as the wire writes it, None for what is none."""
    return normal_mac(value) if isinstance(value, str) else None


def highest(*values: Any) -> float | None:
    """Return the highest number among the values above 0: the hottest sensor, the fastest fan."""
    known = [found for value in values if (found := positive(value)) is not None]
    return max(known, default=None)


_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def difficulty(value: Any) -> float | None:
    """Return a share's difficulty, also from "483k" or "1.2 G"."""
    plain = number(value)
    if plain is None or not isinstance(value, str):
        return amount(plain)
    unit = value.strip().lstrip("+-.0123456789eE ").strip()[:1].upper()
    return amount(plain * _SCALE.get(unit, 1.0))
