"""Runs the houses on both models and prints one flat JSON object, last and alone on stdout.

Houses are spread over processes; every figure is the median over houses, except the worst case of
seconds above a circuit limit, which is the maximum. Nothing but the seed decides what is drawn.
"""

import argparse
import importlib
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Final

importlib.import_module("tests.conftest")  # the integration's pure parts without Home Assistant

from tests.heating.buildings import Nodes, TwoStores  # noqa: E402
from tests.heating.compare import Compared, compare  # noqa: E402
from tests.heating.houses import HouseOf, house  # noqa: E402
from tests.heating.iso52016_nodes import Iso52016, assembled, worst_difference_k  # noqa: E402
from tools.bench.heating import bar, plot, timing  # noqa: E402
from tools.paths import ROOT  # noqa: E402
from tools.setup.environments import script_environment  # noqa: E402
from tools.setup.errors import SetupError  # noqa: E402

_LOCK: Final = ROOT / "tools/bench/heating/requirements-iso52016.lock"
#: What our stepping of somebody else's model may differ from its own results.
_WORST_K: Final = 0.01
_WORST_OF_ALL: Final = "circuit_violation_s_max"

#: (model, house number) -> figures by controller.
Results = dict[tuple[str, int], Compared]


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)


def one(model: str, made: HouseOf, iso: Iso52016 | None) -> tuple[str, int, Compared]:
    """Compare the controllers on one house; runs in a process of its own."""
    if iso is None:
        return model, made.number, compare(made, lambda: TwoStores(made.building, made.weather))
    return model, made.number, compare(made, lambda: Nodes(iso.nodes))


def measure(houses: list[HouseOf], nodes: dict[int, Iso52016], processes: int) -> Results:
    """Compare on every house and model."""
    results: Results = {}
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(one, "2r2c", made, None) for made in houses]
        jobs += [pool.submit(one, "iso52016", made, nodes[made.number]) for made in houses]
        for job in jobs:
            model, number, compared = job.result()
            results[model, number] = compared
            ours = compared.figures["hashcenter"]
            bound = 100.0 * float(compared.courses["hashcenter"].binding.mean())
            say(
                f"{model} house {number}: {compared.took_s:.0f} s"
                f", excess {ours.excess_rmse_k:.2f} K, overshoot {ours.excess_overshoot_k:.2f} K"
                f", tracking {ours.tracking_error_percent:.1f} %"
                f", starts {ours.asic_starts_per_day_worst:.1f}/d"
                f", above a limit {ours.circuit_violation_s_max:.0f} s, circuits bind {bound:.0f} %"
            )
    return results


def flat(results: Results) -> dict[str, float]:
    """Return MODEL.CONTROLLER.FIGURE over all houses."""
    found: dict[str, float] = {}
    for model in sorted({model for model, _ in results}):
        of_model = [compared for key, compared in results.items() if key[0] == model]
        for controller in of_model[0].figures:
            by_house = [asdict(compared.figures[controller]) for compared in of_model]
            for name in by_house[0]:
                values = [figures[name] for figures in by_house]
                value = max(values) if name == _WORST_OF_ALL else statistics.median(values)
                found[f"{model}.{controller}.{name}"] = value
    return found


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
    results = measure(houses, nodes, asked.processes)
    figures = flat(results)
    say(f"deciding for {timing.RIGS} rigs of {timing.HEATERS} heaters, {asked.states} states")
    figures |= timing.measure(asked.states, asked.seed)
    if asked.plot is not None:
        number = plot.telling(houses)
        plot.draw(houses[number], results["2r2c", number].courses, asked.plot)
    say(f"all of it took {time.monotonic() - began:.0f} s")
    missed = bar.misses(figures)
    for sentence in missed or ["the bar is met"]:
        say(sentence)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    if asked.check and missed:
        sys.exit(1)


if __name__ == "__main__":
    main()
