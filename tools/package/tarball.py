"""The tarball: the tree, to be unpacked in /opt/hashcenter."""

from pathlib import Path

from tools.package.parts import MACHINES, source_date
from tools.package.tree import Tree
from tools.setup.console import run


def write_tarball(tree: Tree, folder: Path, *, level: int = 6) -> Path:
    """Write `hashcenter-VERSION-linux-MACHINE.tar.gz` into `folder`; return it.

    gzip, because every tar of the last twenty years reads it without another program.
    """
    machine = MACHINES[tree.architecture]
    file = folder / f"hashcenter-{tree.version}-linux-{machine}.tar.gz"
    run(
        [
            *("tar", "--create", "--file", file, "--use-compress-program", f"gzip -{level}n"),
            *("--format", "gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"),
            *(f"--mtime=@{source_date()}", "--directory", tree.folder.parent, tree.version),
        ],
        failure=f"{file.name} could not be written.",
    )
    return file
