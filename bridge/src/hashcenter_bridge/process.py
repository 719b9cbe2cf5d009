"""Starts a program so that nothing of it outlives the bridge, and knows which processes are ours.

The program runs in a session of its own. Beside it waits a guard, a shell that holds one end of a
pipe: when the bridge dies, in whatever way, the pipe ends and the guard kills the program's process
group. `launch.py` has the kernel do the same to the program itself.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from . import launch
from .output import Output

_GUARD: Final = 'trap "" INT TERM HUP; read _; kill -s KILL -- "-$1" 2>/dev/null'


@asynccontextmanager
async def started(
    argv: Sequence[str],
    environment: Mapping[str, str],
    nice: int,
    output: Output,
    network: str = launch.HOST,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start `argv`, with what it prints going to `output`; on leaving its whole group is killed.

    `network` is one of those of `launch.py`.

    Raises OSError when no process can be started; a program that is not there ends with code 1.
    Call it from the main thread: the kernel ties a child to the thread that started it.
    """
    read_end, write_end = os.pipe()
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: output, os.fdopen(read_end, "rb", buffering=0)
        )
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-I",
                "-S",
                launch.__file__,
                str(os.getpid()),
                str(nice),
                network,
                *argv,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env={**os.environ, **environment},
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(write_end)
    try:
        async with _guarded(process):
            yield process
    finally:
        await output.end()
        transport.close()


@asynccontextmanager
async def _guarded(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """Hold a guard beside `process`: leaving this, or the bridge's death, kills its whole group."""
    its_end, our_end = os.pipe()
    try:
        guard = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", _GUARD, "hashcenter-guard", str(process.pid)),
            stdin=its_end,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except BaseException:
        os.close(our_end)
        _kill_group(process)
        raise
    finally:
        os.close(its_end)
    try:
        yield
    finally:
        _kill_group(process)
        os.close(our_end)
        await guard.wait()
        await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def own_pids() -> frozenset[int]:
    """Return the bridge's own process and all it started, however deep, as /proc shows them now.

    A process belongs to us through its parents, or through the session that a child of ours leads.
    Source: proc_pid_stat(5), fields ppid and session.
    """
    links: dict[int, tuple[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_bytes().rpartition(b")")[2].split()
            links[int(stat.parent.name)] = int(fields[1]), int(fields[3])
    own = {os.getpid()}
    foreign_session = os.getsid(0)
    while more := {
        pid
        for pid, (parent, session) in links.items()
        if pid not in own and (parent in own or (session in own and session != foreign_session))
    }:
        own |= more
    return frozenset(own)
