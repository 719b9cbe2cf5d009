"""Who is on a GPU and with how much of its memory, as the driver lists them.

A driver may list nobody to us (another user's container, no permission) or tell no memory: then it
is unknown, with a reason, and never "nobody". A divided GPU (MIG) belongs to whoever divided it.
Everything here runs on the worker's thread.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from . import sources
from .library import nvml

_MIB: Final = 1048576
_DIVIDED: Final = "it is divided (MIG): other programs have parts of it"


@dataclass(frozen=True)
class Users:
    """`memory_mib` by process, None where the driver does not tell; None: it lists nobody to us.

    `foreign` are strangers that have the GPU to themselves, `why` says why it is theirs.
    `missing`: why nobody is listed.
    """

    memory_mib: Mapping[int, float | None] | None = None
    foreign: tuple[int, ...] = ()
    why: str | None = None
    missing: str = ""


@dataclass
class Watch:
    """Looks at one GPU again and again. `foreign_mib`: a desktop's windows hold less."""

    foreign_mib: float
    last: Users = field(default_factory=Users)
    _lists: list[Callable[[Any], Any]] = field(default_factory=list)
    _divided: bool = False

    def probe(self, gpu: Any) -> bool:
        """Find out what this driver can list; return whether that is anything."""
        self._lists = sources.process_lists(gpu)
        with suppress(nvml.NVMLError, AttributeError):
            self._divided = bool(nvml.nvmlDeviceGetMigMode(gpu)[0])
        return bool(self._lists)

    def look(self, gpu: Any, own: Callable[[], frozenset[int]]) -> Users:
        """Ask once; `own` tells which processes are the bridge's. Raises NVMLError: GPU lost."""
        memory: dict[int, float | None] = {}
        computing: set[int] = set()
        missing = ""
        for index, read in enumerate(self._lists):
            try:
                listed = read(gpu)
            except nvml.NVMLError as err:
                if sources.code_of(err) in sources.LOST:
                    raise
                missing = f"the driver answered: {err}"
                continue
            for process in listed:
                used, before_mib = process.usedGpuMemory, memory.get(process.pid)
                held_mib = before_mib if used is None else used / _MIB
                # One that draws and computes is in both lists, with the same memory.
                memory[process.pid] = held_mib
                if index == 0:
                    computing.add(process.pid)
        known = not missing and bool(self._lists)
        strangers = self.last.foreign if missing else self._strangers(memory, computing, own)
        foreign = tuple(sorted(pid for pid in strangers if _is_running(pid)))
        why = _DIVIDED if self._divided else "another program uses it" if foreign else None
        self.last = Users(memory if known else None, foreign, why, missing)
        return self.last

    def _strangers(
        self,
        memory: Mapping[int, float | None],
        computing: set[int],
        own: Callable[[], frozenset[int]],
    ) -> tuple[int, ...]:
        """Return who else holds a good part of the memory: a game, another model.

        One that computes and whose memory is not told may hold any part of it.
        """
        users = {
            pid
            for pid, held_mib in memory.items()
            if (pid in computing if held_mib is None else held_mib >= self.foreign_mib)
        }
        return tuple(users - own() if users else users)


def _is_running(pid: int) -> bool:
    """A pid that this machine does not know has ended, or is a container's own count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
