"""Installing: what would be written is shown first, written once, and taken away again."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hashcenter_bridge import config
from hashcenter_bridge.errors import BridgeError, ConfigError
from hashcenter_bridge.powerd import rules
from hashcenter_bridge.system import install
from hashcenter_bridge.system.plan import SERVICES, Plan, plan

PROGRAM = Path("/usr/local/bin/hashcenter")
CONFIG = Path("/etc/hashcenter/hashcenter.toml")
#: systemd's own measure: 0 is a prison, 10 a free man.
MOST_EXPOSED = 2.5


@pytest.fixture
def here(tmp_path: Path) -> Plan:
    return plan(tmp_path, CONFIG, PROGRAM)


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def carry_out(steps: object, *, only_show: bool = False) -> list[str]:
    said: list[str] = []
    install.carry_out(steps, said.append, only_show=only_show)  # type: ignore[arg-type]
    return said


def test_showing_writes_nothing(here: Plan, tmp_path: Path) -> None:
    said = carry_out(install.install_steps(here), only_show=True)

    assert any("hashcenter.service" in text for text in said)
    assert files(tmp_path) == set()


def test_install_writes_what_it_showed_and_nothing_the_second_time(
    here: Plan, tmp_path: Path
) -> None:
    carry_out(install.install_steps(here))

    assert files(tmp_path) == {
        "etc/systemd/system/hashcenter.service",
        "etc/systemd/system/hashcenter-powerd.service",
        "etc/hashcenter/hashcenter.toml",
        "etc/hashcenter/powerd.toml",
    }
    assert carry_out(install.install_steps(here)) == []


def test_an_update_renews_services_and_keeps_what_the_owner_wrote(
    here: Plan, tmp_path: Path
) -> None:
    carry_out(install.install_steps(here))
    owners = tmp_path / "etc/hashcenter/hashcenter.toml"
    owners.write_text("[rig]\nid = 'mine'\n")
    unit = tmp_path / "etc/systemd/system/hashcenter.service"
    unit.write_text("an older version's")

    assert len(carry_out(install.install_steps(here))) == 1
    assert "ExecStart=/usr/local/bin/hashcenter run" in unit.read_text()
    assert "mine" in owners.read_text()


def test_uninstall_leaves_only_what_the_owner_wrote_and_purge_nothing(
    here: Plan, tmp_path: Path
) -> None:
    carry_out(install.install_steps(here))
    memory = tmp_path / "var/lib/hashcenter"
    memory.mkdir(parents=True)
    (memory / "key").touch()
    password = tmp_path / "etc/hashcenter/mqtt-password"
    password.touch()

    carry_out(install.uninstall_steps(here, purge=False))
    assert files(tmp_path) == {
        "etc/hashcenter/hashcenter.toml",
        "etc/hashcenter/powerd.toml",
        "etc/hashcenter/mqtt-password",
        "var/lib/hashcenter/key",
    }
    carry_out(install.uninstall_steps(here, purge=True))
    assert files(tmp_path) == set()
    assert not password.parent.exists()


def test_a_program_in_a_home_folder_cannot_be_a_service(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PIPX_HOME=/opt/pipx"):
        plan(tmp_path, CONFIG, Path("/home") / "me/bin/hashcenter")


def test_the_files_that_are_written_are_understood(here: Plan, tmp_path: Path) -> None:
    carry_out(install.install_steps(here))

    settings, _ = config.load(tmp_path / "etc/hashcenter/hashcenter.toml")
    limits = rules.load(tmp_path / "etc/hashcenter/powerd.toml")

    assert settings.rig.allow_control is False
    assert settings.device[0]["powerd"] == str(limits.socket)


@pytest.mark.parametrize("service", SERVICES)
def test_services_are_hardened(here: Plan, tmp_path: Path, service: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    carry_out(install.install_steps(here))
    unit = tmp_path / "etc/systemd/system" / service

    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )

    level = float(done.stdout.rpartition("exposure level for")[2].split(":")[1].split()[0])
    assert level <= MOST_EXPOSED, done.stdout


def test_what_a_package_brings_is_neither_written_nor_removed(tmp_path: Path) -> None:
    packaged = plan(tmp_path, CONFIG, PROGRAM, packaged=True)
    install.write_services(packaged)
    services = files(tmp_path)
    assert services == {
        "usr/lib/systemd/system/hashcenter.service",
        "usr/lib/systemd/system/hashcenter-powerd.service",
    }
    carry_out(install.install_steps(packaged))
    assert files(tmp_path) - services == {
        "etc/hashcenter/hashcenter.toml",
        "etc/hashcenter/powerd.toml",
    }
    carry_out(install.uninstall_steps(packaged, purge=True))
    assert files(tmp_path) == services


def test_a_second_installation_beside_a_package_is_refused(here: Plan, tmp_path: Path) -> None:
    install.refuse_two(here)
    install.write_services(plan(tmp_path, CONFIG, PROGRAM, packaged=True))
    with pytest.raises(BridgeError, match="belongs to a package"):
        install.refuse_two(here)
