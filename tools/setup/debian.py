"""Debian's packages for something that is made from them, without touching the host's own.

Lists, state and cache are in a folder of their own. What is fetched is whatever the suite has
today: an archive keeps no older version, so nothing can be pinned; its signature is checked.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.setup.console import run
from tools.setup.errors import SetupError

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Archive:
    """One suite of Debian's archive; `fetch` and `download` put packages into `folder`."""

    def __init__(self, folder: Path, suite: str) -> None:
        """Make `folder` and read the suite's lists. Raises SetupError where there is no archive."""
        if shutil.which("apt-get") is None or not KEYRING.exists():
            raise SetupError("This system has no apt-get with Debian's keys.")
        self._folder = folder
        self._failure = f"apt-get could not fetch packages of Debian {suite}."
        self.packages = folder / "cache/archives"
        shutil.rmtree(folder, ignore_errors=True)
        for needed in (folder / "lists/partial", self.packages / "partial"):
            needed.mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("".join(f"{line}\n" for line in sources(suite)))
        self._apt("update")

    def fetch(self, *names: str) -> None:
        """Fetch these packages and all that they depend on, as if nothing was installed."""
        self._apt("install", "--yes", "--download-only", "--no-install-recommends", *names)

    def download(self, *names: str) -> None:
        """Fetch these packages alone."""
        self._apt("download", *names)

    def unpack(self, root: Path) -> list[Path]:
        """Unpack everything that was fetched under `root`; return the packages."""
        packages = sorted(self.packages.glob("*.deb"))
        for package in packages:
            run(["dpkg-deb", "-x", package, root], failure=f"{package.name} could not be unpacked.")
        return packages

    def _apt(self, *arguments: str) -> None:
        options: Sequence[str] = [
            f"Dir::Etc::sourcelist={self._folder}/sources.list",
            "Dir::Etc::sourceparts=/dev/null",
            f"Dir::State::Lists={self._folder}/lists",
            f"Dir::State::status={self._folder}/status",
            f"Dir::Cache={self._folder}/cache",
            "Debug::NoLocking=1",
            *(["APT::Sandbox::User=root"] if os.geteuid() == 0 else []),
        ]
        settings = [part for option in options for part in ("-o", option)]
        command = ["apt-get", "-qq", *settings, *arguments]
        run(command, failure=self._failure, cwd=self.packages)


def sources(suite: str) -> list[str]:
    """Return a suite's lines of sources.list, from the archives that this host is set up to use.

    Only what has a security suite of its own gets one: Debian's `testing` has none.
    """
    main, security = _archives()
    lines = [f"deb [signed-by={KEYRING}] {main} {suite} main"]
    if security and suite != "forky":
        lines.append(f"deb [signed-by={KEYRING}] {security} {suite}-security main")
    return lines


def _archives() -> tuple[str, str | None]:
    """Return the addresses of Debian's archive and of its security archive."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    addresses = run(command, failure="apt-get does not know an archive.").split()
    main = next((one for one in addresses if "security" not in one), None)
    if main is None:
        raise SetupError("apt-get does not know an archive.")
    return main, next((one for one in addresses if "security" in one), None)
