"""Simulated ASICs as a process of their own, and addresses where nobody answers."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.demo.ports import HOST, free_port
from tools.demo.processes import Processes
from tools.paths import ROOT_PYTHON

#: The protocols, and whether their port is HTTP's. Digest, token and AES are among them.
PROTOCOLS: Final = {
    "axeos": True, "braiins": True, "luxos": False, "vnish": True, "whatsminer_v2": False,
    "whatsminer_v3": False, "antminer": True, "avalon": False,
}  # fmt: skip
HTTP_PORT: Final = 18_090
_FIRST: Final = "127.98.0.1"
_DEAD: Final = "127.98.1."
_START_WITHIN_S: Final = 60.0


@dataclass(frozen=True)
class Machine:
    """What is true of a simulated machine, whatever it says of itself."""

    address: str
    protocol: str
    mac: str
    power_w: float
    writes: tuple[tuple[float, str], ...]
    requests: tuple[float, ...]

    @property
    def heater(self) -> str:
        """Its heater's name on the wire."""
        return f"asic-{self.mac.replace(':', '-')}"


class Basement:
    """All simulated machines, spoken to over their control port."""

    def __init__(self, control_port: int) -> None:
        self._port = control_port

    @classmethod
    async def start(cls, processes: Processes, each: int) -> "Basement":
        """Start `each` machines of every protocol. Raises DemoError."""
        command: list[str | Path] = [
            ROOT_PYTHON,
            "-m",
            "tests.simulators.asic",
            "--address",
            _FIRST,
        ]
        command += ["--count", str(each), "--http-port", str(HTTP_PORT)]
        command += ["--control-port", str(free_port())]
        for protocol in PROTOCOLS:
            command += ["--protocol", protocol]
        program = await processes.start("asics", command)
        return cls(json.loads(await program.first_line(_START_WITHIN_S))["control_port"])

    async def ask(self, command: str, **fields: Any) -> list[Machine]:
        """Send one control message and return the machines that it was about."""
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=64 * 1024 * 1024)
        try:
            writer.write(json.dumps({"command": command, **fields}).encode() + b"\n")
            told = json.loads(await reader.readline())
        finally:
            writer.close()
        return [
            Machine(
                address=one["address"],
                protocol=one["protocol"],
                mac=one["mac"],
                power_w=one["power_w"],
                writes=tuple((at, what) for at, what in one["writes"]),
                requests=tuple(one["requests"]),
            )
            for one in told
        ]


@contextmanager
def dead_addresses(count: int) -> Iterator[list[str]]:
    """Yield addresses of machines that are gone: every other one refuses, the rest are silent.

    Silent is a listener whose queue is full, as a switched-off machine's address is on a network.
    """
    sockets: list[socket.socket] = []
    addresses = [f"{_DEAD}{number + 1}" for number in range(count)]
    try:
        for address in addresses[::2]:
            listener = socket.create_server((address, 4028), backlog=0)
            sockets.append(listener)
            for _ in range(2):
                caller = socket.socket()
                caller.setblocking(False)
                caller.connect_ex((address, 4028))
                sockets.append(caller)
        yield addresses
    finally:
        for one in sockets:
            one.close()
