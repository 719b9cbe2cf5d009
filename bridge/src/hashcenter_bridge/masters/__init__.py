"""Who else sets this machine's GPUs: two masters on one card is one too many.

`find` looks at files and at the programs that run; it changes nothing. Each module beside this one
knows one such program. While any is found, nothing can be asked of the rig and no limit is set.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from . import hiveos, lact
from .master import Master

__all__ = ["Master", "find", "programs", "sentence"]

#: Where a machine's files begin; tests have another one.
ROOT = Path("/")
_LONGEST: Final = 400

Find: TypeAlias = Callable[[Path, Sequence[Sequence[str]]], Master | None]
_KNOWN: Final[tuple[Find, ...]] = (hiveos.find, lact.find)


def find(root: Path | None = None) -> tuple[Master, ...]:
    """Return the masters of the GPUs besides us; `root` is a folder that stands for /."""
    running = programs()
    found = (known(root or ROOT, running) for known in _KNOWN)
    return tuple(one for one in found if one is not None)


def programs(proc: Path = Path("/proc")) -> list[tuple[str, ...]]:
    """Return the command line of every process that this user may see; proc_pid_cmdline(5)."""
    found = []
    for file in proc.glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            line = file.read_bytes().rstrip(b"\0")
            if line:
                found.append(tuple(line.decode(errors="replace").split("\0")))
    return found


def sentence(masters: Iterable[Master]) -> str | None:
    """Return why nothing can be asked of the rig, None if it can."""
    said = [f"{one.claim}: {', '.join(one.does)}" for one in masters]
    if not said:
        return None
    end = ". Two masters on one card is one too many; `hashcenter doctor` says how to end it."
    return "; ".join(said)[: _LONGEST - len(end)] + end
