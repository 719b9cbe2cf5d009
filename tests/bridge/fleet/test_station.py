"""One machine's own task: it is looked at in time, and what is asked of it is never late."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.arbiter.asic.types import Act, Verb
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.fleet.station import Station
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.wire.values import WattRange
from tests.bridge.fleet.scripted import CAN, MAC, Machine, Network, block, maker

ADDRESS = "10.0.0.1"


async def until(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until something holds. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def station(network: Network, folder: Path, **keys: Any) -> AsyncIterator[Station]:
    kept: dict[str, MutableMapping[str, float]] = {}
    config = block(ADDRESS, **keys)
    make = maker(network)
    one = Station(
        config,
        lambda changed: make(changed, PluginContext(folder, folder)),
        lambda uid: kept.setdefault(uid, {}),
        time.monotonic,
    )
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_it_is_found_out_and_looked_at_again_and_again(tmp_path: Path) -> None:
    network = {ADDRESS: Machine()}
    async with station(network, tmp_path) as one:
        await until(lambda: one.looks >= 5)
        assert one.device is not None
        assert one.device.uid == MAC
        assert one.readings.power_w == 3000.0
        assert one.readings.joules_per_terahash == 30.0
        assert one.readings.power_limit_w == 3000.0
        assert max(one.lateness_s) < 0.5


async def test_a_pools_address_is_told_without_its_user(tmp_path: Path) -> None:
    async with station({ADDRESS: Machine()}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        assert one.readings.pool == "stratum+tcp://pool.example:3333"
        assert "wallet" not in one.readings.model_dump_json()


async def test_a_slow_look_does_not_delay_a_stop(tmp_path: Path) -> None:
    machine = Machine()
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        machine.reads_in_s = 21.0
        before = machine.reads
        await until(lambda: machine.reads > before)
        asked_at = time.monotonic()
        one.do(Act(1, Verb.PAUSE, lowers=True))
        await until(lambda: machine.said == ["pause"])
        assert machine.said_at[0] - asked_at < 0.5
        assert machine.cancelled == 1
        machine.reads_in_s = 0.0
        await until(lambda: one.seen(time.monotonic()).looked == 1)
        assert one.fault is None


async def test_a_slow_start_does_not_delay_a_stop(tmp_path: Path) -> None:
    machine = Machine(hashes=False, writes_in_s=20.0)
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        one.do(Act(1, Verb.RESUME))
        await until(lambda: machine.said == ["resume"])
        machine.writes_in_s = 0.0
        one.do(Act(2, Verb.PAUSE, lowers=True))
        await until(lambda: machine.said == ["resume", "pause"])
        await until(lambda: one.seen(time.monotonic()).looked == 2)
        assert not machine.hashes


async def test_a_raise_waits_for_the_stop_that_is_under_way(tmp_path: Path) -> None:
    machine = Machine(writes_in_s=0.3)
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        one.do(Act(1, Verb.PAUSE, lowers=True))
        await until(lambda: machine.said == ["pause"])
        one.do(Act(2, Verb.RESUME))
        await until(lambda: machine.hashes and machine.said == ["pause", "resume"])
        assert machine.said_at[1] - machine.said_at[0] >= 0.25


async def test_the_newest_word_wins(tmp_path: Path) -> None:
    machine = Machine(writes_in_s=0.2)
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        one.do(Act(1, Verb.SET, 2000.0, lowers=True))
        await until(lambda: machine.said == ["set 2000.0"])
        one.do(Act(2, Verb.SET, 2500.0))
        one.do(Act(3, Verb.SET, 1500.0))
        await until(lambda: machine.setting == 1500.0)
        assert machine.said == ["set 2000.0", "set 1500.0"]


async def test_a_failed_look_is_no_zero_and_no_end(tmp_path: Path) -> None:
    machine = Machine()
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 2)
        machine.fault = DeviceFault("unreadable", "10.0.0.1 talks nonsense")
        await until(lambda: one.fault is not None)
        assert one.readings.power_w == 3000.0
        assert not one.is_silent(time.monotonic())
        machine.fault = None
        await until(lambda: one.fault is None)


async def test_a_mistake_of_a_driver_ends_nothing(tmp_path: Path) -> None:
    machine = Machine()
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        machine.uptime_s = None
        machine.fault = RuntimeError("a driver's own")  # type: ignore[assignment]
        await until(lambda: one.fault is not None)
        assert one.fault is not None
        assert one.fault.code == "unreadable"
        one.do(Act(1, Verb.PAUSE, lowers=True))
        await until(lambda: one.refusal is not None)
        machine.fault = None
        await until(lambda: one.fault is None)


async def test_a_dead_address_is_asked_ever_more_rarely(tmp_path: Path) -> None:
    network: Network = {}
    async with station(network, tmp_path, interval_s=0.02) as one:
        await asyncio.sleep(1.0)
        assert 3 <= one.failures <= 9
        network[ADDRESS] = Machine()
        await until(lambda: one.looks >= 1)


async def test_a_stop_for_a_dead_address_is_tried_and_refused(tmp_path: Path) -> None:
    network = {ADDRESS: Machine()}
    async with station(network, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        machine = network.pop(ADDRESS)
        one.do(Act(1, Verb.PAUSE, lowers=True))
        await until(lambda: one.refusal is not None)
        assert machine.said == []


async def test_another_machine_at_its_address_is_not_read(tmp_path: Path) -> None:
    network = {ADDRESS: Machine()}
    async with station(network, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        network[ADDRESS] = Machine(mac="02:00:00:00:00:99", power_w=1.0)
        await until(lambda: one.fault is not None)
        assert one.fault is not None
        assert one.fault.code == "other_device"
        assert one.device is not None
        assert one.device.uid == MAC
        assert one.readings.power_w == 3000.0


async def test_it_goes_on_where_it_was_found_again(tmp_path: Path) -> None:
    network = {ADDRESS: Machine()}
    async with station(network, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        network["10.0.0.7"] = network.pop(ADDRESS)
        await until(lambda: one.fault is not None)
        one.move("10.0.0.7")
        await until(lambda: one.fault is None)
        assert (one.config.address, one.config.mac, one.place) == ("10.0.0.7", MAC, ADDRESS)


async def test_new_limits_are_learned_after_a_silence(tmp_path: Path) -> None:
    machine = Machine()
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        machine.can = CAN.model_copy(update={"power_limit": WattRange(min_w=1.0, max_w=2.0)})
        machine.fault = DeviceFault("unreachable", "rebooting")
        await until(lambda: one.fault is not None)
        machine.fault = None
        await until(lambda: one.fault is None)
        assert one.device is not None
        assert one.device.capabilities.power_limit == WattRange(min_w=1.0, max_w=2.0)


async def test_it_can_be_rebooted(tmp_path: Path) -> None:
    machine = Machine()
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: one.looks >= 1)
        one.do(Act(1, Verb.RESTART))
        await until(lambda: machine.said == ["restart"])


@pytest.mark.parametrize("leaves", [True, False])
async def test_being_cancelled_ends_it_and_closes_its_driver(tmp_path: Path, leaves: bool) -> None:
    machine = Machine(reads_in_s=5.0 if leaves else 0.0)
    async with station({ADDRESS: machine}, tmp_path) as one:
        await until(lambda: machine.reads >= 1)
    assert one.driver.closed  # type: ignore[attr-defined]
