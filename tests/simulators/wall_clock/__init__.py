"""A wall clock that a test sets while a program runs: a preloaded library, built with gcc."""

import shutil
import subprocess
import time
from pathlib import Path

_SOURCE = Path(__file__).parent / "wall_clock.c"


class WallClock:
    """The wall clock of the programs that run in `environment`; it begins right."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("gcc")
        assert compiler is not None, "gcc is missing: apt-get install gcc"
        library = folder / "wall_clock.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", str(_SOURCE), "-o", str(library)]
        subprocess.run(command, check=True)
        self._file = folder / "wall_clock"
        self.environment = {"LD_PRELOAD": str(library), "WALL_CLOCK_FILE": str(self._file)}
        self.ahead(0)

    def ahead(self, seconds: int) -> None:
        """Let the clock be so many seconds ahead of the true time; negative is behind."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)

    def as_without_battery(self) -> None:
        """Let it be 1970, as on a machine that has no clock of its own."""
        self.ahead(-int(time.time()))
