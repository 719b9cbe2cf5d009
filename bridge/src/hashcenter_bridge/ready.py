"""Tells systemd that the program is ready and well, where systemd started it.

Source: sd_notify(3): a datagram to the socket in NOTIFY_SOCKET, `@` meaning an abstract one.
"""

import os
import socket
from contextlib import suppress


def notify(message: str) -> None:
    """Say `READY=1`, `WATCHDOG=1`, ... ; without systemd, nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(address)
        line.sendall(message.encode())
