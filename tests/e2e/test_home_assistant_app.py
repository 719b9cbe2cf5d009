"""The Home Assistant app: its configuration as the Supervisor reads it, and its start for real."""

import asyncio
import json
import os
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from aiohttp import web

from hashcenter_bridge import config
from tests.bridge.asics.machines import MAKES, loopback, simulator_for
from tests.brokers import HOST, Broker, free_port
from tests.e2e.house import house
from tools.package.app import SOURCES, build_app, requirements
from tools.package.parts import own_version
from tools.paths import BRIDGE_PYTHON
from tools.setup.uv import run_uv

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
]

on_mosquitto = pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)

TOKEN = "the-supervisors-word"
PASSWORD = "canary-of-the-app-2b6c"
#: Source: developers.home-assistant.io, "App configuration", and the Supervisor's own schema.
REQUIRED = {"name", "version", "slug", "description", "arch"}
OPTIONAL = {
    "url", "startup", "boot", "init", "services", "map", "ports", "watchdog", "backup", "timeout",
    "options", "schema",
}  # fmt: skip
MAPPED = {
    "data", "config", "ssl", "addons", "backup", "share", "media", "homeassistant_config",
    "all_addon_configs", "addon_config",
}  # fmt: skip
PRIVILEGES = {
    "privileged", "full_access", "host_network", "host_pid", "host_ipc", "host_dbus", "devices",
    "docker_api", "hassio_api", "homeassistant_api", "apparmor", "kernel_modules",
}  # fmt: skip


@pytest.fixture
def app_config() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((SOURCES / "config.yaml").read_text())
    return found


def test_the_supervisor_understands_its_configuration_and_is_asked_for_no_privilege(
    app_config: dict[str, Any],
) -> None:
    assert set(app_config) >= REQUIRED
    assert set(app_config) <= REQUIRED | OPTIONAL
    assert not set(app_config) & PRIVILEGES
    assert re.fullmatch(r"[-_.A-Za-z0-9]+", app_config["slug"])
    assert set(app_config["arch"]) == {"amd64", "aarch64"}
    assert app_config["startup"] in {"initialize", "system", "services", "application", "once"}
    assert app_config["boot"] in {"auto", "manual", "manual_only"}
    assert app_config["backup"] in {"hot", "cold"}
    assert 10 <= app_config["timeout"] <= 300
    for service in app_config["services"]:
        assert re.fullmatch(r"(mqtt|mysql):(provide|want|need)", service)
    for folder in app_config["map"]:
        assert folder["type"] in MAPPED
        assert isinstance(folder["read_only"], bool)
    for port in app_config["ports"]:
        assert re.fullmatch(r"\d+(/(tcp|udp))?", port)
    assert re.fullmatch(
        r"(?:https?|\[PROTO:\w+\]|tcp):\/\/\[HOST\]:(\[PORT:\d+\]|\d+).*", app_config["watchdog"]
    )


def test_every_option_has_a_default_a_type_and_words(app_config: dict[str, Any]) -> None:
    words = yaml.safe_load((SOURCES / "translations/en.yaml").read_text())
    assert set(app_config["options"]) == set(app_config["schema"])
    assert set(words["configuration"]) == set(app_config["schema"])
    assert set(words["network"]) == set(app_config["ports"])
    for text in words["configuration"].values():
        assert set(text) == {"name", "description"}
    pattern = re.fullmatch(r"match\((.*)\)", app_config["schema"]["rig"])
    assert pattern is not None
    default = app_config["options"]["rig"]
    assert re.fullmatch(pattern[1], default)
    config.RigConfig(id=default)


def test_its_folder_holds_what_its_dockerfile_needs(tmp_path: Path) -> None:
    app = build_app(tmp_path)
    assert yaml.safe_load((app / "config.yaml").read_text())["version"] == own_version()
    copied = re.findall(r"^COPY (.*) \S+$", (app / "Dockerfile").read_text(), re.MULTILINE)
    assert copied
    for pattern in " ".join(copied).split():
        assert list(app.glob(pattern)), pattern
    assert "xllamacpp" not in (app / "requirements.lock").read_text()
    assert (app / "icon.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_its_packages_need_no_compiler_on_either_machine(machine: str, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(requirements())
    run_uv(
        *("pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:"),
        *("--python-version", "3.13", "--python-platform", f"{machine}-manylinux_2_31"),
        *("--require-hashes", "--target", tmp_path / "site", "--requirements", lock),
        failure=f"a package has no wheel for {machine}",
    )


@pytest.fixture
async def supervisor(broker: Broker) -> AsyncIterator[str]:
    """The Supervisor's services API on loopback; it knows the broker only when asked again."""
    asked = 0

    async def mqtt(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"result": "error"}, status=401)
        if asked == 1:
            return web.json_response({"result": "error", "message": "not enabled"}, status=400)
        known = {
            "addon": "core_mosquitto", "host": HOST, "port": broker.port, "ssl": False,
            "protocol": "3.1.1", "username": "addons", "password": PASSWORD,
        }  # fmt: skip
        return web.json_response({"result": "ok", "data": known})

    application = web.Application()
    application.router.add_get("/services/mqtt", mqtt)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    yield f"http://{HOST}:{port}"
    await runner.cleanup()


