"""What a self-contained bridge is made of: a Python with its libraries, packages, the bridge.

Python comes from Debian stable, with that release's C library, so that it runs where only an older
one is installed; all it asks of a machine is a Linux kernel. The packages come from
bridge/requirements-rig.lock and have to be built for a glibc of 2.31 at most.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.paths import BRIDGE_PYTHON, ROOT
from tools.setup.console import run, say
from tools.setup.debian import Archive
from tools.setup.errors import SetupError
from tools.setup.uv import uv, uv_environment

#: Debian stable: five years of security updates for the Python that a house depends on.
SUITE: Final = "trixie"
LOCK: Final = ROOT / "bridge/requirements-rig.lock"
#: What the interpreter and the packages link against; the rest comes as their dependency.
_PACKAGES: Final = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1")
#: Debian's architecture -> the machine's name in a wheel's.
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC: Final = "manylinux_2_31"


@dataclass(frozen=True)
class Parts:
    """Unpacked parts. `python` is a root with Debian's files, `site` a folder of packages.

    `debian` says what `python` was made from: package, version and sha256 in a line each.
    """

    architecture: str
    python: Path
    debian: tuple[str, ...]
    site: Path

    @property
    def interpreter(self) -> Path:
        """The interpreter below `python`."""
        return next((self.python / "usr/bin").glob("python3.*"))


def fetch_parts(folder: Path) -> Parts:
    """Fetch what this machine's architecture needs into `folder`. Raises SetupError."""
    architecture = run(["dpkg", "--print-architecture"], failure="This is no Debian.").strip()
    if architecture not in MACHINES:
        known = " and ".join(MACHINES)
        raise SetupError(f"Packages are made for {known}; this machine is {architecture}.")
    say(f"Fetching Python and its libraries from Debian {SUITE} (18 MB)")
    shutil.rmtree(folder, ignore_errors=True)
    archive = Archive(folder / "apt", SUITE)
    archive.fetch(*_PACKAGES)
    python = folder / "python"
    python.mkdir()
    debian = tuple(_described(package) for package in archive.unpack(python))
    shutil.rmtree(folder / "apt")
    parts = Parts(architecture, python, debian, folder / "site")
    say("Fetching the bridge's packages")
    install(parts, parts.site, "--require-hashes", "--requirements", LOCK)
    return parts


def install(parts: Parts, folder: Path, *what: str | Path) -> None:
    """Install packages for a rig into `folder`. Raises SetupError, also for what would compile."""
    version = parts.interpreter.name.removeprefix("python")
    platform = f"{MACHINES[parts.architecture]}-{_GLIBC}"
    _uv(
        *("pip", "install", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"),
        *("--python-version", version, "--python-platform", platform, "--target", folder, *what),
        failure=f"The packages of {LOCK.relative_to(ROOT)} could not be had for {platform}.",
    )


def wheel(folder: Path, version: str | None = None) -> Path:
    """Build the bridge's wheel into `folder`, as another version if one is given."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    ignored = shutil.ignore_patterns(".venv", "__pycache__", "*.egg-info", "dist")
    shutil.copytree(ROOT / "bridge", source, ignore=ignored)
    if version is not None:
        file = source / "src/hashcenter_bridge/__init__.py"
        file.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', _read(file)))
    _uv(
        *("build", "--wheel", "--no-build-isolation", "--python", BRIDGE_PYTHON),
        *("--out-dir", folder, source),
        failure="The bridge's wheel could not be built.",
    )
    shutil.rmtree(source)
    return next(folder.glob(f"*-{version or own_version()}-*.whl"))


def own_version() -> str:
    """Return the bridge's version."""
    found = re.search(
        r'__version__ = "(.*)"', _read(ROOT / "bridge/src/hashcenter_bridge/__init__.py")
    )
    assert found is not None
    return found[1]


def source_date() -> str:
    """Return the time of this clone's newest commit, which every file made from it bears."""
    if (given := os.environ.get("SOURCE_DATE_EPOCH")) is not None:
        return given
    command = ["git", "log", "-1", "--format=%ct"]
    return run(command, failure="git does not know this clone's newest commit.", cwd=ROOT).strip()


def _described(package: Path) -> str:
    form = "${Package} ${Version} ${Architecture}"
    command: Sequence[str | Path] = ["dpkg-deb", "--show", f"--showformat={form}", package]
    named = run(command, failure=f"{package.name} is unreadable.")
    digest = run(["sha256sum", package], failure=f"{package.name} is unreadable.").split()[0]
    return f"{named} {digest}"


def _uv(*arguments: str | Path, failure: str) -> None:
    environment = uv_environment() | {"SOURCE_DATE_EPOCH": source_date()}
    run([uv(), *arguments], failure=failure, environment=environment)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
