"""A rig that wants signed requests, on a broker where anybody may say anything."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.e2e.house import House, house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.stratum_pool import StratumPool

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("broker", ["mosquitto"], indirect=True),
]


@pytest.fixture
async def rig(
    broker: Broker, pool: StratumPool, fake_nvml: Path, tmp_path: Path
) -> AsyncIterator[RealRig]:
    made = RealRig(tmp_path, broker.port, pool, fake_nvml, mqtt="signed_requests = true")
    yield made
    await made.clean_up()


@pytest.fixture
async def home(broker: Broker) -> AsyncIterator[House]:
    async with house(broker.port, RIG) as made:
        yield made


async def test_only_who_knows_the_key_is_obeyed(rig: RealRig, home: House) -> None:
    _, key = await rig.hashcenter("key")
    await rig.start()
    assert (await home.until_inventory()).signed_requests
    assert await home.ask("lease", power_w=400.0) == "unsigned"
    home.key = "hc-forged"
    assert await home.ask("lease", power_w=400.0) == "wrong_signature"
    assert await home.ask("stop_all", engaged=False) == "wrong_signature"

    home.key = key.strip()
    lease = await home.write("lease", power_w=180.0, ttl_s=60.0)
    # What another rig was told, or what was changed on its way, is not for this one.
    assert await home.answer_to(lease, home.sealed(lease, "cellar")) == "wrong_signature"
    changed = home.sealed(lease).replace(b"180.0", b"480.0")
    assert await home.answer_to(lease, changed) == "wrong_signature"
    assert await home.answer_to(lease) == "accepted"
    assert await home.answer_to(lease) == "duplicate"
    state = await home.until_state(lambda now: now.health.requests_refused_total >= 6)
    assert state.heaters[0].lease is not None
    assert state.heaters[0].lease.power_w == 180.0
    assert state.controller == "house"


async def test_a_stop_needs_no_key_and_its_release_does(rig: RealRig, home: House) -> None:
    _, key = await rig.hashcenter("key")
    await rig.start()
    assert await home.ask("stop_all") == "accepted"
    assert await home.ask("stop_all", engaged=False) == "unsigned"
    assert (await home.until_state(lambda now: now.stopped)).stopped
    home.key = key.strip()
    assert await home.ask("stop_all", engaged=False) == "accepted"
    await home.until_state(lambda now: not now.stopped)


async def test_a_renewed_key_holds_at_once_and_the_one_before_too(
    rig: RealRig, home: House
) -> None:
    _, before = await rig.hashcenter("key")
    await rig.start()
    _, after = await rig.hashcenter("key", "--renew")
    for key in (after.splitlines()[0], before):
        home.key = key.strip()
        assert await home.ask("release") == "accepted"
