"""The log: one line per fact, as text or JSON; what repeats is counted, secrets are covered.

    record -> Limits (is it said, is it counted) -> one line (text, JSON) -> covered -> stderr

The same sentence is said once a minute, and nothing of one kind fills the log: what was left out
is counted and said with the next line after it. Line breaks become spaces, so that nobody who is
quoted in a line can write a second one.
"""

import datetime as dt
import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TextIO

#: The same sentence is not said again for so long.
SAME_S: Final = 60.0
#: Of one kind (the same words around other names and figures), so many in so long.
KIND_LINES: Final = 200
KIND_S: Final = 10.0
_MOST_KNOWN: Final = 500
_MOST_TEXT: Final = 8000
_COVER: Final = "(a secret)"
#: Shorter ones are words that stand in many places, such as a vendor's own password.
_LEAST_SECRET: Final = 8
#: What a line may say besides its text, in JSON.
_FIELDS: Final = ("code", "uid")

_secrets: set[str] = set()


def hide(secret: str) -> str:
    """Return `secret`, and never let it be written, whoever quotes it: the last of the walls."""
    if len(secret) >= _LEAST_SECRET:
        _secrets.add(secret)
    return secret


def covered(text: str) -> str:
    """Return `text` without any secret that is known."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, _COVER)
    return text


def set_up(level: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Write everything from `level` up to `stream` (stderr), in this form."""
    handler = Handler(stream or sys.stderr, Limits(time.monotonic))
    handler.setFormatter(Json() if form == "json" else Text())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.getLogger("aiohttp").setLevel(logging.WARNING)


@dataclass
class _Known:
    said_at: float
    left_out: int = 0


class Limits:
    """Decides whether a line is said, and how often it was not. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._same: OrderedDict[str, _Known] = OrderedDict()
        self._kinds: OrderedDict[str, tuple[float, int, int]] = OrderedDict()

    def take(self, kind: str, text: str) -> tuple[bool, list[str]]:
        """Return whether to say `text`, and sentences about what was left out before."""
        now = self._clock()
        about = self._ended(now)
        if (known := self._same.get(text)) is not None:
            known.left_out += 1
            return False, about
        began, said, left_out = self._kinds.get(kind, (now, 0, 0))
        if said >= KIND_LINES:
            self._kinds[kind] = (began, said, left_out + 1)
            return False, about
        self._kinds[kind] = (began, said + 1, left_out)
        self._same[text] = _Known(now)
        if len(self._same) > _MOST_KNOWN:
            gone, last = self._same.popitem(last=False)
            about += _repeated(gone, last.left_out)
        return True, about

    def rest(self) -> list[str]:
        """Return what was left out and not said yet, at the end."""
        return self._ended(float("inf"))

    def _ended(self, now: float) -> list[str]:
        """Forget what is long ago, and return what was left out of it."""
        about: list[str] = []
        while self._same:
            text, known = next(iter(self._same.items()))
            if now - known.said_at < SAME_S:
                break
            del self._same[text]
            about += _repeated(text, known.left_out)
        for kind, (began, _, left_out) in list(self._kinds.items()):
            if now - began >= KIND_S:
                del self._kinds[kind]
                if left_out:
                    about.append(f"({left_out} more lines like: {kind[:120]})")
        return about


def _repeated(text: str, times: int) -> list[str]:
    return [f"({times} more times: {text[:200]})"] if times else []


class Handler(logging.StreamHandler[TextIO]):
    """Writes what `limits` let through."""

    def __init__(self, stream: TextIO, limits: Limits) -> None:
        super().__init__(stream)
        self._limits = limits

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, and what was left out before it."""
        try:
            said, about = self._limits.take(f"{record.name}: {record.msg}", _sentence(record))
        except Exception:  # noqa: BLE001 - a broken line must not break who wrote it
            self.handleError(record)
            return
        for sentence in about:
            self._say(sentence)
        if said:
            super().emit(record)

    def close(self) -> None:
        """Say what was left out to the end."""
        for sentence in self._limits.rest():
            self._say(sentence)
        super().close()

    def _say(self, sentence: str) -> None:
        record = logging.LogRecord(__name__, logging.INFO, __file__, 0, sentence, None, None)
        super().emit(record)


def _sentence(record: logging.LogRecord) -> str:
    text = f"{record.name}: {record.getMessage()}"
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}: {record.exc_info[1]!r}"
    return text


class Text(logging.Formatter):
    """`LEVEL part: sentence`, on one line; journald adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return f"{record.levelname} {record.name}: {_one_line(record, self)}"


class Json(logging.Formatter):
    """One object per line: time (UTC), level, part, text, and `code` and `uid` of a fault."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = dt.datetime.fromtimestamp(record.created, dt.UTC)
        said: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("hashcenter_bridge."),
            "text": _one_line(record, self),
        }
        more = {name: getattr(record, name, None) for name in _FIELDS}
        return json.dumps(said | {name: value for name, value in more.items() if value})


def _one_line(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    text = record.getMessage()
    if record.exc_info:
        text = f"{text} | {formatter.formatException(record.exc_info)}"
    return "".join(one if one.isprintable() else " " for one in covered(text)[:_MOST_TEXT])
