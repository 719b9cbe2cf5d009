"""iso52016's houses: asks its program for node systems and reads them.

The program runs in its own environment (tools/bench/heating/assemble_iso52016.py), since it wants
other packages than Home Assistant does. What comes back are plain arrays.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .buildings import Nodes, NodesOf
from .houses import HouseOf

_PROGRAM: Final = Path(__file__).parents[2] / "tools/bench/heating/assemble_iso52016.py"


@dataclass(frozen=True)
class Iso52016:
    """A node system, and what the package itself made of it hour by hour."""

    nodes: NodesOf
    own_heat_w: NDArray[np.float64]
    own_air_c: NDArray[np.float64]
    own_room_c: NDArray[np.float64]


def assembled(python: Path, houses: list[HouseOf], folder: Path) -> dict[int, Iso52016]:
    """Return the node system of each house; `python` is the one with iso52016.

    Raises subprocess.CalledProcessError where the program fails.
    """
    asked = folder / "houses.json"
    asked.write_text(json.dumps([_asked(house) for house in houses]))
    subprocess.run([python, _PROGRAM, asked, folder], check=True)
    return {house.number: _read(folder / f"{house.number}.npz", house) for house in houses}


def _asked(house: HouseOf) -> dict[str, Any]:
    rng = np.random.default_rng([house.number, 52016])
    hours = house.days * 24
    loss = house.building.heat_loss_w_per_k
    return {
        "number": house.number,
        "heat_loss_w_per_k": loss,
        "outdoor_c": house.weather.outdoor_c.reshape(hours, 60).mean(axis=1).tolist(),
        "sun_w_per_m2": house.weather.sun_w_per_m2.reshape(hours, 60).mean(axis=1).tolist(),
        "target_c": [house.target_c(hour * 60) for hour in range(hours)],
        "gains_w": house.building.gains_w,
        "mass_m": float(rng.uniform(0.04, 0.20)),
        "wool_m": float(rng.uniform(0.06, 0.16)),
        "window_m2": float(rng.uniform(3.0, 10.0)),
        "window_u": float(rng.uniform(1.0, 2.6)),
        "air_per_h": float(rng.uniform(0.3, 0.7)),
        "inner_j_per_m2_k": float(rng.uniform(10_000.0, 40_000.0)),
    }


def _read(file: Path, house: HouseOf) -> Iso52016:
    with np.load(file) as read:
        nodes = NodesOf(
            static=read["static"],
            capacity=read["capacity"],
            constant=read["constant"],
            heat=read["heat"],
            room=read["room"],
            air=int(read["air"]),
            outdoor_c=read["outdoor_c"],
            window_w_per_k=house.building.window_w_per_k,
        )
        return Iso52016(nodes, read["own_heat_w"], read["own_air_c"], read["own_room_c"])


def worst_difference_k(model: Iso52016) -> float:
    """Return how far our hourly steps are from the package's own, with its watts as heat."""
    ours = Nodes(model.nodes, step_s=3600.0)
    worst = 0.0
    for hour, watts in enumerate(model.own_heat_w):
        ours.prepare(hour * 60, window_open=False)
        ours.step(float(watts))
        air_c = ours.nodes_c[model.nodes.air]
        worst = max(worst, abs(float(air_c) - float(model.own_air_c[hour])))
        worst = max(worst, abs(ours.room_c - float(model.own_room_c[hour])))
    return worst
