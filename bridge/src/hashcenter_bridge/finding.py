"""What `hashcenter doctor` says of one thing; a plugin may say something of its own devices."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Result: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One line of the report: `text` says how it is and, unless all is well, what to do."""

    check: str
    result: Result
    text: str
