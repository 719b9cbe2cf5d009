"""`./dev bench trust [--json] [--long]`: runs tests/chaos and gathers what was measured there.

Keys that end in `_max` are the largest of all stories; the others are counts and are added up.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from tools.paths import ROOT, ROOT_PYTHON
from tools.setup.console import clean_environment


def gathered(figures: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return one value for each name: the largest of a `_max`, the sum of a count."""
    found: dict[str, float] = {}
    for name, value in figures:
        before = found.get(name, 0.0)
        found[name] = max(before, value) if name.endswith("_max") else before + value
    return {name: round(value, 3) for name, value in sorted(found.items())}


def _figures(report: Path) -> list[tuple[str, float]]:
    tree = ET.parse(report)  # noqa: S314 - pytest wrote it a moment ago
    return [(one.attrib["name"], float(one.attrib["value"])) for one in tree.iter("property")]


def main(arguments: list[str]) -> int:
    """Run the command line and return its exit status: 0 when every story ended well."""
    parser = argparse.ArgumentParser(prog="./dev bench trust", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one flat object")
    parser.add_argument("--long", action="store_true", help="in full length, half an hour or more")
    chosen = parser.parse_args(arguments)
    environment = clean_environment()
    if chosen.long:
        environment["HASHCENTER_TEST_LONG"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(ROOT_PYTHON), "-m", "pytest", "-q", f"--junit-xml={report}", "tests/chaos"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
        figures = gathered(_figures(report))
    suite_failed = done.returncode != os.EX_OK
    if chosen.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28}{value:g}")
    return int(suite_failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
