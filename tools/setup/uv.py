"""uv, which installs everything else: one pinned version in a virtual environment of its own."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from tools.paths import DEV, ROOT
from tools.setup.console import clean_environment, run, say
from tools.setup.errors import SetupError
from tools.setup.programs import require_programs
from tools.setup.stamp import Stamp

_LOCK: Final = ROOT / "tools/locks/uv.lock"
_FOLDER: Final = DEV / "uv"
_UV: Final = _FOLDER / "bin/uv"
_PYTHON_LIMIT_S: Final = 300.0


def uv() -> Path:
    """Return the path of uv; fetch it first if this clone has none."""
    stamp = Stamp(_FOLDER, _LOCK)
    if stamp.is_current():
        return _UV
    require_programs(["python3-venv"])
    say("Fetching uv (24 MB), which installs everything else")
    make_with_pip(_FOLDER, _LOCK)
    stamp.write()
    return _UV


def make_with_pip(folder: Path, lock: Path) -> None:
    """Make a virtual environment of the host's Python and install a hash-pinned file with pip."""
    failure = f"Python could not make {folder}."
    # A tool may run on Debian's bare 3.14, which cannot make environments; the host's Python can.
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    outside = os.pathsep.join(one for one in path if not Path(one).is_relative_to(ROOT))
    host = shutil.which("python3", path=outside) or sys.executable
    run([host, "-m", "venv", "--clear", folder], failure=failure)
    run(
        [folder / "bin/pip", "install", "--quiet", "--require-hashes", "-r", lock],
        failure=f"{lock.stem} could not be fetched from the Python package index.",
    )


def uv_environment() -> dict[str, str]:
    """Return uv's environment: outside the clone, it writes its ordinary cache and nothing else."""
    environment = clean_environment() | {
        "UV_PYTHON_INSTALL_DIR": str(DEV / "python"),
        "UV_NO_PROGRESS": "" if sys.stderr.isatty() else "1",
    }
    home = environment.get("HOME")
    if not home or not os.access(home, os.W_OK):
        environment.setdefault("UV_CACHE_DIR", str(DEV / "cache/uv"))
    return environment


def run_uv(*arguments: str | Path, failure: str, timeout_s: float | None = None) -> str:
    """Run uv quietly and return what it printed; raises SetupError with `failure`."""
    environment = uv_environment()
    return run([uv(), *arguments], failure=failure, environment=environment, timeout_s=timeout_s)


def find_python(wanted: str) -> Path | None:
    """Return an installed Python of that version or range, or None."""
    command = ("python", "find", "--system", "--no-project", "--no-python-downloads", wanted)
    try:
        return Path(run_uv(*command, failure="", timeout_s=60).strip())
    except SetupError:
        return None


def fetch_python(wanted: str) -> Path | None:
    """Let uv download a Python and return it, or None where it cannot."""
    try:
        run_uv("python", "install", "--no-bin", wanted, failure="", timeout_s=_PYTHON_LIMIT_S)
    except SetupError:
        return None
    return find_python(wanted)
