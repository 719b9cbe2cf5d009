"""A machine with HiveOS below a folder, and programs that run there under HiveOS's names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hashcenter_bridge.masters import programs
from tests.bridge.processes import until

#: Waits without a child of its own, so that nothing is left when it is killed.
_SCRIPT = "#!/bin/sh\nread _\n"
_SCRIPTS = ("bin/agent", "bin/wd", "bin/miner-run", "bin/hive", "sbin/autofan", "sbin/nvidia-oc")
SET = 'CLOCK="100 0"\nMEM="2000"\nFAN="0"\nPLIMIT="220"\nRUNNING_DELAY="30"\n'


def hiveos(root: Path, *, boots: bool = False, settings: str | None = None) -> Path:
    """Lay out HiveOS below `root`: installed, and all of it off unless said."""
    for name in _SCRIPTS:
        file = root / "hive" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_SCRIPT)
        file.chmod(0o755)
    config = root / "hive-config"
    config.mkdir()
    (config / "rig.conf").write_text('RIG_PASSWD="secret"\nWD_ENABLED=1\n')
    if settings is not None:
        (config / "nvidia-oc.conf").write_text(settings)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    if boots:
        (wants / "hive.service").symlink_to("/lib/systemd/system/hive.service")
    return root


def waiting(folder: Path) -> Path:
    """Write a script that is nobody's and only waits."""
    script = folder / "waits"
    script.write_text(_SCRIPT)
    return script


@asynccontextmanager
async def running(*argv: str | Path, name: str | None = None) -> AsyncIterator[None]:
    """Run a program that waits until this is left; `name` is what it calls itself."""
    words = [str(one) for one in argv]
    command = ["/bin/sh", "-c", f'exec -a "{name}" "$@"', "sh", *words] if name else words
    if name:
        command[0] = "/bin/bash"
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        last = words[-1]
        await until(lambda: any(last in one and "-c" not in one[:2] for one in programs()))
        yield
    finally:
        process.kill()
        await process.wait()
