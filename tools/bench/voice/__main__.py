"""Measures the named parts one after the other; prints one flat JSON object, last and alone."""

import argparse
import asyncio
import json
import sys

from tools.bench.voice import rig_side


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


async def measure(parts: list[str], repeats: int, preemptions: int) -> dict[str, float]:
    """Run the named parts."""
    figures = await rig_side.measure(parts, repeats, preemptions, say)
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    """Read the options, measure, print."""
    known = [*rig_side.PARTS]
    parser = argparse.ArgumentParser(prog="./dev bench voice", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object (it always is)")
    parser.add_argument("--part", action="append", choices=known, help="only this part")
    parser.add_argument("--repeats", type=int, default=10, help="of each question (default 10)")
    parser.add_argument("--preemptions", type=int, default=500, help="how many (default 500)")
    asked = parser.parse_args()
    parts = asked.part or known
    print(json.dumps(asyncio.run(measure(parts, asked.repeats, asked.preemptions))))


if __name__ == "__main__":
    main()
