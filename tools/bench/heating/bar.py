"""The bar that our figures are held to, on the worse of the two models."""

from collections.abc import Mapping
from typing import Final

#: Figure -> (lowest, highest) that is allowed.
BAR: Final[Mapping[str, tuple[float, float]]] = {
    "excess_rmse_k": (-1.0, 0.25),
    "excess_overshoot_k": (-5.0, 0.7),
    "energy_vs_ideal_percent": (-3.0, 3.0),
    "asic_starts_per_day_worst": (0.0, 2.0),
    "tracking_error_percent": (0.0, 4.0),
    "circuit_violation_s_max": (0.0, 0.0),
}
DECIDE: Final[Mapping[str, float]] = {"decide_ms_median": 5.0, "decide_ms_p99": 20.0}
_MODELS: Final = ("2r2c", "iso52016")


def misses(figures: Mapping[str, float], houses: int) -> list[str]:
    """Return a sentence for every figure that does not meet the bar, or makes it too easy."""
    found = []
    for model in _MODELS:
        bind = figures[f"{model}.houses_whose_circuits_bind"]
        if bind < houses // 3:
            found.append(f"{model}: circuits bind in {bind:.0f} of {houses} houses, not in a third")
        for name, (lowest, highest) in BAR.items():
            value = figures[f"{model}.hashcenter.{name}"]
            if not lowest <= value <= highest:
                found.append(f"{model}: {name} is {value:.3f}, not in {lowest:g} to {highest:g}")
    return found


def slow(figures: Mapping[str, float]) -> list[str]:
    """Return a sentence for every time that does not meet the bar on this machine, now."""
    return [
        f"{name} is {figures[name]:.2f}, above {most:g}"
        for name, most in DECIDE.items()
        if figures[name] > most
    ]
