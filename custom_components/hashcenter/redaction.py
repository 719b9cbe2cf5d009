"""What must not be shown is covered: a rig's key, and whatever looks like a secret.

A rig never says its key, but who pretends to be it could have it shown on a dashboard. So its key
is covered where its messages come in, and diagnostics, which people publish, once more by form.
"""

import re
from dataclasses import fields, is_dataclass
from typing import Any, Final

COVER: Final = "**REDACTED**"
#: Shorter ones are words; covering them would spoil what is said.
_LEAST: Final = 8
_FORMS: Final = (
    # A rig's key, whichever it is.
    (re.compile(r"\bhc-[A-Za-z0-9_-]{20,}"), COVER),
    # A user and a password in an address.
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/@\s]+@"), rf"\1{COVER}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {COVER}"),
    (
        re.compile(r"(?i)\b(password|passwd|token|secret|api_?key)(\s*[=:]\s*)[^\s,;]+"),
        rf"\1\2{COVER}",
    ),
)


def without(payload: bytes, key: str | None) -> bytes:
    """Return a message without this key in it."""
    if key and len(key) >= _LEAST:
        return payload.replace(key.encode(), COVER.encode())
    return payload


def covered(said: Any) -> Any:
    """Return `said` (dicts, lists, dataclasses, texts) without what looks like a secret."""
    if is_dataclass(said) and not isinstance(said, type):
        said = {one.name: getattr(said, one.name) for one in fields(said)}
    if isinstance(said, dict):
        return {covered(name): covered(value) for name, value in said.items()}
    if isinstance(said, (list, tuple)):
        return [covered(one) for one in said]
    if isinstance(said, str):
        for form, instead in _FORMS:
            said = form.sub(instead, said)
    return said
