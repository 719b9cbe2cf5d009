"""A real Home Assistant heats with ASICs and restarts, dies, dies together with the broker.

Each start of it takes a quarter of a minute; what it proves is worth that: an ASIC that starts anew
at three in the morning because Home Assistant restarted is why people unplug things like this.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.chaos.scene import Figure
from tests.e2e.basement import RIG, Basement, basement, heater_of
from tests.e2e.house import House, house
from tools.bench.trust.home import Home
from tools.demo import newcomer
from tools.demo.client import HomeAssistant
from tools.demo.processes import Processes, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

#: Of the watts that each machine can draw: enough to hash.
SHARE = 0.9
#: A lease that was renewed a moment ago has nearly all of its 300 s left.
FRESH_S = 285.0
SETTLED_S = 15.0
PATIENCE_S = 180.0


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    made = Broker("mosquitto", tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    made = Processes(tmp_path / "logs", f"chaos-{tmp_path.name}")
    yield made
    await made.stop_all()


async def ask_for_heat(talk: HomeAssistant, below: Basement) -> None:
    """Ask each machine for watts, as a person does on its page."""

    async def requests() -> dict[str, float]:
        states = await talk.states()
        found = {
            name: float(state["attributes"]["max"])
            for name, state in states.items()
            if name.startswith("number.")
            and name.endswith("_heat_request")
            and state["state"] != "unavailable"
        }
        return found if len(found) == len(below.machines) else {}

    for name, max_w in (await until("all heat requests", requests, PATIENCE_S, 1.0)).items():
        await talk.act("number", "set_value", name, value=round(SHARE * max_w))


async def until_renewed(broker: Broker, below: Basement) -> None:
    """Wait until every machine has a lease that was renewed a moment ago."""
    heaters = {heater_of(machine) for machine in below.machines}

    def fresh(home: House) -> bool:
        state = home.state
        leases = {one.id: one.lease for one in state.heaters} if state else {}
        return all((lease := leases.get(one)) and lease.remaining_s > FRESH_S for one in heaters)

    async with asyncio.timeout(PATIENCE_S), house(broker.port, RIG, "nobody") as home:
        while not fresh(home):
            await asyncio.sleep(0.2)


async def test_a_home_assistant_that_restarts_costs_no_asic_a_start(
    broker: Broker, processes: Processes, tmp_path: Path, figure: Figure
) -> None:
    home = Home(processes, tmp_path / "ha")
    async with basement(tmp_path, broker.port) as below:

        def starts() -> int:
            return sum(one.machine.look().starts + one.machine.reboots for one in below.machines)

        async with home.running() as talk:
            await newcomer.add_broker(talk, broker.port)
            await newcomer.accept_rig(talk, "")
            await ask_for_heat(talk, below)
            await until_renewed(broker, below)
            await asyncio.sleep(SETTLED_S)
            before, writes = starts(), [len(one.writes) for one in below.machines]
            assert all(below.running())
        # It was asked to end, and starts again.
        async with home.running():
            await until_renewed(broker, below)
            await asyncio.sleep(SETTLED_S)
            # It dies, and the broker with it, losing all that it kept.
            await home.kill()
        await broker.stop()
        await broker.start()
        async with home.running():
            await until_renewed(broker, below)
            await asyncio.sleep(SETTLED_S)
        figure("asic_starts_by_ha_restart", spent := starts() - before)
        assert spent == 0
        assert all(below.running())
        assert [len(one.writes) for one in below.machines] == writes
