"""Runs the fleet and the virtual days and prints one flat JSON object, last and alone on stdout."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tools.bench.miners import core, fleet


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the options, measure, print."""
    known = ["fleet", "core"]
    parser = argparse.ArgumentParser(prog="./dev bench miners", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object (it always is)")
    parser.add_argument("--part", action="append", choices=known, help="only this part")
    parser.add_argument("--seconds", type=float, default=600, help="of polling (default 600)")
    parser.add_argument("--days", type=int, default=1000, help="virtual days (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the demands (default 1)")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parts = asked.part or known
    figures: dict[str, float] = {}
    folder = Path(tempfile.mkdtemp(prefix="hashcenter-bench-"))
    try:
        if "fleet" in parts:
            figures |= asyncio.run(fleet.measure(folder, asked.seconds, say))
        if "core" in parts:
            figures |= core.measure(asked.days, asked.seed, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
