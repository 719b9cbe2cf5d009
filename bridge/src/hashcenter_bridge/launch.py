"""Becomes a child program: `python -I -S launch.py PARENT_PID NICE PROGRAM ARGUMENT...`.

What must be set from inside a new process is set here, and then the program takes this process
over (same pid): the kernel kills it when the bridge dies, and it is as polite as it was asked to.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def main() -> None:
    """Set up this process and replace it by the program."""
    parent, nice, *argv = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the kernel was told
        return
    os.nice(int(nice))
    try:
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as err:
        raise SystemExit(f"cannot start {argv[0]}: {err.strerror}") from None


if __name__ == "__main__":
    main()
