"""`./dev lock`: resolves the requirements again and writes the lock files.

The locks are requirements files that pin every package by hash and name no index, so that they
install from whichever index or mirror a machine is set up to use (docs/decisions/0001).
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.paths import ROOT
from tools.setup.console import say
from tools.setup.errors import SetupError
from tools.setup.uv import run_uv

_BRIDGE: Final = ROOT / "bridge/pyproject.toml"
_BRIDGE_TESTS: Final = (_BRIDGE, "--group", f"{_BRIDGE}:test")
_BRIDGE_ALL: Final = (*_BRIDGE_TESTS, "--extra", "xllamacpp", "--extra", "demo-broker")
_ROOT_GROUPS: Final = ("--group", "home-assistant", "--group", "test", "--group", "lint")
_OPTIONS: Final = (
    *("--quiet", "--universal", "--generate-hashes", "--upgrade"),
    *("--no-emit-index-url", "--no-header", "--no-annotate"),
)


@dataclass(frozen=True)
class Lock:
    """A lock file, the oldest Python it is for and what it is resolved from."""

    file: Path
    python: str
    sources: tuple[Path | str, ...]


def locks() -> list[Lock]:
    """Return every lock that is resolved; the model's is one fixed file and kept by hand."""
    rig = (_BRIDGE, "--extra", "xllamacpp", "--constraint", ROOT / "bridge/requirements.lock")
    programs = sorted((ROOT / "tools").rglob("*.in"))
    llama_cpp_python = (*_BRIDGE_TESTS, "--extra", "llama-cpp-python")
    return [
        Lock(
            ROOT / "requirements.lock",
            "3.14.2",
            (ROOT / "pyproject.toml", *_ROOT_GROUPS, *_BRIDGE_ALL),
        ),
        Lock(ROOT / "bridge/requirements.lock", "3.11", _BRIDGE_ALL),
        Lock(ROOT / "bridge/requirements-rig.lock", "3.11", rig),
        Lock(ROOT / "bridge/requirements-llama-cpp-python.lock", "3.11", llama_cpp_python),
        *(Lock(program.with_suffix(".lock"), "3.11", (program,)) for program in programs),
    ]


def main() -> int:
    """Write every lock and return the exit status."""
    for lock in locks():
        name = lock.file.relative_to(ROOT)
        say(f"Resolving {name}")
        try:
            run_uv(
                *("pip", "compile", *_OPTIONS, "--python-version", lock.python),
                *("--output-file", lock.file, *lock.sources),
                failure=f"{name} could not be resolved.",
            )
        except SetupError as err:
            print(err, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
