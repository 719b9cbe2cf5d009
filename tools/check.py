"""`./dev check`: everything that can be said about the code without running it.

Every step runs, also after a failure; the exit status is 0 only if all held. Types are checked
once per world: the bridge as Python 3.11 sees it with a rig's packages, the integration as Home
Assistant's Python does, and the rest with the integration's.
"""

import json
import re
import sys
from pathlib import Path
from typing import Final

from tools import wire
from tools.paths import BRIDGE_PYTHON, ROOT, ROOT_PYTHON
from tools.setup.console import run
from tools.steps import Step, findings, program, run_steps

_LONGEST_MODULE: Final = 450
_TRANSLATIONS: Final = ROOT / "custom_components/hashcenter/translations"
#: Addresses of package indexes and archives, and paths of one machine: a clone works everywhere.
_FOREIGN: Final = re.compile(
    r"pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|security[.]debian[.]org|npmjs[.]org"
    r"|(?<![\w./-])/(?:root|home/\w+|tmp/hc|work/(?:main|shared))(?![\w-])"
)
_MERGE: Final = ("<" * 7 + " ", ">" * 7 + " ")
_BINARY: Final = {".png", ".gguf", ".ico", ".gz", ".zip", ".woff2", ".jpg"}


def steps() -> list[Step]:
    """Return the checks, the quick ones first."""
    ruff, mypy = (ROOT_PYTHON, "-m", "ruff"), (ROOT_PYTHON, "-m", "mypy")
    bridge = ("--python-version", "3.11", "--python-executable", BRIDGE_PYTHON)
    return [
        program("lint", [*ruff, "check", "--quiet", "."]),
        program("format", [*ruff, "format", "--check", "."]),
        findings("module length", long_modules),
        findings("translations", broken_translations),
        findings("no machine's own paths", foreign_addresses),
        findings("no half of a merge", merge_markers),
        findings("wire copy and schema", stale_wire),
        program("import rules", [ROOT_PYTHON.parent / "lint-imports", "--no-cache"]),
        program("types: bridge (3.11)", [*mypy, *bridge, "-p", "hashcenter_bridge"]),
        program("types: integration (3.14)", [*mypy, "custom_components/hashcenter"]),
        program("types: tools and tests (3.14)", [*mypy, "dev", "tools", "tests"]),
    ]


def long_modules() -> list[str]:
    """Name the Python and C files that have become two things."""
    found = []
    for path in tracked_files(".py", ".c", ".js"):
        lines = len(path.read_text().splitlines())
        if lines > _LONGEST_MODULE:
            name = path.relative_to(ROOT)
            found.append(f"{name} has {lines} lines, {_LONGEST_MODULE} is the limit: split it.")
    return found


def broken_translations() -> list[str]:
    """Name the translations that are not JSON objects, or say a key twice."""
    found = []
    for path in sorted(_TRANSLATIONS.glob("*.json")):
        try:
            content = json.loads(path.read_text(), object_pairs_hook=_without_twins)
        except ValueError as err:
            found.append(f"{path.relative_to(ROOT)}: {err}")
            continue
        if not isinstance(content, dict):
            found.append(f"{path.relative_to(ROOT)} is not an object.")
    return found


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object; of a key that is there twice the first would be lost unheard."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(
            f"there twice: {', '.join(sorted({k for k in keys if keys.count(k) > 1}))}"
        )
    return found


def foreign_addresses() -> list[str]:
    """Name the lines that only hold on one machine or behind one index."""
    found = []
    for path in tracked_files():
        if path.suffix in _BINARY or path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if match := _FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match.group()}")
    return found


def merge_markers() -> list[str]:
    """Name the lines that a merge left for a person to decide."""
    found = []
    for path in tracked_files():
        if path.suffix not in _BINARY:
            lines = enumerate(path.read_text(errors="replace").splitlines(), start=1)
            marked = (number for number, line in lines if line.startswith(_MERGE))
            found += [f"{path.relative_to(ROOT)}:{number}" for number in marked]
    return found


def stale_wire() -> list[str]:
    """Name the files that `./dev wire` would change."""
    return [f"{name} differs; run `./dev wire`." for name in wire.differences()]


def tracked_files(*suffixes: str) -> list[Path]:
    """Return the files git tracks or would track, with one of the suffixes if any is given."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run(command, failure="git could not list the files.", cwd=ROOT).split("\0")
    paths = [ROOT / name for name in names if name]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


def main() -> int:
    """Check, and return the exit status."""
    return 0 if run_steps(steps()) else 1


if __name__ == "__main__":
    sys.exit(main())
