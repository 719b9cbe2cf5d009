"""Progress for people (on standard error: a command's own output stays clean), and children."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.setup.errors import SetupError

_LAST_LINES: Final = 15
#: Variables that would let the caller's own Python world leak into ours.
_FOREIGN: Final = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
)


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"· {text}", file=sys.stderr, flush=True)


def clean_environment() -> dict[str, str]:
    """Return the environment for every child: the caller's, without its Python settings."""
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    environment["PYTHONNOUSERSITE"] = "1"
    return environment


def run(
    command: Sequence[str | Path],
    *,
    failure: str,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run a command quietly and return its standard output.

    Raises SetupError with `failure` and the command's last lines if it cannot start, fails or
    takes too long.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env=dict(environment or clean_environment()),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except OSError as err:
        raise SetupError(f"{failure} ({command[0]} did not start: {err.strerror})") from err
    except subprocess.TimeoutExpired as err:
        raise SetupError(f"{failure} (it took more than {err.timeout:.0f} s)") from err
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-_LAST_LINES:]
        raise SetupError("\n".join([failure, *(f"    {line}" for line in said)]))
    return done.stdout


def succeeds(command: Sequence[str | Path]) -> bool:
    """Run a short command and say whether it worked."""
    try:
        run(command, failure="", timeout_s=60)
    except SetupError:
        return False
    return True
