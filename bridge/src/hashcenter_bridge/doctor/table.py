"""The report for a person: a table where somebody reads it, a line each where a program does."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ..finding import Finding

_MARK: Final = {"ok": "ok      ", "warning": "warning ", "failed": "FAILED  "}
_WIDEST: Final = 34
_NARROWEST: Final = 30


def lines(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each finding."""
    return [f"{_MARK[one.result]} {one.check}: {one.text}" for one in findings]


def table(findings: Sequence[Finding], width: int) -> list[str]:
    """Return three columns that fit into `width` characters, and how many there are of each."""
    column = min(_WIDEST, max(len(one.check) for one in findings))
    room = max(_NARROWEST, width - column - len(_MARK["ok"]) - 3)
    rows = []
    for one in findings:
        left = textwrap.wrap(one.check, column) or [""]
        right = textwrap.wrap(one.text, room, break_long_words=False, break_on_hyphens=False) or [
            ""
        ]
        for number in range(max(len(left), len(right))):
            mark = _MARK[one.result] if number == 0 else " " * len(_MARK["ok"])
            check = left[number] if number < len(left) else ""
            text = right[number] if number < len(right) else ""
            rows.append(f"{mark} {check:<{column}}  {text}".rstrip())
    return [*rows, "", summary(findings)]


def summary(findings: Sequence[Finding]) -> str:
    """Return how many findings are of each kind, in a sentence."""
    count = Counter(one.result for one in findings)
    if not count["failed"] and not count["warning"]:
        return f"All {count['ok']} are in order."
    return f"{count['failed']} failed, {count['warning']} to look at, {count['ok']} in order."
