"""docs/rig.md, done by hand: its own commands install, check, update, go back and remove."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.e2e.house import house
from tests.packages.conftest import NEWER, Release
from tests.packages.guest import RIG, Guest
from tests.packages.machine import HOME, LEFT_BY_OTHERS, Machine
from tests.simulators.stratum_pool import StratumPool
from tools.package.parts import own_version
from tools.paths import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.packages, pytest.mark.timeout(600)]

_DOCUMENT = ROOT / "docs/rig.md"


def _blocks(section: str) -> Iterator[str]:
    """Give the shell blocks under a heading, up to the next one of any level."""
    text = _DOCUMENT.read_text(encoding="utf-8")
    heading = re.search(rf"^##+ {re.escape(section)}\n", text, re.MULTILINE)
    assert heading is not None, f"docs/rig.md has no section {section!r}"
    body = re.split(r"^##+ ", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    yield from re.findall(r"```sh\n(.*?)```", body, re.DOTALL)


def steps(section: str) -> dict[str, str]:
    """Return a section's commands by the comment above them."""
    found: dict[str, str] = {}
    title = ""
    for line in "".join(_blocks(section)).splitlines():
        if line.startswith("# "):
            title = line.removeprefix("# ")
        else:
            found[title] = f"{found.get(title, '')}{line}\n"
    return found


def test_the_document_names_this_version_and_the_next() -> None:
    text = _DOCUMENT.read_text(encoding="utf-8")
    assert set(re.findall(r"hashcenter[-_](\d+\.\d+\.\d+)[-_]", text)) == {own_version(), NEWER}


@pytest.mark.parametrize("kind", ["With the Debian package", "With the tarball"])
async def test_a_person_installs_checks_updates_goes_back_and_removes(
    kind: str,
    machine: Machine,
    release: Release,
    newer: Release,
    broker: Broker,
    pool: StratumPool,
    fake_nvml: Path,
) -> None:
    for file in (release.deb, newer.deb, release.tarball, newer.tarball):
        (machine.root / HOME / file.name).write_bytes(file.read_bytes())
    before = machine.files()
    do = steps(kind)
    assert list(do) == ["install", "update", "roll back", "remove", "remove everything"]

    machine.run(do["install"])
    guest = Guest(machine, fake_nvml)
    owners = guest.write_owners_file(broker.port, pool)
    async with house(broker.port, RIG) as home:
        machine.run(steps("Run")["start, now and with the machine"])
        first = await home.until_state(lambda now: now.tick > 0)
        assert (await home.until_inventory()).version == release.version
        said = guest.look(steps("Check")["look"])
        assert "ok       configuration: /etc/hashcenter/hashcenter.toml is understood" in said
        assert "speaks MQTT 5 and lets us in" in said
        assert "GPU-" in said
        assert "FAILED" not in said
        key = (machine.root / "var/lib/hashcenter/key").read_text().strip()
        assert key in said

        machine.run(do["update"])
        second = await home.until_state(lambda now: now.boot_id != first.boot_id)
        assert machine.run("hashcenter --version") == f"hashcenter {newer.version}\n"
        machine.run(do["roll back"])
        await home.until_state(lambda now: now.boot_id not in (first.boot_id, second.boot_id))
        assert machine.run("hashcenter --version") == f"hashcenter {release.version}\n"
        for service in ("hashcenter", "hashcenter-powerd"):
            assert machine.is_active(service)

    machine.run(do["remove"])
    assert not machine.is_active("hashcenter")
    assert (machine.root / "etc/hashcenter/hashcenter.toml").read_text() == owners
    assert (machine.root / "var/lib/hashcenter/state.json").exists()
    machine.run(do["install"])  # it finds what the owner wrote
    assert (machine.root / "etc/hashcenter/hashcenter.toml").read_text() == owners

    machine.run(do["remove everything"])
    machine.run("rm -r /srv/gpus /etc/systemd/system/hashcenter*.service.d")  # this test's own
    left = {path for path in machine.files() - before if "libnvidia-ml" not in path}
    assert left <= LEFT_BY_OTHERS
    assert machine.run("readlink /proc/[0-9]*/exe | grep /opt/hashcenter", status=1) == ""
