"""Spreads houses over processes, and sums up what came back.

Its own module, since a worker imports what it runs by name.
"""

import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import Final

import tests.conftest  # noqa: F401 - the integration's pure parts without Home Assistant
from tests.heating.buildings import Nodes, TwoStores
from tests.heating.compare import Compared, compare
from tests.heating.houses import HouseOf
from tests.heating.iso52016_nodes import Iso52016

#: A circuit that binds for so much of the time counts as one that binds.
_BINDS: Final = 0.2
_WORST_OF_ALL: Final = "circuit_violation_s_max"

#: (model, house number) -> what every controller came to.
Results = dict[tuple[str, int], Compared]


def one(model: str, made: HouseOf, iso: Iso52016 | None) -> tuple[str, int, Compared]:
    """Compare the controllers on one house; runs in a process of its own."""
    if iso is None:
        return model, made.number, compare(made, lambda: TwoStores(made.building, made.weather))
    return model, made.number, compare(made, lambda: Nodes(iso.nodes))


def measure(
    houses: list[HouseOf], nodes: dict[int, Iso52016], processes: int, say: Callable[[str], None]
) -> Results:
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
    """Return MODEL.CONTROLLER.FIGURE over all houses, and how many houses' circuits bind."""
    found: dict[str, float] = {}
    for model in sorted({model for model, _ in results}):
        of_model = [compared for key, compared in results.items() if key[0] == model]
        for controller in of_model[0].figures:
            by_house = [asdict(compared.figures[controller]) for compared in of_model]
            for name in by_house[0]:
                values = [figures[name] for figures in by_house]
                value = max(values) if name == _WORST_OF_ALL else statistics.median(values)
                found[f"{model}.{controller}.{name}"] = value
        bound = [one.courses["hashcenter"].binding.mean() >= _BINDS for one in of_model]
        found[f"{model}.houses_whose_circuits_bind"] = float(sum(bound))
    return found
