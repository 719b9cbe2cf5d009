"""The loopback Stratum pool, and what it says about who delivered work."""

import asyncio
import json
import sys
from typing import Any, Final

from tools.demo.ports import HOST
from tools.demo.processes import Processes

_START_WITHIN_S: Final = 20.0
#: Easy enough that a slow CPU finds several shares a second (2**32 hashes are difficulty 1).
_DIFFICULTY: Final = 0.00003


class Pool:
    """The running pool. `port` is where miners connect."""

    def __init__(self, port: int, control_port: int) -> None:
        self.port = port
        self.control_port = control_port

    async def accepted(self) -> int:
        """Return how many shares the pool checked and accepted so far: its own count."""
        return int((await self._ask("status"))["accepted"])

    async def _ask(self, command: str) -> dict[str, Any]:
        reader, writer = await asyncio.open_connection(HOST, self.control_port)
        try:
            writer.write(json.dumps({"command": command}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await reader.readline())
            return answer
        finally:
            writer.close()


async def start_pool(processes: Processes) -> Pool:
    """Start the pool on free ports and return once it listens."""
    module = ["-m", "tests.simulators.stratum_pool", "--difficulty", str(_DIFFICULTY)]
    program = await processes.start("pool", [sys.executable, *module])
    ports = json.loads(await program.first_line(_START_WITHIN_S))
    return Pool(ports["port"], ports["control_port"])
