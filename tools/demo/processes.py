"""Starts the demo's programs and stops them, in order, so that nothing of them is left.

Each leads a session of its own, writes to its own log file, and is killed by the kernel when we
die, however we die (by the bridge's `launch.py`, which does the same for what the bridge starts).
All carry a mark in their environment, and so does what they start: `marked` finds it in /proc.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from hashcenter_bridge import launch

#: In the environment of everything that a demo started; its value names the demo.
MARK: Final = "HASHCENTER_DEMO"

SeenT = TypeVar("SeenT")

#: How long a program may take to end after SIGTERM.
STOP_WITHIN_S: Final = 20.0


class DemoError(Exception):
    """The demo cannot go on; its text is the sentence a person reads."""


class Program:
    """One running program, and the file that holds what it prints."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: Path, log_start: int
    ) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._log_start = log_start

    @property
    def pid(self) -> int:
        """Its process id; the id stays known after its end."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def output(self) -> str:
        """Return what it printed since its start."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    async def first_line(self, timeout_s: float) -> str:
        """Return the first line it printed. Raises DemoError if there is none in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while "\n" not in self.output():
                    self.require_running()
                    await asyncio.sleep(0.05)
                return self.output().partition("\n")[0]
        raise DemoError(f"{self.name} did not say where it listens; see {self.log}")

    def require_running(self) -> None:
        """Raise DemoError if it has ended by itself."""
        if not self.running:
            last = self.output().strip().splitlines()[-1:]
            said = f": {last[0]}" if last else ""
            raise DemoError(f"{self.name} ended by itself{said} (see {self.log})")

    async def kill(self) -> None:
        """End it as a power cut would (SIGKILL), it alone; return once it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """Ask it to end (SIGTERM); after `grace_s`, or once it ended, kill what is left of it."""
        try:
            if self.running:
                with suppress(ProcessLookupError, TimeoutError):
                    self._process.terminate()
                    async with asyncio.timeout(grace_s):
                        await self._process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        await self._process.wait()


class Processes:
    """All programs of one demo, in the order of their start. `logs` is the folder of their logs."""

    def __init__(self, logs: Path, mark: str) -> None:
        self.logs = logs
        self.mark = mark
        self._programs: list[Program] = []
        logs.mkdir(parents=True, exist_ok=True)

    async def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Start a program whose log is `NAME.log`. Must be called from the main thread."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "0", launch.HOST),
                *(str(part) for part in argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {}), MARK: self.mark},
                start_new_session=True,
            )
            program = Program(name, process, log, output.tell())
        self._programs.append(program)
        return program

    def require_running(self) -> None:
        """Raise DemoError if a program has ended that nobody stopped."""
        for program in self._programs:
            program.require_running()

    async def stop(self, program: Program, grace_s: float = STOP_WITHIN_S) -> None:
        """Stop one program."""
        self._programs.remove(program)
        await program.stop(grace_s)

    async def kill(self, program: Program) -> None:
        """End one program as a power cut would; it no longer counts as one that must run."""
        self._programs.remove(program)
        await program.kill()

    async def stop_all(self) -> None:
        """Stop what was started last first."""
        while self._programs:
            await self.stop(self._programs[-1])

    def leftovers(self) -> list[str]:
        """Return what still runs of this demo, as `pid command`."""
        return [f"{pid} {command_of(pid)}" for pid in marked(self.mark)]


def marked(mark: str) -> list[int]:
    """Return the processes that a demo with this mark started, however deep (from /proc)."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, as far as it can be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return "(gone)"


async def until(
    what: str, look: Callable[[], Awaitable[SeenT]], timeout_s: float, every_s: float = 0.2
) -> SeenT:
    """Ask `look` until it returns something true; return that. Raises DemoError naming `what`."""
    started_at = asyncio.get_running_loop().time()
    while not (seen := await look()):
        if asyncio.get_running_loop().time() - started_at > timeout_s:
            raise DemoError(f"{what}: not within {timeout_s:.0f} s")
        await asyncio.sleep(every_s)
    return seen
