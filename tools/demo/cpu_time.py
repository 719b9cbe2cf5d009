"""How much CPU time processes used, from the kernel: what proves that something runs, or rests."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from tools.demo.processes import command_of, marked

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Iterable[int]) -> dict[int, float]:
    """Return the CPU seconds of each process that is there. Source: proc_pid_stat(5), 14 and 15."""
    used = {}
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            used[pid] = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return used


def used_since(before: dict[int, float], pids: Iterable[int]) -> float:
    """Return the CPU seconds used since `before`; a process that began later counts whole."""
    return sum(now - before.get(pid, 0.0) for pid, now in cpu_s(pids).items())


def miners(mark: str) -> list[int]:
    """Return the miners' processes of the demo with this mark."""
    return [pid for pid in marked(mark) if "miner" in command_of(pid)]
