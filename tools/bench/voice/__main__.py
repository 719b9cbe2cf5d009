"""Measures the named parts one after the other; prints one flat JSON object, last and alone."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tools.bench.voice import house, rig_side


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


async def measure(parts: list[str], asked: argparse.Namespace) -> dict[str, float]:
    """Run the named parts."""
    figures: dict[str, float] = {}
    if house.PART in parts:
        folder = Path(tempfile.mkdtemp(prefix="hashcenter-bench-"))
        try:
            figures |= await house.measure(
                folder, asked.repeats, asked.rename_wait, asked.unchanged, say
            )
        finally:
            if not asked.keep:
                shutil.rmtree(folder, ignore_errors=True)
    if others := [part for part in parts if part != house.PART]:
        figures |= await rig_side.measure(others, asked.repeats, asked.preemptions, say)
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    """Read the options, measure, print."""
    known = [house.PART, *rig_side.PARTS]
    parser = argparse.ArgumentParser(prog="./dev bench voice", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object (it always is)")
    parser.add_argument("--part", action="append", choices=known, help="only this part")
    parser.add_argument("--repeats", type=int, default=10, help="of each question (default 10)")
    parser.add_argument("--preemptions", type=int, default=500, help="how many (default 500)")
    parser.add_argument(
        "--rename-wait", type=float, default=60, help="seconds after a rename (default 60)"
    )
    parser.add_argument(
        "--unchanged", type=float, default=300, help="seconds until a prompt is saved (default 300)"
    )
    parser.add_argument("--keep", action="store_true", help="keep the house's folder with its logs")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(json.dumps(asyncio.run(measure(asked.part or known, asked))))


if __name__ == "__main__":
    main()
