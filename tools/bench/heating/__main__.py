"""Runs the houses on both models and prints one flat JSON object, last and alone on stdout.

Houses are spread over processes; every figure is the median over houses, except the worst case of
seconds above a circuit limit, which is the maximum. Nothing but the seed decides what is drawn.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import tests.conftest  # noqa: F401 - the integration's pure parts without Home Assistant
from tests.heating.houses import house
from tests.heating.iso52016_nodes import assembled, worst_difference_k
from tools.bench.heating import bar, plot, spread, timing
from tools.paths import ROOT
from tools.setup.environments import script_environment
from tools.setup.errors import SetupError

_LOCK: Final = ROOT / "tools/bench/heating/requirements-iso52016.lock"
#: What our stepping of somebody else's model may differ from its own results.
_WORST_K: Final = 0.01


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(prog="./dev bench heating", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object (it always is)")
    parser.add_argument("--houses", type=int, default=30, help="random houses (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (default 1)")
    parser.add_argument("--days", type=int, default=14, help="winter days (default 14)")
    parser.add_argument("--processes", type=int, default=2, help="at once (default 2)")
    parser.add_argument("--states", type=int, default=10_000, help="random states of 160 heaters")
    parser.add_argument("--check", action="store_true", help="exit 1 where the bar is not met")
    parser.add_argument("--plot", type=Path, help="write one day of one house as PNG")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        python = script_environment("iso52016", _LOCK)
    except SetupError as err:
        print(err, file=sys.stderr)
        sys.exit(1)
    houses = [house(number, asked.seed, asked.days) for number in range(asked.houses)]
    with tempfile.TemporaryDirectory(prefix="hashcenter-bench-") as folder:
        nodes = assembled(python, houses, Path(folder))
    worst_k = max(worst_difference_k(model) for model in nodes.values())
    say(f"hour by hour, our steps differ from iso52016's own by {worst_k:.1e} K at most")
    if worst_k > _WORST_K:
        sys.exit(f"Our stepping of iso52016 is {worst_k:.3f} K off its own results.")
    results = spread.measure(houses, nodes, asked.processes, say)
    figures = spread.flat(results)
    say(f"deciding for {timing.RIGS} rigs of {timing.HEATERS} heaters, {asked.states} states")
    figures |= timing.measure(asked.states, asked.seed)
    if asked.plot is not None:
        number = plot.telling(houses)
        plot.draw(houses[number], results["2r2c", number].courses, asked.plot)
    say(f"all of it took {time.monotonic() - began:.0f} s")
    missed = bar.misses(figures, len(houses))
    # Said, but no reason to fail: what a machine is slow at depends on who else uses it.
    for sentence in [*missed, *bar.slow(figures)] or ["the bar is met"]:
        say(sentence)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    if asked.check and missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
