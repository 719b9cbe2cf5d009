"""ASICs are told to draw less within two seconds of a person's word or of a lease's end."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.chaos.scene import Figure
from tests.e2e.basement import RIG, Basement, basement, heater_of
from tests.e2e.house import House, house
from tests.simulators.asic import Simulator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

#: Two seconds is the bar; the rest is what a busy test machine may take.
WRITE_S = 2.0 + 2.0
PATIENCE_S = 45.0
TTL_S = 8.0
COAST_S = 8.0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    made = Broker("mosquitto", tmp_path)
    await made.start()
    yield made
    await made.stop()


async def all_hash(home: House, below: Basement) -> None:
    """Wait until the bridge knows all machines, at work."""
    await home.until_state(
        lambda now: (
            len(now.heaters) == len(below.machines)
            and all((one.power_w or 0.0) > 10.0 for one in now.heaters)
        )
    )
    assert all(below.running())


async def written(machines: list[Simulator], since: float) -> float:
    """Return after how many seconds since `since` all of them had been written to."""

    def first(machine: Simulator) -> float | None:
        return next((one.at for one in machine.writes if one.at >= since), None)

    async with asyncio.timeout(PATIENCE_S):
        while None in (at := [first(machine) for machine in machines]):
            await asyncio.sleep(0.05)
    return max(one - since for one in at if one is not None)


async def test_stop_all_is_on_the_wire_to_every_asic_within_two_seconds(
    broker: Broker, tmp_path: Path, figure: Figure
) -> None:
    async with house(broker.port, RIG) as home, basement(tmp_path, broker.port) as below:
        await all_hash(home, below)
        asked = time.monotonic()
        assert await home.ask("stop_all", engaged=True) == "accepted"
        figure("asic_write_s_max", write_s := await written(below.machines, asked))
        assert write_s <= WRITE_S
        await home.until(lambda: not any(below.running()) or None)


async def test_a_lease_that_nobody_renews_ends_on_the_wire_within_two_seconds(
    broker: Broker, tmp_path: Path, figure: Figure
) -> None:
    async with (
        house(broker.port, RIG) as home,
        basement(tmp_path, broker.port, coast_s=COAST_S) as below,
    ):
        await all_hash(home, below)
        machine = below.machines[0]
        heater = heater_of(machine)
        asked = time.monotonic()
        answer = await home.ask("lease", heater=heater, power_w=3000.0, ttl_s=TTL_S)
        assert answer == "accepted"
        for ends_at in (asked + TTL_S, asked + TTL_S + COAST_S):
            # First to its lowest step, then, nobody having come back, to the owner's safe state.
            figure("asic_write_s_max", write_s := await written([machine], ends_at))
            assert write_s <= WRITE_S
        await home.until(lambda: machine.machine.look().paused or None)
