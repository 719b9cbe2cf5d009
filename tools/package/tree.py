"""The self-contained tree: /opt/hashcenter/VERSION with a Python that brings its own C library.

Several versions can be there at once: each names only its own files, so that going back is going
back to a folder that nobody touched. Nothing in it is ever written: it holds its bytecode.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.package.parts import Parts, install, own_version, wheel
from tools.paths import ROOT
from tools.setup.console import clean_environment, run, say
from tools.setup.errors import SetupError
from tools.setup.patchelf import patchelf

PREFIX: Final = Path("/opt/hashcenter")
#: Parts of the standard library that a daemon has no use for, or that need what is not there.
_UNUSED: Final = (
    *("test", "idlelib", "turtledemo", "turtle.py", "ensurepip", "venv", "pydoc_data", "curses"),
    *("_pyrepl", "lib2to3", "sitecustomize.py", "EXTERNALLY-MANAGED", "tkinter"),
)
#: The start of every command. -I: nothing of the caller's Python world comes in.
_LAUNCHER: Final = """\
#!{interpreter} -I
import sys

from {module} import main

if __name__ == "__main__":
    sys.exit(main())
"""
COMMANDS: Final = {
    "hashcenter": "hashcenter_bridge.cli",
    "hashcenter-miner": "hashcenter_bridge.reference_miner.__main__",
}


@dataclass(frozen=True)
class Tree:
    """A tree in `root`, a folder that becomes `/`; it is at `home` there."""

    root: Path
    version: str
    architecture: str

    @property
    def home(self) -> Path:
        """Where it will be."""
        return PREFIX / self.version

    @property
    def folder(self) -> Path:
        """Where it is now."""
        return self.root / self.home.relative_to("/")


def build_tree(parts: Parts, folder: Path, version: str | None = None) -> Tree:
    """Put the parts and this clone's bridge together below `folder`. Raises SetupError."""
    shutil.rmtree(folder, ignore_errors=True)
    root = folder / "root"
    tree = Tree(root, version or own_version(), parts.architecture)
    say(f"Putting {tree.home} together")
    (tree.folder / "bin").mkdir(parents=True)
    interpreter = tree.folder / "bin" / parts.interpreter.name
    shutil.copy2(parts.interpreter, interpreter)
    (tree.folder / "bin/python3").symlink_to(interpreter.name)
    _copy_libraries(parts, tree)
    _bind(interpreter, tree)
    # Where Debian's Python looks for packages, and nowhere else.
    site = tree.folder / "lib/python3/dist-packages"
    shutil.copytree(parts.site, site)
    install(parts, site, wheel(folder, version))
    _forget_the_builder(site)
    for name, module in COMMANDS.items():
        launcher = tree.folder / "bin" / name
        words = {"interpreter": tree.home / "bin" / interpreter.name, "module": module}
        launcher.write_text(_LAUNCHER.format(**words))
        launcher.chmod(0o755)
    _write_origin(parts, tree)
    _compile(interpreter, tree)
    for path in (tree.folder, *tree.folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return tree


def _forget_the_builder(site: Path) -> None:
    """Remove what says where and when packages were installed, and commands with wrong paths."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for stray in (*site.glob("*/direct_url.json"), *site.glob("*/uv_*"), site / ".lock"):
        stray.unlink(missing_ok=True)
    for record in site.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        kept = [line for line in lines if (site / line.rsplit(",", 2)[0]).exists()]
        record.write_text("".join(kept))


def _copy_libraries(parts: Parts, tree: Tree) -> None:
    """Copy the loader, the shared libraries and the standard library."""
    libraries = next(parts.python.glob("usr/lib/*/libc.so.6")).parent
    (tree.folder / "lib").mkdir()
    for library in sorted(libraries.glob("*.so*")):
        shutil.copy2(library, tree.folder / "lib" / library.name, follow_symlinks=False)
    standard = tree.folder / "lib" / parts.interpreter.name
    shutil.copytree(parts.python / "usr/lib" / standard.name, standard, symlinks=True)
    for name in _UNUSED:
        unused = standard / name
        if unused.is_dir() and not unused.is_symlink():
            shutil.rmtree(unused)
        else:
            unused.unlink(missing_ok=True)


def _bind(interpreter: Path, tree: Tree) -> None:
    """Have the interpreter loaded by its own loader, which looks for libraries here first."""
    loader = next((tree.folder / "lib").glob("ld-linux*.so.*")).name
    run(
        [
            *(patchelf(), "--force-rpath", "--set-rpath", tree.home / "lib"),
            *("--set-interpreter", tree.home / "lib" / loader, interpreter),
        ],
        failure="The Python could not be bound to its libraries.",
    )


def _write_origin(parts: Parts, tree: Tree) -> None:
    """Write what it was made from, and under which licenses that may be passed on."""
    documents = tree.folder / "share/doc"
    for license_ in sorted(parts.python.glob("usr/share/doc/*/copyright")):
        (documents / license_.parent.name).mkdir(parents=True)
        shutil.copy(license_, documents / license_.parent.name / "copyright")
    ours = documents / "hashcenter"
    ours.mkdir()
    shutil.copy(ROOT / "LICENSE", ours)
    shutil.copy(ROOT / "bridge/hashcenter.example.toml", ours)
    (ours / "debian-packages.txt").write_text("".join(f"{line}\n" for line in parts.debian))


def _compile(interpreter: Path, tree: Tree) -> None:
    """Write the bytecode, which nobody may write later: the tree belongs to root."""
    loader = next((tree.folder / "lib").glob("ld-linux*.so.*"))
    for stale in tree.folder.rglob("__pycache__"):
        shutil.rmtree(stale)
    # Through the loader, because the one that the interpreter names is not on this machine.
    done = run(
        [
            *(loader, "--library-path", tree.folder / "lib", "--argv0", interpreter, interpreter),
            # -B: what compileall itself loads would be written with this machine's paths and times.
            *("-I", "-B", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", tree.root, "-p", "/", tree.folder / "lib"),
        ],
        failure="The packaged Python does not run.",
        environment=clean_environment() | {"PYTHONHASHSEED": "0"},
    )
    if done.strip():
        raise SetupError(f"Some of the packaged Python does not compile:\n{done}")
