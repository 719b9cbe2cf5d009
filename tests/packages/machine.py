"""A throw-away Debian 11 with its own systemd: the oldest base that the packages promise to run on.

`systemd-nspawn` boots a copy of a root folder that mmdebstrap made; kernel and loopback are this
machine's, so a guest reaches the test's broker. Nothing of it is left when it is closed.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tools.paths import DEV
from tools.setup.console import run as run_tool, say
from tools.setup.debian import sources
from tools.setup.programs import require_programs
from tools.setup.stamp import Stamp

SUITE: Final = "bullseye"
PATIENCE_S: Final = 120.0
#: Beside what every Debian has: what a person's machine has, and nothing of Python.
_WITH: Final = "apt,ca-certificates,dbus,libpam-systemd,netbase,systemd,systemd-sysv,udev"
#: Where a person puts what was downloaded, below the machine's root.
HOME: Final = "srv"
#: What useradd leaves of every user that ever was.
LEFT_BY_OTHERS: Final = {"/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-"}
#: Where systemd, dpkg and apt keep books of their own.
_OTHERS: Final = ("/var/log", "/var/lib/systemd", "/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt")
_HIERARCHIES: Final = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
_JOURNAL: Final = "journalctl --no-pager --output=cat --unit='hashcenter*' | tail -60"
#: Documents' commands begin with it.
_SUDO: Final = """\
#!/bin/sh
[ "$1" = -u ] || exec "$@"
user="$2"
shift 2
exec runuser -u "$user" -- "$@"
"""


def base() -> Path:
    """Return the folder of a fresh Debian root; make it first if this clone has none."""
    folder = DEV / "roots" / SUITE
    stamp = Stamp(folder, SUITE, _WITH, _SUDO)
    if stamp.is_current():
        return folder / "root"
    require_programs(["mmdebstrap", "systemd-nspawn"])
    say(f"Making a root of Debian {SUITE} (60 MB to fetch)")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    root = folder / "root"
    options = ["--quiet", "--variant=essential", f"--include={_WITH}"]
    lines = [line for line in sources(SUITE) if "-security" not in line]
    run_tool(["mmdebstrap", *options, SUITE, root, *lines], failure="mmdebstrap failed.")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    sudo = root / "usr/bin/sudo"
    sudo.write_text(_SUDO)
    sudo.chmod(0o755)
    stamp.write()
    return root


class Machine:
    """A booted guest; `root` is its file system."""

    def __init__(self, root: Path, leader: int) -> None:
        """`leader` is the pid of its systemd."""
        self.root = root
        self._leader = leader

    def run(self, command: str, *, status: int | None = 0) -> str:
        """Run a shell command as its root; return what it said. Asserts its exit status."""
        enter = ["nsenter", f"--target={self._leader}", "--all", "env", "-i"]
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = [
            f"PATH={path}",
            f"HOME=/{HOME}",
            "DEBIAN_FRONTEND=noninteractive",
            "LC_ALL=C",
        ]
        done = subprocess.run(
            [*enter, *environment, "sh", "-euc", f"cd\n{command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        if status is not None and done.returncode != status:
            heard = self.run(_JOURNAL, status=None)
            pytest.fail(f"`{command}` gave {done.returncode}:\n{done.stdout}\njournal:\n{heard}")
        return done.stdout

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something is so in there."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {PATIENCE_S} s: {what}\n{self.run(_JOURNAL, status=None)}")
            time.sleep(0.1)

    def is_active(self, service: str) -> bool:
        """Whether a service runs."""
        return self.run(f"systemctl is-active {service}", status=None).strip() == "active"

    def files(self) -> set[str]:
        """Return every path that is on its disk, but for the books that others keep."""
        others = " ".join(f"-not -path '{folder}/*'" for folder in _OTHERS)
        listed = self.run(f"find / -xdev {others}")
        return set(listed.splitlines())


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot a copy of the base in `folder`, which must be as root."""
    root = folder / "machine"
    root.mkdir()
    # In memory: dpkg waits for the disk after every file.
    _do("mount", "-t", "tmpfs", "-o", "mode=0755", "hashcenter-test", root)
    _do("cp", "-a", f"{base()}/.", root)
    groups = _own_groups(folder.name)
    log = folder / "boot.log"
    with log.open("wb") as out:
        nspawn = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"),
                *("--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe"),
                f"--directory={root}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: _enter(groups),  # noqa: PLW1509 - no thread of ours runs here
        )
    leader = 0
    try:
        leader = _until_up(nspawn, log)
        yield Machine(root, leader)
    finally:
        _end(nspawn, leader)
        _remove(groups)
        _do("umount", "--lazy", root)


def _do(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=PATIENCE_S)


def _until_up(nspawn: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until its systemd has started what it starts; return its pid."""
    deadline = time.monotonic() + PATIENCE_S
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    state = ""
    while time.monotonic() < deadline:
        assert nspawn.poll() is None, log.read_text(errors="replace")
        if found := children.read_text().split():
            enter = ["nsenter", f"--target={found[0]}", "--all", "systemctl", "is-system-running"]
            done = subprocess.run(enter, capture_output=True, text=True, check=False, timeout=60)
            state = done.stdout.strip()
            if state in ("running", "degraded"):
                return int(found[0])
        time.sleep(0.2)
    raise AssertionError(f"it did not boot ({state}):\n{log.read_text(errors='replace')}")


def _end(nspawn: subprocess.Popen[bytes], leader: int) -> None:
    """Pull its plug: nothing in it is needed any more."""
    for pid in (leader, nspawn.pid):
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    nspawn.wait(timeout=PATIENCE_S)


def _own_groups(name: str) -> Sequence[Path]:
    """Make a control group for the guest in each hierarchy that systemd uses."""
    groups = []
    for hierarchy in map(Path, _HIERARCHIES):
        if (hierarchy / "cgroup.procs").exists():
            group = hierarchy / f"hashcenter-{os.getpid()}-{name}"
            group.mkdir(exist_ok=True)
            groups.append(group)
    return groups


def _enter(groups: Sequence[Path]) -> None:
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def _remove(groups: Sequence[Path]) -> None:
    """Remove the control groups, inner ones first; the kernel may need a moment to empty them."""
    for group in groups:
        deadline = time.monotonic() + PATIENCE_S
        while group.exists() and time.monotonic() < deadline:
            for folder in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
                with suppress(OSError):
                    folder.rmdir()
            with suppress(OSError):
                group.rmdir()
            time.sleep(0.05)
