"""Runs all three measurements and prints one flat JSON object, last and alone on stdout."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tools.bench.overhead import bridge, gateway, home_assistant
from tools.bench.overhead.rig import running


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


async def measure(parts: list[str], repeats: int, seconds: float) -> dict[str, float]:
    """Run the named parts one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="hashcenter-bench-"))
    figures: dict[str, float] = {}
    try:
        if "gateway" in parts:
            async with running(folder / "gateway", 1, with_model=True) as rig:
                figures |= await gateway.measure(rig, repeats, 10 * repeats, say)
        if "bridge" in parts:
            figures |= await bridge.measure(folder / "bridge", seconds, say)
        if "home-assistant" in parts:
            figures |= await home_assistant.measure(folder / "ha", 5 * seconds, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Read the options, measure, print."""
    known = ["gateway", "bridge", "home-assistant"]
    parser = argparse.ArgumentParser(prog="./dev bench overhead", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object (it always is)")
    parser.add_argument("--part", action="append", choices=known, help="only this part")
    parser.add_argument("--repeats", type=int, default=20, help="pairs of requests (default 20)")
    parser.add_argument("--seconds", type=float, default=60, help="of steady state (default 60)")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(json.dumps(asyncio.run(measure(asked.part or known, asked.repeats, asked.seconds))))


if __name__ == "__main__":
    main()
