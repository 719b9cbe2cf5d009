"""What each program takes of each GPU's memory, learned from the driver's lists of processes.

A program's processes are those of the session that the bridge started it in, and what these start.
The most that was seen is remembered, until its block in the owner's file changes. What stays taken
after a program ended is told: memory that a process left behind is no room for the next one.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from .metering import Watched
from .plugin import ProgramConfig

#: A program is measured once it worked for so long: the lists are asked every 15 s.
_SETTLED_S: Final = 20.0
#: Where nobody is listed and nothing of ours runs, more than this is somebody's.
_SOMEBODY_MIB: Final = 1536.0
_NEWS_MIB: Final = 1.0
#: A driver may list a process a moment longer than it lives.
_LEFT_S: Final = 10.0

#: A process's parent and its session.
Family: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Occupant:
    """A program of ours: the process that leads its session, and since when it works (s)."""

    name: str
    config: ProgramConfig
    gpus: tuple[str, ...]
    pid: int | None
    since: float | None


@dataclass(frozen=True)
class _Left:
    program: str
    memory_mib: float
    since: float


def family_of(pid: int) -> Family | None:
    """Return a process's parent and session, None if it is gone. Source: proc_pid_stat(5)."""
    with suppress(OSError, ValueError, IndexError):
        parts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(parts[1]), int(parts[3])
    return None


@dataclass
class VideoMemory:
    """`kept` outlives the bridge: MiB by GPU, by a program's name and block."""

    kept: dict[str, dict[str, float]]
    family: Callable[[int], Family | None] = family_of
    _users: dict[str, object] = field(default_factory=dict)
    _ours: dict[int, str] = field(default_factory=dict)
    _strangers: dict[str, float] = field(default_factory=dict)
    _left: dict[tuple[str, int], _Left] = field(default_factory=dict)

    def look(
        self, watched: Mapping[str, Watched], programs: Iterable[Occupant], now: float
    ) -> bool:
        """Learn from the last look at each GPU; return whether anything new is to be kept."""
        programs = list(programs)
        learned = False
        for uid, one in watched.items():
            if one.users is None or self._users.get(uid) is one.users:
                continue
            self._users[uid] = one.users
            learned |= self._learn(uid, one.users, one.readings.memory_used_mib, programs, now)
        return learned

    def _learn(
        self,
        uid: str,
        users: Mapping[int, float | None],
        used_mib: float | None,
        programs: list[Occupant],
        now: float,
    ) -> bool:
        leaders = {one.pid: one for one in programs if one.pid is not None}
        sums = {one.name: 0.0 for one in programs if uid in one.gpus}
        told = True
        held_mib = 0.0
        left: dict[tuple[str, int], _Left] = {}
        for pid, memory_mib in users.items():
            owner = self._owner(pid, leaders)
            if owner is not None:
                self._ours[pid] = owner.name
                told = told and memory_mib is not None
                held_mib += memory_mib or 0.0
                sums[owner.name] = sums.get(owner.name, 0.0) + (memory_mib or 0.0)
            elif pid in self._ours and memory_mib:
                before = self._left.get((uid, pid))
                since = before.since if before else now
                left[(uid, pid)] = _Left(self._ours[pid], memory_mib, since)
                held_mib += memory_mib if self.family(pid) is None else 0.0
        self._left = {key: one for key, one in self._left.items() if key[0] != uid} | left
        if used_mib is not None and told:
            self._strangers[uid] = max(0.0, used_mib - held_mib)
        else:
            self._strangers.pop(uid, None)
        listed = {pid for one in self._users.values() if isinstance(one, Mapping) for pid in one}
        self._ours = {pid: name for pid, name in self._ours.items() if pid in listed}
        if not told:
            return False
        learned = False
        for one in programs:
            if uid not in one.gpus or one.since is None or now - one.since < _SETTLED_S:
                continue
            known = self.kept.setdefault(_mark(one.name, one.config), {})
            if uid not in known or sums[one.name] > known[uid] + _NEWS_MIB:
                known[uid] = round(sums[one.name], 1)
                learned = True
        return learned

    def _owner(self, pid: int, leaders: Mapping[int, Occupant]) -> Occupant | None:
        """Return whose process it is, by its session or that of one of its parents."""
        while pid > 1:
            family = self.family(pid)
            if family is None:
                return None
            parent, session = family
            if session in leaders:
                return leaders[session]
            pid = parent
        return None

    def needs(self, name: str, config: ProgramConfig, gpus: tuple[str, ...]) -> Mapping[str, float]:
        """Return what a program takes of each GPU, in MiB: the owner's word, else what was seen."""
        if config.memory_mib is not None:
            return dict.fromkeys(gpus, config.memory_mib)
        return self.kept.get(_mark(name, config), {})

    def forget_others(self, programs: Iterable[tuple[str, ProgramConfig]]) -> None:
        """Drop what is kept of blocks that are no longer in the owner's file."""
        marks = {_mark(name, config) for name, config in programs}
        for mark in set(self.kept) - marks:
            del self.kept[mark]

    def strangers_mib(self, uid: str) -> float | None:
        """Return what none of ours holds of a GPU; None while it cannot be told apart."""
        return self._strangers.get(uid)

    def left_behind(self, now: float) -> dict[str, str]:
        """Return the GPUs on which a program that ended left something, with a sentence each."""
        return {
            uid: f"{left.program} was stopped, but its process {pid} still holds "
            f"{left.memory_mib:.0f} MiB of the GPU's memory: end it (kill {pid})"
            for (uid, pid), left in self._left.items()
            if now - left.since >= _LEFT_S
        }


def is_somebodys(watched: Watched, *, ours_here: bool) -> bool:
    """Whether a GPU whose driver lists nobody is in use by somebody, as far as it can be told."""
    used_mib = watched.readings.memory_used_mib
    unlisted = "foreign_processes" in watched.readings.missing
    return unlisted and not ours_here and used_mib is not None and used_mib > _SOMEBODY_MIB


def _mark(name: str, config: ProgramConfig) -> str:
    """A program and its block: with another model or coin it takes another amount."""
    return f"{name}:{hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]}"
