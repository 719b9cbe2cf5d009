"""What miners on this machine have in common: where they are, where their API listens."""

import secrets
import shutil
import socket
import sys
from pathlib import Path

import aiohttp

from ..errors import MinerFault

_MAX_ANSWER_BYTES = 256 * 1024
#: Below the ports that Linux hands out by itself, so that no outgoing connection takes ours.
_PORTS = range(20_000, 30_000)


def beside_us(command: tuple[str, ...]) -> tuple[str, ...]:
    """Find a program that was installed with the bridge, though a service's PATH may lack it."""
    if command and shutil.which(command[0]) is None:
        neighbor = Path(sys.executable).parent / command[0]
        return (str(neighbor), *command[1:]) if neighbor.is_file() else command
    return command


def free_port() -> int:
    """Return a loopback port that nobody listens on. Raises MinerFault when there is none."""
    for _ in range(100):
        port = secrets.choice(_PORTS)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise MinerFault(
        "miner_unreachable", "no free port for the miner's API between 20000 and 30000"
    )


async def read_all(answer: aiohttp.ClientResponse) -> bytes:
    """Read an answer that is not too long. Raises ValueError."""
    text = await answer.content.read(_MAX_ANSWER_BYTES + 1)
    while not answer.content.at_eof() and len(text) <= _MAX_ANSWER_BYTES:
        text += await answer.content.read(_MAX_ANSWER_BYTES + 1 - len(text))
    if len(text) > _MAX_ANSWER_BYTES:
        raise ValueError(f"its answer is longer than {_MAX_ANSWER_BYTES} bytes")
    return text
