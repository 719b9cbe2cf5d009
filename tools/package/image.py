"""The container image, as one OCI file that podman, docker and skopeo read.

Its base is a Debian that mmdebstrap makes here, so no registry is asked; buildah follows
packages/container/Containerfile without a daemon.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Final

from tools.package.parts import MACHINES, SUITE, source_date
from tools.package.tarball import write_tarball
from tools.package.tree import Tree
from tools.paths import ROOT
from tools.setup.console import clean_environment, run, say
from tools.setup.debian import sources
from tools.setup.errors import SetupError
from tools.setup.programs import require_programs

_CONTAINERFILE: Final = ROOT / "packages/container/Containerfile"
_BASE: Final = "localhost/hashcenter-base"
#: Nothing is fetched, so there is nothing whose signature could be checked.
_POLICY: Final = {"default": [{"type": "insecureAcceptAnything"}]}


class Buildah:
    """buildah with a store of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        """Make an empty store. Raises SetupError without root's rights."""
        if os.geteuid() != 0:
            raise SetupError("The image is built as root: type `sudo ./dev package oci`.")
        require_programs(["buildah", "mmdebstrap"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._folder = folder
        self._policy = folder / "policy.json"
        self._policy.write_text(json.dumps(_POLICY))
        (folder / "registries.conf").write_text("unqualified-search-registries = []\n")

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """Return the whole command line of `buildah ARGUMENTS`."""
        store: list[str | Path] = [
            "--root",
            self._folder / "store",
            "--runroot",
            self._folder / "run",
        ]
        return ["buildah", "--storage-driver", "vfs", *store, *arguments]

    def environment(self) -> dict[str, str]:
        """Return the environment in which it runs."""
        return clean_environment() | {
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_REGISTRIES_CONF": str(self._folder / "registries.conf"),
        }

    def run(self, verb: str, *arguments: str | Path) -> str:
        """Run it and return what it printed. Raises SetupError."""
        checked = verb in ("bud", "commit", "from", "push", "pull")
        policy: list[str | Path] = ["--signature-policy", self._policy] if checked else []
        return run(
            self.command(verb, *policy, *arguments),
            failure=f"`buildah {verb}` failed.",
            environment=self.environment(),
        ).strip()


def write_image(tree: Tree, folder: Path, *, level: int = 6) -> Path:
    """Write `hashcenter-VERSION-oci-MACHINE.tar` into `folder`; return it."""
    work = tree.root.with_name("image")
    buildah = Buildah(work)
    base = work / "base.tar"
    say(f"Making the image's Debian {SUITE} (70 MB to fetch)")
    options = ["--quiet", "--variant=essential", "--include=ca-certificates,passwd"]
    run(
        ["mmdebstrap", *options, SUITE, base, *sources(SUITE)],
        failure=f"mmdebstrap could not make a Debian {SUITE}.",
        environment=clean_environment() | {"SOURCE_DATE_EPOCH": source_date()},
    )
    container = buildah.run("from", "scratch")
    buildah.run("add", container, base, "/")
    buildah.run("commit", "--rm", container, _BASE)
    base.unlink()
    context = work / "context"
    context.mkdir()
    write_tarball(tree, context, level=level)
    name = f"hashcenter:{tree.version}"
    say("Building the image")
    buildah.run(
        *("bud", "--file", _CONTAINERFILE, "--build-arg", f"BASE={_BASE}", "--layers=false"),
        *("--timestamp", source_date(), "--tag", f"localhost/{name}", context),
    )
    file = folder / f"hashcenter-{tree.version}-oci-{MACHINES[tree.architecture]}.tar"
    file.unlink(missing_ok=True)
    buildah.run("push", "--quiet", f"localhost/{name}", f"oci-archive:{file}:{name}")
    shutil.rmtree(work)
    return file
