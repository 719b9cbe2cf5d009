"""The Debian package: the tree, /usr/bin/hashcenter and the two services.

What the owner edits is no part of it: `hashcenter install --packaged` writes it once, so an update
never asks about it. Written with dpkg-deb alone; every rule is in packages/debian.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from hashcenter_bridge.config import DEFAULT_PATHS
from hashcenter_bridge.system.install import write_services
from hashcenter_bridge.system.plan import STATE, USER, plan
from tools.package.parts import source_date
from tools.package.tree import COMMANDS, Tree
from tools.paths import ROOT
from tools.setup.console import clean_environment, run

_SOURCES: Final = ROOT / "packages/debian"
_PROGRAM: Final = Path("/usr/bin/hashcenter")
_SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
#: Marks, until the next restart of the machine, that an update found the bridge running.
_RUNNING: Final = "/run/hashcenter-was-running"


def write_deb(tree: Tree, folder: Path, *, level: int = 6) -> Path:
    """Write `hashcenter_VERSION_ARCHITECTURE.deb` into `folder`; return it."""
    staging = tree.root.with_name("deb")
    shutil.rmtree(staging, ignore_errors=True)
    # The same files, not copies: a tree is 200 MB.
    shutil.copytree(tree.root, staging, symlinks=True, copy_function=os.link)
    commands = staging / _PROGRAM.parent.relative_to("/")
    commands.mkdir(parents=True)
    for name in COMMANDS:
        (commands / name).symlink_to(tree.home / "bin" / name)
    write_services(plan(staging, DEFAULT_PATHS[-1], _PROGRAM, packaged=True))
    copyright_ = staging / "usr/share/doc/hashcenter/copyright"
    copyright_.parent.mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", copyright_)
    copyright_.chmod(0o644)
    _write_control(tree, staging)
    for path in (staging, *staging.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    file = folder / f"hashcenter_{tree.version}_{tree.architecture}.deb"
    run(
        # gzip: Debian 11 and Ubuntu 20.04 know no zstd, and xz takes minutes.
        ["dpkg-deb", "--root-owner-group", "-Zgzip", f"-z{level}", "--build", staging, file],
        failure=f"{file.name} could not be written.",
        environment=clean_environment() | {"SOURCE_DATE_EPOCH": source_date()},
    )
    shutil.rmtree(staging)
    return file


def _write_control(tree: Tree, staging: Path) -> None:
    files = [path for path in sorted(staging.rglob("*")) if path.is_file(follow_symlinks=False)]
    words = {
        "version": tree.version,
        "architecture": tree.architecture,
        "installed_kib": str(sum(path.stat().st_size for path in files) // 1024),
        "program": str(_PROGRAM),
        "running": _RUNNING,
        "user": USER,
        "config_folder": str(DEFAULT_PATHS[-1].parent),
        "state_folder": str(STATE),
    }
    control = staging / "DEBIAN"
    control.mkdir()
    for name in ("control", *_SCRIPTS):
        text = (_SOURCES / name).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"{{{word}}}", value)
        (control / name).write_text(text, encoding="utf-8")
        (control / name).chmod(0o755 if name in _SCRIPTS else 0o644)
    sums = "".join(
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(staging)}\n"  # noqa: S324 - what dpkg --verify compares
        for path in files
    )
    (control / "md5sums").write_text(sums)
    (control / "md5sums").chmod(0o644)
