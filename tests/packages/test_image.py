"""The container image: built without a daemon or a registry, and run for real from its file."""

import asyncio
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import HOST, Broker, free_port
from tests.e2e.house import house
from tests.packages.conftest import Release
from tools.package.image import Buildah, write_image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_OWNERS = """\
[rig]
id = "attic"
[mqtt]
host = "{host}"
port = {broker_port}
[http]
port = {http_port}
[[device]]
plugin = "cpu"
"""


def _blob(archive: tarfile.TarFile, digest: str) -> Any:
    file = archive.extractfile(f"blobs/{digest.replace(':', '/')}")
    assert file is not None
    return json.load(file)


async def test_the_image_runs_the_bridge_as_an_ordinary_user_with_its_file_from_the_host(
    tmp_path: Path, release: Release, broker: Broker
) -> None:
    file = await asyncio.to_thread(write_image, release.tree, tmp_path, level=1)
    with tarfile.open(file) as archive:
        index = archive.extractfile("index.json")
        assert index is not None
        manifest = _blob(archive, json.load(index)["manifests"][0]["digest"])
        config = _blob(archive, manifest["config"]["digest"])["config"]
    assert config["User"] == "8420"
    assert config["Entrypoint"] == ["/usr/local/bin/hashcenter"]
    assert config["Cmd"] == ["run"]
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in config["Env"]

    owners = tmp_path / "owners"
    owners.mkdir(mode=0o755)
    (owners / "hashcenter.toml").write_text(
        _OWNERS.format(host=HOST, broker_port=broker.port, http_port=free_port())
    )
    buildah = Buildah(tmp_path / "store")
    container = buildah.run("from", f"oci-archive:{file}")
    volume = f"{owners}:/etc/hashcenter:ro"
    command = buildah.command("run", "--volume", volume, container, "--")
    said = await asyncio.to_thread(
        subprocess.run,
        [*command, "hashcenter", "--version"],
        env=buildah.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout == f"hashcenter {release.version}\n", said.stderr
    async with house(broker.port, "attic") as home:
        bridge = await asyncio.create_subprocess_exec(
            *command,
            *("sh", "-c", "id -u; exec hashcenter run"),
            env=buildah.environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            state = await home.until_state(lambda now: now.tick > 0)
            inventory = await home.until_inventory()
        finally:
            bridge.terminate()
            heard = (await bridge.communicate())[0].decode()
    assert heard.startswith("8420\n"), heard
    assert inventory.version == release.version
    assert inventory.boot_id == state.boot_id