def _folders(root: Path, *, networks: list[str], owners: str | None) -> None:
    for name in ("data", "config"):
        (root / name).mkdir()
    (root / "data/options.json").write_text(json.dumps({"rig": "attic", "networks": networks}))
    if owners is not None:
        (root / "config/hashcenter.toml").write_text(owners)


async def _started(root: Path, supervisor: str) -> asyncio.subprocess.Process:
    # The script finds the bridge beside its Python, in a container as here.
    return await asyncio.create_subprocess_exec(
        *(BRIDGE_PYTHON, "-I", SOURCES / "run.py"),
        env={
            **os.environ, "HASHCENTER_APP_ROOT": str(root), "SUPERVISOR_URL": supervisor,
            "SUPERVISOR_TOKEN": TOKEN,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


@on_mosquitto
async def test_it_starts_the_bridge_with_the_supervisors_broker_and_keeps_its_secrets(
    tmp_path: Path, supervisor: str, broker: Broker
) -> None:
    owners = (
        f'[rig]\nid = "attic"\nstate_folder = "{tmp_path}/kept"\n'
        f'runtime_folder = "{tmp_path}/run"\n'
        f'[http]\nport = {free_port()}\n[[device]]\nplugin = "cpu"\n'
    )
    _folders(tmp_path, networks=[], owners=owners)
    async with house(broker.port, "attic") as home:
        process = await _started(tmp_path, supervisor)
        try:
            state = await home.until_state(lambda now: now.tick > 0)
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        finally:
            process.terminate()
            said = (await process.communicate())[0].decode()
    assert state.boot_id
    assert process.returncode == 0, said
    assert (tmp_path / "config/hashcenter.toml").read_text() == owners
    read = tomllib.loads((tmp_path / "data/state/hashcenter.toml").read_text())
    assert read["mqtt"]["username"] == "addons"
    assert read["mqtt"]["plain"] is True
    password = Path(read["mqtt"]["password_file"])
    assert password.read_text() == PASSWORD
    key = tmp_path / "config/key.txt"
    assert key.read_text().startswith("hc-")
    assert {path.stat().st_mode & 0o777 for path in (password, key)} == {0o600}
    for secret in (PASSWORD, TOKEN, key.read_text().strip()):
        assert secret not in said
    assert TOKEN.encode() not in environment


@on_mosquitto
async def test_a_first_start_without_a_miner_writes_the_file_and_says_what_to_do(
    tmp_path: Path, supervisor: str, broker: Broker
) -> None:
    _folders(tmp_path, networks=[], owners=None)
    process = await _started(tmp_path, supervisor)
    said = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert "names no miner yet: name the network they are in" in said
    assert "Traceback" not in said
    written = tomllib.loads((tmp_path / "config/hashcenter.toml").read_text())
    assert written["rig"] == {"id": "attic", "allow_control": False}


@on_mosquitto
async def test_miners_on_the_networks_of_its_options_are_written_into_the_owners_file(
    tmp_path: Path, supervisor: str, broker: Broker
) -> None:
    address = loopback()
    folders = f'state_folder = "{tmp_path}/kept"\nruntime_folder = "{tmp_path}/run"'
    owners = f'[rig]\nid = "attic"\n{folders}\n[http]\nport = {free_port()}\n'
    _folders(tmp_path, networks=[f"{address}/32"], owners=owners)
    async with (
        simulator_for(MAKES["luxos"], address) as miner,
        house(broker.port, "attic") as home,
    ):
        process = await _started(tmp_path, supervisor)
        try:
            inventory = await home.until(
                lambda: next(
                    (
                        one.message
                        for one in home.heard
                        if one.topic == "inventory" and one.message.devices
                    ),
                    None,
                )
            )
        finally:
            process.terminate()
            said = (await process.communicate())[0].decode()
    assert "1 ASICs at 1 addresses" in said
    assert [device.uid for device in inventory.devices] == [miner.mac]
    written = (tmp_path / "config/hashcenter.toml").read_text()
    assert written.startswith(owners)
    (block,) = tomllib.loads(written)["asic"]
    assert (block["plugin"], block["address"]) == ("luxos", address)


@on_mosquitto
async def test_a_mistake_in_the_owners_file_is_one_sentence(
    tmp_path: Path, supervisor: str, broker: Broker
) -> None:
    _folders(tmp_path, networks=[], owners='[rig\nid = "attic"\n')
    process = await _started(tmp_path, supervisor)
    said = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert "hashcenter.toml: " in said
    assert "line 1" in said
    assert "Traceback" not in said
