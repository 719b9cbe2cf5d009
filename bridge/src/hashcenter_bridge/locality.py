"""Proof that a model has no network: a test program tries to get out of where it runs, and fails.

`launch.py` puts a program into an empty network namespace; it is asked over a UNIX socket. What is
said here is never what was configured, but what was tried.
"""

import asyncio
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import escape, launch, process
from .output import Output

_WITHIN_S: Final = 10.0


@dataclass(frozen=True)
class Locality:
    """Whether what a model is asked stays here; None where nobody can tell. `why` is a sentence."""

    local: bool | None
    why: str


async def tried(pid: int, name: str) -> Locality:
    """Try to get out of the network of the program `pid`, called `name`."""
    code, said = 2, "nothing could be tried"
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_WITHIN_S):
            listening = await asyncio.start_server(_hang_up, "127.0.0.1", 0)
            async with listening:
                port = listening.sockets[0].getsockname()[1]
                code, said = await _run(escape.__file__, str(pid), str(port))
    if code == 0:
        return Locality(True, f"{name} has no network: a test could not get out of it")
    ways = ", ".join(said.split("\n"))
    if code == 1:
        return Locality(False, f"{name} has a network: {ways}")
    return Locality(None, f"whether {name} has a network is unknown: {ways}")


async def possible() -> str | None:
    """Return why this machine cannot run a program without a network, None if it can."""
    arguments = (str(os.getpid()), "0", launch.NONE, "true")
    try:
        async with asyncio.timeout(_WITHIN_S):
            code, said = await _run(launch.__file__, *arguments)
    except (OSError, TimeoutError) as err:
        return str(err) or "it could not be tried"
    return None if code == 0 else said


async def proven() -> Locality:
    """Start a program as models are, without a network, and try to get out from where it is."""
    name = "a program started as models are"
    try:
        async with (
            asyncio.timeout(_WITHIN_S),
            process.started(
                ("sleep", "60"), {}, 0, Output(name, time.monotonic), launch.NONE
            ) as child,
        ):
            while not _has_become(child.pid, "sleep"):  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.02)
            return await tried(child.pid, name)
    except (OSError, TimeoutError) as err:
        return Locality(None, f"{name} could not be tried ({err})")


def _has_become(pid: int, program: str) -> bool:
    """Whether `launch.py` has handed its process over. Raises OSError when that has ended."""
    return Path(f"/proc/{pid}/comm").read_text().strip() == program


async def _run(script: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", script, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace").strip()


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
