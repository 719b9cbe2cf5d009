"""Becomes a child: `python -I -S launch.py PARENT_PID NICE NETWORK PROGRAM ARGUMENT...`.

What must be set from inside a new process is set here, and then the program takes this process
over (same pid): the kernel kills it when the bridge dies, it is as polite as it was asked to, and
its network is the machine's (HOST), none at all (NONE), or none where the kernel allows it (AUTO).
Source: unshare(2), user_namespaces(7), network_namespaces(7).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
CLONE_NEWUSER = 0x10000000  # include/uapi/linux/sched.h
CLONE_NEWNET = 0x40000000

HOST, AUTO, NONE = "host", "auto", "none"


def main() -> None:
    """Set up this process and replace it by the program."""
    parent, nice, network, *argv = sys.argv[1:]
    if network != HOST:
        try:
            leave_the_network()
        except OSError as err:
            if network == NONE:
                raise SystemExit(
                    f"this machine does not let a program run without a network ({err.strerror})"
                ) from None
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the kernel was told
        return
    os.nice(int(nice))
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as err:
        raise SystemExit(f"cannot start {argv[0]}: {err.strerror}") from None


def leave_the_network() -> None:
    """Move this process into a network with nothing in it. Raises OSError where that is barred.

    Without privileges that takes a user namespace, in which it stays the same user. Files and
    UNIX sockets are where they were.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


if __name__ == "__main__":
    main()
