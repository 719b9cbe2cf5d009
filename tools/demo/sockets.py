"""Where processes listen, from the kernel: what proves that nothing is open beyond this machine.

Source: proc(5), /proc/net/tcp and its like: local address in hexadecimal, state, inode.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final

_LISTENS: Final = "0A"
_UNCONNECTED: Final = "07"


def exposed(pids: Iterable[int]) -> list[str]:
    """Return the sockets of these processes that others could reach, as `pid address port`."""
    inodes = {inode: pid for pid in pids for inode in _sockets(pid)}
    return [
        f"process {inodes[inode]} on {address} port {port}"
        for inode, address, port in _open_sockets()
        if inode in inodes and not ip_address(address).is_loopback
    ]


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield target[8:-1]


def _open_sockets() -> Iterator[tuple[str, str, int]]:
    """Yield inode, address and port of what listens (TCP) or takes datagrams from anybody (UDP)."""
    for table, state in (
        ("tcp", _LISTENS),
        ("tcp6", _LISTENS),
        ("udp", _UNCONNECTED),
        ("udp6", _UNCONNECTED),
    ):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == state:
                    address, _, port = fields[1].partition(":")
                    yield fields[9], _address(address), int(port, 16)


def _address(text: str) -> str:
    """Return an address as people write it; the kernel prints 32-bit words in its byte order."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words))
