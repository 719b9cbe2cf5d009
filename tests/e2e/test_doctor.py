"""`hashcenter doctor` beside the real bridge it examines: it proves much and disturbs nobody."""

import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.e2e.house import house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.stratum_pool import StratumPool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
async def test_the_doctor_proves_a_rig_that_heats_and_leaves_it_as_it_is(
    broker: Broker, pool: StratumPool, fake_nvml: Path, tmp_path: Path, ends: AsyncExitStack
) -> None:
    rig = RealRig(tmp_path, broker.port, pool, fake_nvml)
    ends.push_async_callback(rig.clean_up)
    home = await ends.enter_async_context(house(broker.port, RIG))
    await rig.start()
    assert await home.ask("lease", power_w=300.0, ttl_s=300.0) == "accepted"
    before = await home.until_state(lambda now: now.activity == "hashing")

    status, out = await rig.hashcenter("doctor", "--json", "--bundle", f"{tmp_path}/b.tar.gz")

    report, _, _ = out.rpartition("]")
    found = {one["check"]: one for one in json.loads(f"{report}]")}
    failed = [one for one in found.values() if one["result"] == "failed"]
    assert (status, failed) == (0, [])
    for check in ("configuration", "user", "broker", "broker's will", "this rig's name"):
        assert found[check]["result"] == "ok", found[check]
    assert found["this rig's name"]["text"] == f"only this bridge speaks as '{RIG}'"
    # No access list holds this rig back at this broker, and the doctor has noticed.
    assert found["broker's rights"]["result"] == "warning"
    subjects = {check.partition(" of ")[0] for check in found}
    assert {"NVIDIA's driver", "persistence mode", "power limit", "energy"} <= subjects
    with tarfile.open(tmp_path / "b.tar.gz") as bundle:
        held = bundle.extractfile("hashcenter-doctor/now.json")
        assert held is not None
        assert json.loads(held.read())["boot_id"] == before.boot_id
    after = await home.until_state(lambda now: now.activity == "hashing")
    assert after.boot_id == before.boot_id
    assert after.heaters[0].lease is not None
    assert after.health.messages_invalid_total == before.health.messages_invalid_total


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
async def test_a_copy_of_the_disk_on_another_machine_is_found(
    broker: Broker, pool: StratumPool, fake_nvml: Path, tmp_path: Path, ends: AsyncExitStack
) -> None:
    (tmp_path / "copy").mkdir()
    copy = RealRig(tmp_path / "copy", broker.port, pool, fake_nvml, programs="")
    original = RealRig(tmp_path, broker.port, pool, fake_nvml, programs="")
    ends.push_async_callback(copy.clean_up)
    home = await ends.enter_async_context(house(broker.port, RIG))
    await copy.start()
    await home.until_inventory()

    status, out = await original.hashcenter("doctor", "--json")

    found = {one["check"]: one for one in json.loads(out)}
    assert status == 1
    assert found["this rig's name"]["result"] == "failed"
    assert "a bridge on another machine speaks as" in found["this rig's name"]["text"]
