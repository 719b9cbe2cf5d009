"""`./dev test [PATHS] [pytest's options]`: every test that needs no GPU, each suite in its world.

A suite is a set of folders, the Python they run on and, for the integration, Home Assistant's
harness. Paths choose suites and tests within them. The last line adds all suites up.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.paths import BRIDGE_PYTHON, ROOT, ROOT_PYTHON
from tools.setup.console import clean_environment
from tools.setup.environments import LLAMA_CPP_PYTHON
from tools.setup.errors import SetupError
from tools.setup.programs import require_programs

_EVERYWHERE: Final = ("tests/bridge", "tests/wire", "tests/control", "tests/conformance")
_NOTHING_COLLECTED: Final = 5
_FLEET: Final = "HASHCENTER_TEST_FLEET"
_PACKAGES: Final = "HASHCENTER_TEST_PACKAGES"
_LLAMA_CPP_PYTHON: Final = "HASHCENTER_TEST_LLAMA_CPP_PYTHON"


@dataclass(frozen=True)
class Suite:
    """Folders of tests and the Python that runs them."""

    name: str
    python: Path
    folders: tuple[str, ...]
    options: tuple[str, ...] = ()

    def targets(self, paths: Sequence[str]) -> list[str]:
        """Return what pytest is given: the asked paths in these folders, or all of them."""
        folders = [folder for folder in self.folders if (ROOT / folder).is_dir()]
        if not paths:
            return folders
        inside = [path for path in paths if any(_is_within(path, folder) for folder in folders)]
        around = [folder for folder in folders if any(_is_within(folder, path) for path in paths)]
        return sorted({*inside, *around})


@dataclass(frozen=True)
class Result:
    """What one suite came to."""

    ok: bool
    counts: Counter[str]
    skipped: Counter[str]


def suites() -> list[Suite]:
    """Return the suites in the order in which a failure tells most."""
    listed = [
        Suite("on a rig's Python 3.11", BRIDGE_PYTHON, _EVERYWHERE),
        Suite("the same on Python 3.14", ROOT_PYTHON, (*_EVERYWHERE, "tests/tools")),
        Suite("in Home Assistant's harness", ROOT_PYTHON, ("tests/component",)),
        Suite("closed loop on a building", ROOT_PYTHON, ("tests/heating",)),
        Suite("end to end", ROOT_PYTHON, ("tests/e2e", "tests/chaos")),
    ]
    if os.environ.get(_PACKAGES) == "1":
        listed.append(Suite("on a throw-away machine", ROOT_PYTHON, ("tests/packages",)))
    if os.environ.get(_LLAMA_CPP_PYTHON) == "1":
        python = LLAMA_CPP_PYTHON.prepare()
        marked = ("-m", "llama_cpp_python")
        listed.append(Suite("with llama-cpp-python", python, ("tests/bridge",), marked))
    return listed


def run_suite(
    suite: Suite, targets: Sequence[str], options: Sequence[str], *, partly: bool
) -> Result:
    """Run one suite with its output on the terminal; only if run `partly` may it have no test."""
    print(f"\n=== {suite.name}: {' '.join(targets)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(suite.python), "-m", "pytest", "-q", f"--junit-xml={report}"]
        command += [*suite.options, *options, *targets]
        environment = clean_environment()
        if "llama_cpp_python" not in suite.options:
            environment.pop(_LLAMA_CPP_PYTHON, None)
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        counts, skipped = _read(report)
    ok = status == 0 or (status == _NOTHING_COLLECTED and partly)
    if not ok and not counts["failed"]:
        counts["failed"] = 1
    return Result(ok, counts, skipped)


def _read(report: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the counts by outcome, and the reasons of what was skipped."""
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    if not report.exists():
        return counts, skipped
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        skip = case.find("skipped")
        if skip is not None and skip.get("type") != "pytest.xfail":
            counts["skipped"] += 1
            skipped[skip.get("message", "no reason given")] += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        else:
            counts["passed"] += 1
    return counts, skipped


def _is_test_path(word: str) -> bool:
    return _is_within(word, "tests") and (ROOT / word.partition("::")[0]).exists()


def _is_within(path: str, folder: str) -> bool:
    file = (ROOT / path.partition("::")[0]).resolve()
    return file.is_relative_to((ROOT / folder).resolve())


def main(arguments: Sequence[str]) -> int:
    """Run the suites that the paths among the arguments choose; return the exit status."""
    paths = [word for word in arguments if _is_test_path(word)]
    options = [word for word in arguments if word not in paths]
    totals: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    ok = True
    try:
        require_programs(["gcc", "mosquitto"])
        if os.environ.get(_FLEET) == "1":
            require_programs(["erl", "nginx"])
        for suite in suites():
            if targets := suite.targets(paths):
                result = run_suite(suite, targets, options, partly=bool(arguments))
                ok &= result.ok
                totals += result.counts
                skipped += result.skipped
    except SetupError as err:
        print(err, file=sys.stderr)
        return 1
    print()
    for reason, number in skipped.items():
        print(f"{number} skipped: {reason}")
    if not totals.total():
        print("No test was found for this.")
        ok = False
    print(", ".join(f"{totals[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
