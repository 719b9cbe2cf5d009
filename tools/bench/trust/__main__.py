"""`./dev bench trust [--json] [--long] [--part NAME]`: what holds under fault, and how far it goes.

Runs tests/chaos and gathers what was measured there (keys that end in `_max` are the largest of all
stories; the others are counts and are added up), then measures Home Assistant with a full house and
with up to 1,000 rigs.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools.bench.trust import scale
from tools.paths import ROOT, ROOT_PYTHON
from tools.setup.console import clean_environment

_PARTS: Final = ("chaos", "house", "curve")


def gathered(figures: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return one value for each name: the largest of a `_max`, the sum of a count."""
    found: dict[str, float] = {}
    for name, value in figures:
        before = found.get(name, 0.0)
        found[name] = max(before, value) if name.endswith("_max") else before + value
    return {name: round(value, 3) for name, value in sorted(found.items())}


def _figures(report: Path) -> list[tuple[str, float]]:
    tree = ET.parse(report)  # noqa: S314 - pytest wrote it a moment ago
    return [(one.attrib["name"], float(one.attrib["value"])) for one in tree.iter("property")]


def _chaos(*, long: bool) -> tuple[bool, dict[str, float]]:
    """Return whether every story ended well, and what was measured."""
    environment = clean_environment()
    if long:
        environment["HASHCENTER_TEST_LONG"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(ROOT_PYTHON), "-m", "pytest", "-q", f"--junit-xml={report}", "tests/chaos"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
        figures = gathered(_figures(report))
    return done.returncode == os.EX_OK, figures


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _scale(chosen: argparse.Namespace) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="hashcenter-bench-"))
    figures: dict[str, float] = {}
    profile = None if chosen.profile is None else await asyncio.to_thread(chosen.profile.resolve)
    try:
        if "house" in chosen.part:
            figures |= await scale.house(folder / "house", chosen.seconds, profile, _say)
        if "curve" in chosen.part:
            figures |= await scale.curve(
                folder / "curve", chosen.rigs, min(60.0, chosen.seconds), profile, _say
            )
    except BaseException:
        _say(f"What was there is kept in {folder}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return {name: round(value, 2) for name, value in figures.items()}


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit status: 0 when every story ended well."""
    parser = argparse.ArgumentParser(prog="./dev bench trust", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one flat object")
    parser.add_argument("--long", action="store_true", help="in full length, half an hour or more")
    parser.add_argument("--part", action="append", choices=_PARTS, help="only this part")
    parser.add_argument(
        "--seconds", type=float, default=600, help="of a full house (default 600, ten minutes)"
    )
    parser.add_argument(
        "--rigs", type=int, nargs="+", default=[20, 100, 300, 1000], help="sizes of the curve"
    )
    parser.add_argument("--profile", type=Path, help="keep profiles beside this")
    chosen = parser.parse_args(arguments)
    chosen.part = chosen.part or list(_PARTS)
    held = True
    figures: dict[str, float] = {}
    if "chaos" in chosen.part:
        held, figures = _chaos(long=chosen.long)
    if set(chosen.part) - {"chaos"}:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        figures |= asyncio.run(_scale(chosen))
    if chosen.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:32}{value:g}")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
