"""`./dev fix`: corrects what can be corrected by itself (lint, format, the wire's copy)."""

import sys

from tools import wire
from tools.paths import ROOT_PYTHON
from tools.steps import Outcome, Step, program, run_steps


def _write_wire() -> Outcome:
    wire.write()
    return Outcome(ok=True)


def main() -> int:
    """Fix, and return the exit status: 1 where something is left for a person."""
    ruff = (ROOT_PYTHON, "-m", "ruff")
    steps = [
        program("lint", [*ruff, "check", "--fix", "--quiet", "."]),
        program("format", [*ruff, "format", "--quiet", "."]),
        Step("wire", _write_wire),
    ]
    return 0 if run_steps(steps) else 1


if __name__ == "__main__":
    sys.exit(main())
