"""An owner's file for the doctor, and its findings by what they are about."""

from collections.abc import Sequence
from pathlib import Path

from hashcenter_bridge import config
from hashcenter_bridge.config import Config, Source
from hashcenter_bridge.finding import Finding


def loaded(folder: Path, more: str = "", *, rig: str = "", port: int = 1) -> tuple[Config, Source]:
    """Write the file and return what it says."""
    file = folder / "hashcenter.toml"
    file.write_text(
        f'[rig]\nid = "attic"\nstate_folder = "{folder}/state"\n'
        f'runtime_folder = "{folder}/run"\n{rig}\n[mqtt]\nport = {port}\n{more}\n'
    )
    return config.load(file)


def by_check(findings: Sequence[Finding]) -> dict[str, Finding]:
    """Return each finding by what it is about; none is said twice."""
    found = {one.check: one for one in findings}
    assert len(found) == len(findings)
    return found
