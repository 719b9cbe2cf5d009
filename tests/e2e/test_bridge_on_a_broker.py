"""The real bridge with a real miner on fake GPUs, heard and asked over real brokers."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.bridge.processes import at_rest, cpu_s, until
from tests.brokers import Broker
from tests.e2e.house import House, house
from tests.e2e.rig import RIG, RealRig
from tests.simulators.stratum_pool import StratumPool

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

only_mosquitto = pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def rig(
    broker: Broker, pool: StratumPool, fake_nvml: Path, tmp_path: Path
) -> AsyncIterator[RealRig]:
    """A rig whose bridge the test starts."""
    made = RealRig(tmp_path, broker.port, pool, fake_nvml, coast_s=6.0)
    yield made
    await made.clean_up()


@pytest.fixture
async def home(broker: Broker, ends: AsyncExitStack) -> House:
    return await ends.enter_async_context(house(broker.port, RIG))


async def test_a_request_is_taken_once_while_it_is_fresh_and_from_one_house(
    rig: RealRig, home: House, broker: Broker, ends: AsyncExitStack
) -> None:
    await home.send(b"retained garbage", retain=True)
    await rig.start()
    inventory = await home.until_inventory()
    assert inventory.heaters[0].id == RIG
    assert inventory.allow_control

    lease = await home.write("lease", power_w=180.0, ttl_s=60.0)
    assert await home.answer_to(lease) == "accepted"
    assert await home.answer_to(lease) == "duplicate"
    assert await home.ask("lease", power_w=400.0, boot_id="another") == "wrong_boot"
    neighbor = await ends.enter_async_context(house(broker.port, RIG, "neighbor"))
    assert await neighbor.ask("lease", power_w=400.0) == "held_by"
    assert await neighbor.ask("stop_all") == "held_by"
    assert await home.ask("lease", power_w=400.0, heater="cellar\x07" * 15) == "unknown_heater"
    assert await home.ask("lease", power_w="much") == "malformed"
    for noise in (b"", b"\xff\xfe", b"{" * 3000, b"x" * 5000, b"y" * 60_000):
        await home.send(noise)
    lease["seq"] += 100
    await home.send(lease, retain=True)
    state = await home.until_state(lambda now: now.health.messages_invalid_total >= 5)
    assert state.heaters[0].lease is not None
    assert state.heaters[0].lease.power_w == 180.0
    assert not state.stopped
    assert state.controller == "house"


async def test_a_stale_request_moves_nothing(rig: RealRig, home: House) -> None:
    await rig.start()
    old = await home.write("lease", power_w=400.0)
    state = await home.until_state(lambda now: now.tick > old["tick"] + 11.0)
    assert await home.answer_to(old) == "stale"
    assert state.heaters[0].lease is None
    assert state.controller is None


async def test_heat_follows_its_lease_and_its_two_ends(
    rig: RealRig, home: House, pool: StratumPool
) -> None:
    await rig.start()
    assert await home.ask("lease", power_w=400.0, ttl_s=60.0) == "accepted"
    # A miner draws watts before its API says that it hashes.
    await home.until_device(lambda gpu: (gpu.power_w or 0.0) > 200.0 and gpu.activity == "hashing")
    await home.until_device(lambda gpu: gpu.effect == "reached")
    await pool.until(lambda now: now.accepted >= 2)

    # The house falls silent: at the lowest step, then at the owner's safe state.
    assert await home.ask("lease", power_w=400.0, ttl_s=5.0) == "accepted"
    coasting = await home.until_state(
        lambda now: now.heaters[0].lease is not None and now.heaters[0].lease.phase == "coasting"
    )
    assert coasting.heaters[0].reason.startswith("the house fell silent")
    at_the_floor = await home.until_device(lambda gpu: gpu.power_limit_w == 100.0)
    assert at_the_floor.activity in ("hashing", "idle")
    await home.until_state(lambda now: now.heaters[0].lease is None)
    await home.until_device(lambda gpu: gpu.activity == "idle" and (gpu.power_w or 999.0) < 60.0)
    await home.until_state(lambda now: now.heaters[0].effect == "reached")
    assert "no_effect" not in home.events()


async def test_stop_all_stops_the_miners_cpu_time_and_holds_over_a_kill(
    rig: RealRig, home: House
) -> None:
    await rig.start()
    assert await home.ask("lease", power_w=400.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity == "hashing")
    bridge = rig.process.pid if rig.process else 0
    started = [pid for pid in rig.processes() if pid != bridge]
    await until(lambda: cpu_s(started) > 0.2)
    assert await home.ask("stop_all") == "accepted"
    await until(lambda: rig.processes() == [bridge])
    state = await home.until_state(lambda now: now.stopped)
    assert state.heaters[0].available_w == 0.0
    assert await home.ask("lease", power_w=400.0) == "stopped"

    await rig.end(signal.SIGKILL)
    home.forget()
    await rig.start()
    await home.until_state(lambda now: now.stopped)
    assert await home.ask("lease", power_w=400.0) == "stopped"
    assert await rig.hashcenter("stop", "--release") == (0, "Released.\n")
    await home.until_state(lambda now: not now.stopped)
    assert await home.ask("lease", power_w=400.0) == "accepted"


async def test_a_killed_bridge_is_reported_leaves_nothing_and_loses_no_energy(
    rig: RealRig, home: House
) -> None:
    await rig.start()
    assert await home.ask("lease", power_w=400.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity == "hashing" and (gpu.energy_kwh or 0) > 0)
    first = await home.until_state(lambda now: (now.energy_kwh or 0.0) > 0.0005)
    assert rig.process is not None
    rig.process.send_signal(signal.SIGKILL)
    await rig.until_gone()
    await home.until_status("offline")
    shown = home.state
    device = home.last("device")
    assert shown is not None

    home.forget()
    await rig.start()
    again = await home.until_state(lambda now: now.energy_kwh is not None)
    assert again.boot_id != first.boot_id
    assert (again.energy_kwh or 0.0) >= (shown.energy_kwh or 0.0)
    assert again.controller == "house"
    await home.until_status("online")
    await home.until_device(lambda gpu: (gpu.energy_kwh or 0.0) >= device.energy_kwh)
    restarted = [one.message for one in home.heard if one.topic == "device" and not one.retained]
    known = [gpu.energy_kwh for gpu in restarted if gpu.energy_kwh is not None]
    assert known == sorted(known)
    assert known[0] >= device.energy_kwh


async def test_sigterm_says_offline_and_leaves_no_orphan(rig: RealRig, home: House) -> None:
    await rig.start()
    assert await home.ask("lease", power_w=400.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity == "hashing")
    assert len(rig.processes()) > 1
    assert await rig.end(signal.SIGTERM) == 0
    assert rig.processes() == []
    await home.until_status("offline")
    after = home.heard[[one.topic for one in home.heard].index("status", 1) :]
    assert "state" not in {one.topic for one in after if one.message != after[0].message}
    assert not (rig.folder / "run/control.sock").exists()


async def test_a_broker_that_lost_everything_is_told_everything_again(
    rig: RealRig, home: House, broker: Broker, ends: AsyncExitStack
) -> None:
    await rig.start()
    before = await home.until_state(lambda now: bool(now.boot_id))
    await broker.stop()
    await broker.start()
    late = await ends.enter_async_context(house(broker.port, RIG))
    after = await late.until_state(lambda now: now.health.broker_reconnects_total == 1)
    assert after.boot_id == before.boot_id
    await late.until_status("online")
    await late.until_inventory()
    await late.until(lambda: late.last("announce"))
    await late.until_device(lambda gpu: gpu.power_w is not None)
    assert await late.ask("lease", power_w=150.0) == "accepted"


@only_mosquitto
async def test_home_assistants_birth_is_answered_with_everything(rig: RealRig, home: House) -> None:
    await rig.start()
    await home.until_state(lambda now: now.power_w is not None)
    home.forget()
    await home.client.publish("homeassistant/status", b"online", qos=1)
    await home.until(lambda: home.last("announce"))
    await home.until_inventory()


@only_mosquitto
async def test_a_second_bridge_in_the_same_folders_is_refused_and_harms_nothing(
    rig: RealRig, home: House
) -> None:
    await rig.start()
    assert await home.ask("lease", power_w=400.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity == "hashing")
    status, said = await rig.hashcenter("run")
    assert status == 2
    assert "another bridge runs with" in said
    assert await rig.hashcenter("stop") == (0, "Stopped, until `hashcenter stop --release`.\n")
    await home.until_state(lambda now: now.stopped)


@only_mosquitto
async def test_a_rig_at_rest_uses_no_cpu_time_for_hashing(rig: RealRig, home: House) -> None:
    await rig.start()
    await home.until_state(lambda now: now.power_w is not None)
    bridge = rig.process.pid if rig.process else 0
    assert [pid for pid in rig.processes() if pid != bridge] == []
    assert await home.ask("lease", power_w=400.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity == "hashing")
    assert await home.ask("lease", power_w=80.0) == "accepted"
    await home.until_device(lambda gpu: gpu.activity in ("paused", "idle"))
    started = [pid for pid in rig.processes() if pid != bridge]
    await at_rest(started)
