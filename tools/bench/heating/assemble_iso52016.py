"""A program of its own, in iso52016's environment: assembles its node systems and runs it itself.

`python assemble_iso52016.py HOUSES.json FOLDER` writes one NUMBER.npz per house: the node system
after ISO 52016-1 as that package assembles it, and the package's own hourly results for a plain
set-back schedule, against which our stepping is checked. It is scaled to the wanted heat loss.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from iso52016 import (  # type: ignore[import-not-found]  # it is in an environment of its own
    Building,
    Layer,
    Material,
    OpaqueElement,
    Orientation,
    Ventilation,
    Weather,
    Window,
    Zone,
    general,
)

_YEAR_H = 8760
_GROUND_C = 9.0
#: Sun on other faces, as a share of the south wall's: mostly diffuse.
_SIDE, _NORTH, _ROOF = 0.35, 0.12, 0.5


def assemble(house: dict[str, Any], scale: float) -> tuple[Building, Zone]:
    """Return the package's building: a box of 48 m2 times `scale`, with the house's walls."""
    outdoor = np.array(house["outdoor_c"])
    sun = np.array(house["sun_w_per_m2"])
    general.simulation_length = outdoor.size
    year = np.resize(outdoor, _YEAR_H)
    weather = Weather(air_temperature=year, wind=np.zeros(_YEAR_H))
    weather.t_air, weather.dt_sky = outdoor, np.full(outdoor.size, 4.0)
    mass = Material(1400.0, 1000.0, 0.5)
    wool = Material(30.0, 1000.0, 0.04)
    wood = Material(650.0, 1200.0, 0.14)
    wall = [Layer(house["mass_m"], mass), Layer(house["wool_m"], wool), Layer(0.01, wood)]
    roof = [Layer(0.02, wood), Layer(1.6 * house["wool_m"], wool), Layer(0.02, wood)]
    floor = [Layer(house["mass_m"], mass), Layer(house["wool_m"], wool)]
    window = Window(area=house["window_m2"] * scale, u_value=house["window_u"], g_value=0.6)
    faces = [
        OpaqueElement(
            area=(21.6 - house["window_m2"]) * scale,
            orientation=Orientation(90, 0),
            layers=wall,
            windows=[window],
        ),
        OpaqueElement(area=16.2 * scale, orientation=Orientation(90, 90), layers=wall),
        OpaqueElement(area=21.6 * scale, orientation=Orientation(90, 180), layers=wall),
        OpaqueElement(area=16.2 * scale, orientation=Orientation(90, 270), layers=wall),
        OpaqueElement(area=48.0 * scale, orientation=Orientation(180, 0), layers=roof),
        OpaqueElement(area=48.0 * scale, orientation=Orientation(0, 0), layers=floor),
    ]
    for face, share in zip(faces, (1.0, _SIDE, _NORTH, _SIDE, _ROOF, 0.0), strict=True):
        face.set_solar_irradiation(sun * share, np.zeros(outdoor.size))
    faces[-1].external_temperature = np.full(outdoor.size, _GROUND_C)
    zone = Zone(
        opaque_elements=faces,
        usable_floor_area=48.0 * scale,
        internal_gains=[np.full(outdoor.size, house["gains_w"])],
        lower_temperature_limit=np.array(house["target_c"]),
        upper_temperature_limit=60.0,
        ventilation=[Ventilation(house["air_per_h"] * 129.6 * scale, 0.0, outdoor)],
        internal_heat_capacity_per_m2=house["inner_j_per_m2_k"],
    )
    return Building(weather, zone), zone


def system(building: Building, zone: Zone) -> dict[str, Any]:
    """Return the node system without the unknowns for heat: static, capacity, constant, heat."""
    nodes = zone.air_temperature.idx + 1
    rates = np.diag(building.res_multiplication)[:nodes]
    matrix = building._basic_matrix  # noqa: SLF001 - its assembled system is what is asked for
    static = matrix[:nodes, :nodes] - np.diag(rates)
    air = zone.air_temperature.idx
    static[air, air] += zone.h_vent[0]
    room = matrix[zone.operative_temperature.idx, :nodes] / 2.0
    kept = np.arange(nodes) != zone.operative_temperature.idx
    return {
        "static": static[np.ix_(kept, kept)],
        "capacity": (rates * 3600.0)[kept],
        "constant": building.res_constant[:nodes][kept],
        "heat": -matrix[:nodes, zone.heat_load_var.idx][kept],
        "room": room[kept],
        "air": int(kept[:air].sum()),
    }


def heat_loss_w_per_k(parts: dict[str, Any]) -> float:
    """Return the watts that warm the room by one kelvin in the long run."""
    return float(1.0 / (parts["room"] @ np.linalg.solve(parts["static"], parts["heat"])))


def main(houses: Path, folder: Path) -> None:
    """Write a node system and the package's own results for each house."""
    for house in json.loads(houses.read_text()):
        one_day = {name: house[name][:24] for name in ("outdoor_c", "sun_w_per_m2", "target_c")}
        building, zone = assemble({**house, **one_day}, 1.0)
        building.calculate()
        scale = house["heat_loss_w_per_k"] / heat_loss_w_per_k(system(building, zone))
        building, zone = assemble(house, scale)
        building.calculate()
        np.savez(
            folder / f"{house['number']}.npz",
            **system(building, zone),
            outdoor_c=np.array(house["outdoor_c"]),
            own_heat_w=zone.heat_load,
            own_air_c=zone.air_temperature[:],
            own_room_c=zone.operative_temperature[:],
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
