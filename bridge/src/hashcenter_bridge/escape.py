"""Tries to get out of a program's network: `python -I -S escape.py PID PORT`.

First from here, where it must succeed: PORT of 127.0.0.1 is listened on. Then from inside the
namespaces of PID, where every way must fail. It ends with code 0 if nothing got out, with 1 if
something did (each way in a line), with 2 if nothing can be said. Nothing is ever sent: the ways
beyond this machine only ask the kernel for a route.
Source: namespaces(7), setns(2); RFC 5737 and RFC 3849 for the addresses.
"""

import ctypes
import os
import socket
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
_CLONE_NEWNET = 0x40000000
_WITHIN_S = 2.0


def ways_out(port: int) -> list[str]:
    """Return the ways that lead out from where this process is."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        stream.settimeout(_WITHIN_S)
        if stream.connect_ex(("127.0.0.1", port)) == 0:
            found.append("it reaches this machine's own network")
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as datagram:
                datagram.connect((address, 9))
        except OSError:
            continue
        found.append(f"it has a route to {address}")
    return found


def enter(pid: int) -> None:
    """Enter the user and network namespaces of `pid`. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    for name, kind in (("user", _CLONE_NEWUSER), ("net", _CLONE_NEWNET)):
        its = Path(f"/proc/{pid}/ns/{name}")
        if its.readlink() == Path(f"/proc/self/ns/{name}").readlink():
            continue
        handle = os.open(its, os.O_RDONLY | os.O_CLOEXEC)
        if libc.setns(handle, kind) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        os.close(handle)


def main() -> int:
    """Try, and return the exit code."""
    pid, port = int(sys.argv[1]), int(sys.argv[2])
    if not ways_out(port):
        sys.stdout.write("the test gets out from nowhere\n")
        return 2
    try:
        enter(pid)
    except OSError as err:
        sys.stdout.write(f"its network cannot be looked into ({err.strerror})\n")
        return 2
    found = ways_out(port)
    sys.stdout.write("".join(f"{way}\n" for way in found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
