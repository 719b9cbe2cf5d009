"""Ports on 127.0.0.1: the well-known one where it is free, else another."""

import asyncio
import random
import socket
from typing import Final

from tools.demo.processes import DemoError, Program

HOST: Final = "127.0.0.1"

#: Below the range that Linux gives to outgoing connections, so that none of them takes the port
#: between our look and the program's start (net.ipv4.ip_local_port_range begins at 32768).
_RANGE: Final = range(20_000, 30_000)
_TRIES: Final = 200


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` if nothing listens there, else some free port."""
    candidates = [] if preferred is None else [preferred]
    candidates += random.sample(_RANGE, _TRIES)
    for port in candidates:
        if not is_open(port) and _can_listen(port):
            return port
    raise DemoError(f"none of {_TRIES} ports on {HOST} is free")


def is_open(port: int) -> bool:
    """Return whether something accepts connections on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


async def until_open(port: int, program: Program, timeout_s: float) -> None:
    """Wait until `program` listens on `port`. Raises DemoError if it ends or does not in time."""
    try:
        async with asyncio.timeout(timeout_s):
            while not is_open(port):
                program.require_running()
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DemoError(
            f"{program.name} does not listen on port {port} after {timeout_s:.0f} s; "
            f"see {program.log}"
        ) from None


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
