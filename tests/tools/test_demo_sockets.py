"""What others could reach is found, what only this machine can reach is not."""

import os
import socket

import pytest

from tools.demo.sockets import exposed


@pytest.mark.parametrize(
    ("family", "address", "is_exposed"),
    [
        (socket.AF_INET, "127.0.0.1", False),
        (socket.AF_INET, "0.0.0.0", True),
        (socket.AF_INET6, "::1", False),
        (socket.AF_INET6, "::", True),
    ],
)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_only_sockets_beyond_loopback_count(
    family: socket.AddressFamily, address: str, is_exposed: bool, kind: socket.SocketKind
) -> None:
    with socket.socket(family, kind) as opened:
        opened.bind((address, 0))
        if kind is socket.SOCK_STREAM:
            opened.listen()
        port = opened.getsockname()[1]

        found = [one for one in exposed([os.getpid()]) if one.endswith(f" port {port}")]

    assert found == ([f"process {os.getpid()} on {address} port {port}"] if is_exposed else [])
