"""Programs from the system's package manager: a broker for tests, a C compiler, a browser.

As root on Debian or a relative they are installed, with a line that says so; otherwise the
sentence names the command.
"""

import os
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.setup.console import clean_environment, run, say
from tools.setup.errors import SetupError

#: The program to look for -> the Debian packages that bring it.
_PACKAGES: Final = {
    "buildah": "buildah",
    "chromium": "chromium",
    "erl": "ejabberd",
    "gcc": "gcc libc6-dev",
    "g++": "g++",
    "mmdebstrap": "mmdebstrap",
    "mosquitto": "mosquitto",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "python3-venv": "python3-venv",
    "systemd-nspawn": "systemd-container",
}


def require_programs(programs: Sequence[str]) -> None:
    """Make sure that the programs are there.

    Raises SetupError, with the command to type, where they cannot be installed from here.
    """
    missing = [program for program in programs if not _is_there(program)]
    if not missing:
        return
    packages = sorted({name for program in missing for name in _PACKAGES[program].split()})
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        names = ", ".join(missing)
        raise SetupError(f"Install {names} with your system's package manager, then try again.")
    if os.geteuid() != 0:
        raise SetupError(f"Type `sudo {command}`, then try again: {', '.join(missing)} is missing.")
    say(f"Installing {', '.join(packages)} with apt-get")
    environment = clean_environment() | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        run(["apt-get", "-qq", *step], failure=f"`{command}` failed.", environment=environment)


def _is_there(program: str) -> bool:
    if program == "python3-venv":
        return (Path(sysconfig.get_path("stdlib")) / "ensurepip").is_dir()
    # A daemon's folder is not on everybody's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(program, path=path) is not None
