"""docs/miners.md names every driver there is, and no other."""

import re
import tomllib

from tests.simulators.asic import PROTOCOLS
from tools.paths import ROOT

TEXT = (ROOT / "docs/miners.md").read_text()
POINTS = tomllib.loads((ROOT / "bridge/pyproject.toml").read_text())["project"]["entry-points"]


def _first_cells(heading: str) -> list[str]:
    """Return the plugins in the first column of the first table below a heading."""
    section = TEXT.partition(f"{heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


def test_every_asic_driver_is_described() -> None:
    drivers = sorted(POINTS["hashcenter.asics.v1"])
    assert sorted(_first_cells("## ASICs")) == drivers
    assert sorted(_first_cells("### How this was verified")) == drivers


def test_every_miner_plugin_is_described() -> None:
    described = set(_first_cells("## Programs on a GPU"))
    assert described == set(POINTS["hashcenter.miners.v1"])


def test_every_driver_has_a_simulated_machine() -> None:
    assert set(POINTS["hashcenter.asics.v1"]) <= set(PROTOCOLS)
