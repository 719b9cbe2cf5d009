"""LACT: its daemon sets the power caps and clocks of its file again whenever they change.

Source: github.com/ilya-zlobintsev/LACT (lactd.service, /etc/lact/config.yaml).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .master import Master

_FILE: Final = Path("etc/lact/config.yaml")
_CAP: Final = re.compile(r"^\s*power_cap:\s*[0-9]", re.MULTILINE)


def find(root: Path, programs: Sequence[Sequence[str]]) -> Master | None:
    """Return LACT if its daemon runs and has a power cap to set."""
    if not any(_is_daemon(argv) for argv in programs):
        return None
    try:
        caps = _CAP.search((root / _FILE).read_text(errors="replace")) is not None
    except FileNotFoundError:
        return None
    except OSError:
        caps = True  # what may not be read is taken for the worse
    if not caps:
        return None
    return Master("LACT", ("its daemon runs with a power cap",), ("systemctl disable --now lactd",))


def _is_daemon(argv: Sequence[str]) -> bool:
    name = Path(argv[0]).name
    return name in ("lactd", "lact-daemon") or (name == "lact" and list(argv[1:2]) == ["daemon"])
