"""The Debian package, installed, updated, rolled back and purged on a throw-away Debian 11."""

import asyncio
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.e2e.house import house
from tests.packages.conftest import Release
from tests.packages.guest import RIG, SAFE_LIMIT_W, Guest
from tests.packages.machine import HOME, LEFT_BY_OTHERS, Machine
from tests.simulators.stratum_pool import StratumPool

pytestmark = [pytest.mark.e2e, pytest.mark.packages, pytest.mark.timeout(600)]


def give(machine: Machine, *releases: Release) -> None:
    for release in releases:
        (machine.root / HOME / release.deb.name).write_bytes(release.deb.read_bytes())


def install(machine: Machine, release: Release) -> str:
    return machine.run(f"dpkg --force-unsafe-io --install {release.deb.name}")


def test_it_starts_nothing_keeps_what_the_owner_wrote_and_leaves_nothing(
    machine: Machine, release: Release, newer: Release
) -> None:
    give(machine, release, newer)
    before = machine.files()

    install(machine, release)
    assert machine.run("hashcenter --version") == f"hashcenter {release.version}\n"
    assert not machine.is_active("hashcenter")
    assert machine.run("systemctl is-enabled hashcenter", status=1) == "disabled\n"
    assert not machine.is_active("hashcenter-powerd")
    assert machine.run("dpkg --verify hashcenter") == ""
    owners = machine.root / "etc/hashcenter/hashcenter.toml"
    owners.write_text(owners.read_text() + "# mine\n")

    install(machine, newer)
    assert machine.run("hashcenter --version") == f"hashcenter {newer.version}\n"
    assert machine.run("ls /opt/hashcenter") == f"{newer.version}\n"
    install(machine, release)  # as one goes back
    assert machine.run("hashcenter --version") == f"hashcenter {release.version}\n"
    assert "# mine" in owners.read_text()

    machine.run("dpkg --remove hashcenter")
    assert "# mine" in owners.read_text()
    install(machine, release)
    machine.run("dpkg --purge hashcenter")
    assert machine.files() - before <= LEFT_BY_OTHERS
    assert machine.run("getent passwd hashcenter", status=2) == ""


def test_it_does_not_hide_under_another_installations_services(
    machine: Machine, release: Release
) -> None:
    give(machine, release)
    (machine.root / "etc/systemd/system/hashcenter.service").write_text("[Service]\n")
    said = machine.run(f"dpkg --install {release.deb.name}", status=1)
    assert "sudo hashcenter uninstall" in said


async def test_an_update_of_a_running_bridge_goes_through_the_safe_limits_and_keeps_its_energy(
    machine: Machine,
    release: Release,
    newer: Release,
    broker: Broker,
    pool: StratumPool,
    fake_nvml: Path,
) -> None:
    give(machine, release, newer)
    install(machine, release)
    guest = Guest(machine, fake_nvml)
    guest.write_owners_file(broker.port, pool)
    async with house(broker.port, RIG) as home:
        machine.run("systemctl enable --now hashcenter-powerd hashcenter")
        assert await home.ask("lease", power_w=400.0, ttl_s=300.0) == "accepted"
        hot = await home.until_state(lambda now: (now.energy_kwh or 0.0) > 0.0001)
        device = await home.until_device(lambda now: (now.power_w or 0.0) > 200.0)
        assert device.power_limit_w is not None
        assert device.power_limit_w > 2 * SAFE_LIMIT_W

        updating = asyncio.create_task(asyncio.to_thread(install, machine, newer))
        ended = await home.until_status("offline")
        assert ended.boot_id == hot.boot_id
        await updating
        new = await home.until_state(lambda now: now.boot_id != hot.boot_id)

        # A driver that nobody holds forgets its limits; powerd sets them again.
        machine.until(lambda: guest.limit_w() <= SAFE_LIMIT_W, "the safe limit holds")
        assert new.energy_kwh is not None
        assert hot.energy_kwh is not None
        assert new.energy_kwh >= hot.energy_kwh
        assert new.heaters[0].lease is None
        inventory = await home.until(
            lambda: next(
                (
                    one.message
                    for one in reversed(home.heard)
                    if one.topic == "inventory" and one.message.version == newer.version
                ),
                None,
            )
        )
        assert inventory.heaters[0].id == RIG
        assert machine.is_active("hashcenter-powerd")

        install(machine, release)  # back again, while it runs
        back = await home.until_state(lambda now: now.boot_id not in (hot.boot_id, new.boot_id))
        assert (back.energy_kwh or 0.0) >= new.energy_kwh
        machine.run("dpkg --purge hashcenter")
    assert machine.run("readlink /proc/[0-9]*/exe | grep /opt/hashcenter", status=1) == ""
