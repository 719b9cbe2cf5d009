"""Processes as /proc shows them: the proof, beside what a program says of itself."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

DEADLINE_S = 60.0


def cpu_s(pids: Iterable[int]) -> float:
    """Return the CPU time that these processes have used, in seconds."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the processes that this one started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def is_alive(pid: int) -> bool:
    """Whether a process is there and more than a zombie."""
    try:
        return _stat(pid)[0] not in "ZX"
    except OSError:
        return False


def group(leader: int) -> list[int]:
    """Return the living processes of a process group, in the order of their pids."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _stat(int(folder.name))
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] not in "ZX":
            found.append(int(folder.name))
    return sorted(found)


async def until(condition: Callable[[], bool], every_s: float = 0.02) -> None:
    """Wait until something that nobody announces is true."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(every_s)


async def at_rest(pids: Iterable[int]) -> float:
    """Wait until the CPU time of these processes stands still, and return it in seconds.

    On a loaded machine a polite process may get nothing for half a second, so it takes a whole one.
    """
    watched, seen = list(pids), [-1.0]

    def rests() -> bool:
        seen.append(cpu_s(watched))
        return len(seen) > 5 and len(set(seen[-5:])) == 1

    await until(rests, every_s=0.25)
    return seen[-1]


def _stat(pid: int) -> list[str]:
    """Return /proc/PID/stat after the name: state, ppid, group... Source: proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()


FAMILY = """
import pathlib, subprocess, sys, time
young = subprocess.Popen([sys.executable, "-c", "import signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"],
    stdout=subprocess.PIPE)
young.stdout.readline()
pathlib.Path({file!r}).write_text(f"{{young.pid}}\\n")
{then}
"""


async def until_text(file: Path) -> str:
    text: list[str] = []

    def written() -> bool:
        text[:] = [file.read_text() if file.exists() else ""]
        return text[0] != ""

    await until(written)
    return text[0]
