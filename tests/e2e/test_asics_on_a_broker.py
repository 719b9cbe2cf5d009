"""The real bridge without a GPU, over a real broker, with simulated ASICs that are real servers."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hashcenter_bridge.wire.messages import DeviceState, RigState
from hashcenter_bridge.wire.values import Activity, Effect
from tests.brokers import Broker
from tests.e2e.basement import KINDS, RIG, Basement, basement as running_basement, heater_of
from tests.e2e.house import House, house
from tests.simulators.asic import Simulator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.parametrize("broker", ["mosquitto"], indirect=True),
]


@pytest.fixture
async def basement(broker: Broker, tmp_path: Path) -> AsyncIterator[Basement]:
    async with running_basement(tmp_path, broker.port) as made:
        yield made


@pytest.fixture
async def home(broker: Broker) -> AsyncIterator[House]:
    async with house(broker.port, RIG) as opened:
        yield opened


def said_of(home: House, machine: Simulator) -> DeviceState | None:
    """Return what was said last of a machine."""
    found = [one for one in home.heard if one.topic == "device" and one.uid == machine.mac]
    return found[-1].message if found else None


async def until_it(home: House, machine: Simulator, activity: Activity) -> DeviceState:
    """Wait until a machine does this."""

    def now() -> DeviceState | None:
        said = said_of(home, machine)
        return said if said is not None and said.activity is activity else None

    return await home.until(now)


async def all_known(home: House) -> RigState:
    return await home.until_state(
        lambda one: (
            len(one.heaters) == len(KINDS) and all(h.power_w is not None for h in one.heaters)
        )
    )


async def test_four_machines_are_four_heaters_and_each_follows_its_lease(
    basement: Basement, home: House
) -> None:
    state = await all_known(home)
    inventory = await home.until_inventory()
    assert {one.id for one in inventory.heaters} >= set(map(heater_of, basement.machines[:1]))
    assert state.power_w == pytest.approx(sum(h.power_w or 0.0 for h in state.heaters), rel=0.02)
    braiins, axeos = basement.machines[:2]
    said = await until_it(home, braiins, Activity.HASHING)
    assert said.pool == "stratum+tcp://pool.example:3333"

    answer = await home.ask("lease", heater=heater_of(braiins), power_w=2000.0, ttl_s=300.0)
    assert answer == "accepted"
    assert await home.ask("lease", heater=heater_of(axeos), power_w=0.0, ttl_s=300.0) == "accepted"
    await home.until_state(
        lambda one: any(
            h.id == heater_of(braiins)
            and h.effect is Effect.REACHED
            and h.power_w is not None
            and 1800.0 < h.power_w < 2150.0
            for h in one.heaters
        )
    )
    await home.until(lambda: axeos.machine.look().paused or None)
    assert (await until_it(home, axeos, Activity.PAUSED)).power_w is not None
    assert basement.running() == [True, False, True, True]


async def test_stop_all_reaches_every_machine_and_the_owners_word_releases_it(
    basement: Basement, home: House
) -> None:
    await all_known(home)
    assert await home.ask("stop_all", engaged=True) == "accepted"
    await home.until(lambda: not any(basement.running()) or None)
    state = await home.until_state(lambda one: one.stopped and (one.power_w or 1e9) < 300.0)
    assert all(one.available_w == 0.0 for one in state.heaters)


async def test_a_bridge_that_ends_leaves_them_and_one_that_starts_adopts_them(
    basement: Basement, home: House
) -> None:
    await all_known(home)
    luxos = basement.machines[2]
    assert await home.ask("lease", heater=heater_of(luxos), power_w=0.0, ttl_s=300.0) == "accepted"
    await home.until(lambda: luxos.machine.look().paused or None)
    before = basement.running()
    writes = [len(machine.writes) for machine in basement.machines]
    assert await basement.end(signal.SIGTERM) == 0
    assert "asics_stay" in home.events()
    assert basement.running() == before
    home.heard.clear()
    await basement.start()
    state = await all_known(home)
    assert all("just started" in one.reason for one in state.heaters)
    await asyncio.sleep(5)
    assert basement.running() == before
    assert [len(machine.writes) for machine in basement.machines] == writes


async def test_a_dead_machine_keeps_nobody_waiting(basement: Basement, home: House) -> None:
    await all_known(home)
    await basement.machines[0].stop()
    await home.until_state(
        lambda one: any(
            h.id == heater_of(basement.machines[0]) and h.power_w is None for h in one.heaters
        )
    )
    state = await home.until_state(lambda one: bool(one.faults))
    assert {fault.uid for fault in state.faults} == {basement.machines[0].mac}
    others = [h for h in state.heaters if h.id != heater_of(basement.machines[0])]
    assert all(one.power_w is not None for one in others)
    log = (basement.folder / "bridge.log").read_text()
    assert "Traceback" not in log
