"""The tarball on a bare Debian 11: its own Python and C library, nothing of the machine's."""

import asyncio
import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.brokers import Broker, free_port
from tests.e2e.house import house
from tests.packages.conftest import Release
from tests.packages.machine import base
from tools.package.parts import Parts
from tools.package.tree import build_tree

pytestmark = [pytest.mark.e2e, pytest.mark.packages, pytest.mark.timeout(600)]

RIG = "attic"
_OWNERS = """\
[rig]
id = "{rig}"
max_w = 500
state_folder = "/tmp/state"
runtime_folder = "/tmp/run"
[mqtt]
port = {broker_port}
[http]
port = {http_port}
listen = "127.0.0.1"
[[device]]
plugin = "cpu"
[[runner]]
plugin = "xllamacpp"
name = "voice"
model = "/tmp/model.gguf"
"""


@pytest.fixture
def old_root(tmp_path: Path, release: Release) -> Path:
    """A root of Debian 11 in which nothing was booted, with the tarball unpacked as docs say."""
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", base(), root], check=True)
    target = root / "opt/hashcenter"
    target.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", release.tarball, "-C", target], check=True)
    return root


def inside(root: Path, *command: str) -> list[str]:
    """Return the command that runs `command` in that root, with a /proc and processes of its own.

    Whatever it starts ends with it.
    """
    new = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*new, "sh", "-c", f'mount -t proc proc {root}/proc && exec chroot {root} "$@"', "sh",
            "env", "-i", "PATH=/usr/bin:/bin", *command]  # fmt: skip


def test_the_machine_needs_no_python_and_only_an_older_libc(
    old_root: Path, release: Release
) -> None:
    def said(*command: str) -> str:
        done = subprocess.run(
            inside(old_root, *command), capture_output=True, text=True, check=False, timeout=120
        )
        return done.stdout + done.stderr

    assert "python" not in said("sh", "-c", "command -v python3 python || true")
    assert "2.31" in said("ldd", "--version")
    home = release.tree.home
    assert said(f"{home}/bin/hashcenter", "--version") == f"hashcenter {release.version}\n"
    assert "usage: hashcenter-miner" in said(f"{home}/bin/hashcenter-miner", "--help")
    loaded = said(
        f"{home}/bin/python3", "-I", "-c",
        "import aiohttp, cryptography.x509, sqlite3, ssl, pynvml, xllamacpp, uuid\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if '.so' in line})",
    )  # fmt: skip
    assert {path for path in loaded.split() if not path.startswith(f"{home}/")} == set()


async def test_the_bridge_runs_there_answers_its_doctor_and_says_its_heartbeat(
    old_root: Path, release: Release, broker: Broker
) -> None:
    owners = old_root / "tmp/hashcenter.toml"
    owners.write_text(
        _OWNERS.format(rig=RIG, broker_port=broker.port, http_port=free_port()), encoding="utf-8"
    )
    command = f"{release.tree.home}/bin/hashcenter"
    doctor = await asyncio.create_subprocess_exec(
        *inside(old_root, command, "doctor", "--config", "/tmp/hashcenter.toml"),
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await doctor.communicate())[0].decode()
    assert "ok       configuration: /tmp/hashcenter.toml is understood" in said
    assert "speaks MQTT 5 and lets us in" in said
    assert "FAILED   runner voice: the model file /tmp/model.gguf" in said  # what is wrong, too

    log = old_root / "tmp/log"
    async with house(broker.port, RIG) as home:
        with log.open("wb") as out:
            bridge = await asyncio.create_subprocess_exec(
                *inside(old_root, command, "run", "--config", "/tmp/hashcenter.toml"),
                stdout=out,
                stderr=out,
            )
        try:
            state = await home.until_state(lambda now: now.tick > 0)
            inventory = await home.until_inventory()
        finally:
            bridge.kill()
            await bridge.wait()
        assert inventory.version == release.version, log.read_text()
        assert state.boot_id == inventory.boot_id


def test_the_same_sources_give_the_same_files(
    parts: Parts, release: Release, tmp_path: Path
) -> None:
    again = build_tree(parts, tmp_path / "tree", release.version)
    assert _digests(again.folder) == _digests(release.tree.folder)


def _digests(folder: Path) -> dict[str, tuple[int, str]]:
    """Return what a tarball of fixed times and owners has of each file."""
    found = {}
    for path in folder.rglob("*"):
        content = str(path.readlink()).encode() if path.is_symlink() else b""
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, digest)
    return found
