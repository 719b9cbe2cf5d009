"""The locked virtual environments: made once, updated only if what they are made from has changed.

Each is a hash-pinned requirements file plus, except for other people's programs, the bridge from
this clone (editable).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tools.paths import DEV, ROOT
from tools.setup.console import say, succeeds
from tools.setup.programs import require_programs
from tools.setup.python314 import python314
from tools.setup.stamp import Stamp
from tools.setup.uv import fetch_python, find_python, run_uv

_BRIDGE: Final = ROOT / "bridge"
_BRIDGE_PYTHON: Final = (3, 11)


@dataclass(frozen=True)
class Environment:
    """A virtual environment and what it is made from."""

    name: str
    folder: Path
    lock: Path
    python: Literal["3.11", "3.14"]
    #: What the newcomer waits for.
    contains: str
    with_bridge: bool = True
    compiles: bool = False

    @property
    def interpreter(self) -> Path:
        """The environment's Python."""
        return self.folder / "bin/python"

    def is_ready(self) -> bool:
        """Say whether the environment is complete and up to date."""
        return self._stamp().is_current() and self.interpreter.exists()

    def prepare(self) -> Path:
        """Make or update the environment if needed and return its Python.

        Raises SetupError where Python or a package cannot be had.
        """
        if self.is_ready():
            return self.interpreter
        if self.compiles:
            require_programs(["gcc", "g++"])
        if not self._has_python():
            python = python314() if self.python == "3.14" else _python311()
            run_uv(
                *("venv", "--clear", "--no-project", "--python", python, self.folder),
                failure=f"{self.folder} could not be made.",
            )
        say(f"Installing {self.name}: {self.contains}")
        run_uv(
            *("pip", "sync", "--require-hashes", "--python", self.interpreter, self.lock),
            failure=f"The packages of {self.lock.relative_to(ROOT)} could not be installed.",
        )
        if self.with_bridge:
            self._install_bridge()
        self._stamp().write()
        return self.interpreter

    def _stamp(self) -> Stamp:
        sources: list[Path | str] = [self.lock, self.python]
        if self.with_bridge:
            sources.append(_BRIDGE / "pyproject.toml")
        return Stamp(self.folder, *sources)

    def _has_python(self) -> bool:
        """Say whether the folder's Python starts and is its own: a moved clone's is not."""
        expected = f"import sys; sys.exit(sys.prefix != {str(self.folder)!r})"
        return self.interpreter.exists() and succeeds([self.interpreter, "-c", expected])

    def _install_bridge(self) -> None:
        # Its build backend is in the lock: a build in isolation would fetch one that nobody pinned.
        run_uv(
            *("pip", "install", "--no-deps", "--no-build-isolation"),
            *("--python", self.interpreter, "--editable", _BRIDGE),
            failure="The bridge could not be installed from ./bridge.",
        )


HOME_ASSISTANT: Final = Environment(
    name="Home Assistant, its tests and the linters",
    folder=ROOT / ".venv",
    lock=ROOT / "requirements.lock",
    python="3.14",
    contains="200 packages, 330 MB",
    compiles=True,
)
BRIDGE: Final = Environment(
    name="the bridge and its tests",
    folder=_BRIDGE / ".venv",
    lock=_BRIDGE / "requirements.lock",
    python="3.11",
    contains="40 packages, 50 MB",
)
LLAMA_CPP_PYTHON: Final = Environment(
    name="llama-cpp-python",
    folder=DEV / "llama-cpp-python",
    lock=_BRIDGE / "requirements-llama-cpp-python.lock",
    python="3.11",
    contains="70 MB to fetch, then up to 10 minutes to compile on two cores",
    compiles=True,
)


def script_environment(name: str, lock: Path) -> Path:
    """Prepare `.dev/environments/NAME` for somebody else's program and return its Python (3.11).

    Raises SetupError where a package cannot be had.
    """
    contains = f"what {lock.relative_to(ROOT)} lists"
    folder = DEV / "environments" / name
    return Environment(name, folder, lock, "3.11", contains, with_bridge=False).prepare()


def _python311() -> Path:
    """Return the oldest Python a rig may have; failing that, say so and return the one in use."""
    if sys.version_info[:2] == _BRIDGE_PYTHON:
        return Path(sys.executable)
    if (found := find_python("3.11")) is not None:
        return found
    say("Fetching Python 3.11 (30 MB)")
    if (fetched := fetch_python("3.11")) is not None:
        return fetched
    host = ".".join(map(str, sys.version_info[:2]))
    say(f"Python 3.11 is not to be had here: the bridge runs on {host}")
    return Path(sys.executable)
