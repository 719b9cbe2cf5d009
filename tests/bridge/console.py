"""The console command `hashcenter`, run as its owner runs it."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).with_name("hashcenter")
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that a mistake ends in; fails the test if it is anything else."""
        assert "Traceback" not in self.err, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("hashcenter: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("hashcenter: ")


async def hashcenter(*arguments: str | Path, environment: dict[str, str] | None = None) -> Outcome:
    """Run the command to its end."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *(str(argument) for argument in arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())
