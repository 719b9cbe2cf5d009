"""Python 3.14, which Home Assistant needs and few systems have yet.

Tried in this order: one that is installed; a build that uv can download; Debian forky's packages,
unpacked into a private folder with their own loader and libraries, so that the host's Python and
libc stay untouched.
"""

import shutil
from pathlib import Path
from typing import Final

from tools.paths import DEV
from tools.setup.console import run, say
from tools.setup.debian import Archive
from tools.setup.errors import SetupError
from tools.setup.patchelf import PATCHELF_LOCK, patchelf
from tools.setup.stamp import Stamp
from tools.setup.uv import fetch_python, find_python

#: Home Assistant's own lower bound.
_WANTED: Final = ">=3.14.2,<3.15"
_FOLDER: Final = DEV / "python314"
_PROOF: Final = "import ssl, sqlite3, ctypes, compression.zstd"
_FAILURE: Final = (
    "Python 3.14 could not be prepared. Home Assistant needs 3.14.2 or newer: install it as "
    "`python3.14`, or use a machine where uv can download it or apt-get reaches a Debian archive."
)


def python314() -> Path:
    """Return a Python that Home Assistant runs on; prepare one first if there is none."""
    private = _FOLDER / "root/usr/bin/python3.14"
    stamp = Stamp(_FOLDER, PATCHELF_LOCK)
    if stamp.is_current():
        return private
    if (found := find_python(_WANTED)) is not None:
        return found
    say("Fetching Python 3.14 (34 MB)")
    if (fetched := fetch_python(_WANTED)) is not None:
        return fetched
    say("uv cannot download it here: fetching Debian's packages (30 MB) into .dev/python314")
    try:
        _unpack_debian(private)
    except SetupError as err:
        raise SetupError(f"{_FAILURE}\n{err}") from err
    stamp.write()
    return private


def _unpack_debian(python: Path) -> None:
    """Unpack forky's python3.14 with all its libraries under `_FOLDER/root` and bind it to them."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    root, apt = _FOLDER / "root", _FOLDER / "apt"
    archive = Archive(apt, "forky")
    archive.fetch("python3.14", "python3.14-venv")
    # Only the headers: what they depend on is a compiler's world, and the host has its own.
    archive.download("python3.14-dev", "libpython3.14-dev")
    archive.unpack(root)
    shutil.rmtree(apt)
    _bind_to_own_libraries(python, root)


def _bind_to_own_libraries(python: Path, root: Path) -> None:
    """Let the interpreter load forky's own libraries, and let C extensions find its headers."""
    loaders = [
        path for depth in ("*", "/*") for path in root.glob(f"usr/lib{depth}/ld-linux*.so.*")
    ]
    if not loaders:
        raise SetupError("Debian's libc6 package brought no loader.")
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent
    (root / "usr/include/python3.14" / libraries.name).symlink_to(Path("..") / libraries.name)
    run(
        [
            *(patchelf(), "--force-rpath", "--set-rpath", libraries),
            *("--set-interpreter", loaders[0], python),
        ],
        failure="The unpacked Python could not be bound to its libraries.",
    )
    run([python, "-c", _PROOF], failure="The unpacked Python does not start.")
