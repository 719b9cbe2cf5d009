"""`./dev package [KIND...]`: writes what people install to dist/, everything if nothing is named.

The same commit and the same Debian packages give the same bytes.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.package.app import write_app
from tools.package.deb import write_deb
from tools.package.image import write_image
from tools.package.parts import fetch_parts
from tools.package.tarball import write_tarball
from tools.package.tree import Tree, build_tree
from tools.paths import DEV, ROOT
from tools.setup.errors import SetupError

_DIST: Final = ROOT / "dist"
_WORK: Final = DEV / "package"
_FROM_TREE: Final[dict[str, Callable[[Tree, Path], Path]]] = {
    "tarball": write_tarball,
    "deb": write_deb,
    "oci": write_image,
}
KINDS: Final = (*_FROM_TREE, "app")


def main() -> int:
    """Write the packages that are asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="./dev package", description=__doc__)
    parser.add_argument("kind", nargs="*", help=f"{', '.join(KINDS)}; all without")
    kinds = tuple(dict.fromkeys(parser.parse_args().kind)) or KINDS
    for kind in kinds:
        if kind not in KINDS:
            print(f"There is no package {kind!r}, only {', '.join(KINDS)}.", file=sys.stderr)
            return 2
    try:
        for file in write(kinds, _DIST):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            print(f"{digest}  {file.relative_to(ROOT)}  {file.stat().st_size / 1e6:.1f} MB")
    except SetupError as err:
        print(err, file=sys.stderr)
        return 1
    return 0


def write(kinds: tuple[str, ...], folder: Path) -> list[Path]:
    """Write these kinds into `folder` and return the files. Raises SetupError."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    if any(kind in _FROM_TREE for kind in kinds):
        tree = build_tree(fetch_parts(_WORK / "parts"), _WORK / "tree")
        files += [_FROM_TREE[kind](tree, folder) for kind in kinds if kind in _FROM_TREE]
    if "app" in kinds:
        files.append(write_app(_WORK / "app", folder))
    return files


if __name__ == "__main__":
    sys.exit(main())
