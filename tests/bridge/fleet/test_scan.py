"""A scan asks only the networks it was given, and finds machines again by their MAC."""

import asyncio
import time
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from hashcenter_bridge.devices.asic import AsicConfig
from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.fleet import scan
from hashcenter_bridge.fleet.locate import Locator, neighbors
from hashcenter_bridge.wire.messages import Device
from tests.bridge.fleet.scripted import CAN, MAC, Machine, Network, Plugin, block, fleet_of


async def answering(hosts: list[str]) -> tuple[list[asyncio.Server], int]:
    """Return servers at these addresses, all at one port."""
    first = await asyncio.start_server(lambda _r, w: w.close(), hosts[0], 0)
    port = first.sockets[0].getsockname()[1]
    rest = [await asyncio.start_server(lambda _r, w: w.close(), host, port) for host in hosts[1:]]
    return [first, *rest], port


def knows(can_pause: bool, *, slow_at: str = "") -> type[Plugin]:
    """Return a driver that knows every machine, but answers too late at one address."""

    class Known(Plugin):
        ports: ClassVar[tuple[int, ...]] = ()
        asked: ClassVar[list[str]] = []

        @classmethod
        async def recognize(cls, address: str, _port: int) -> Device | None:
            cls.asked.append(address)
            if address == slow_at:
                await asyncio.sleep(60)
            last = int(address.rsplit(".", 1)[1])
            machine = Machine(mac=f"02:00:00:00:00:{last:02x}")
            can = CAN if can_pause else CAN.model_copy(update={"can_pause": False})
            return machine.device(address).model_copy(update={"capabilities": can})

    return Known


async def test_every_machine_is_found_and_the_rest_of_the_network_left_alone() -> None:
    hosts = ["127.77.1.2", "127.77.1.5"]
    servers, port = await answering(hosts)
    known = knows(can_pause=True)
    told: list[tuple[int, int]] = []
    found = await scan.sweep(
        scan.addresses(["127.77.1.0/29"]),
        {"known": known},
        ports=[port],
        progress=lambda done, of: told.append((done, of)),
    )
    for server in servers:
        server.close()
    assert [(one.address, one.port, one.plugin) for one in found] == [
        ("127.77.1.2", port, "known"),
        ("127.77.1.5", port, "known"),
    ]
    assert sorted(known.asked) == hosts  # type: ignore[attr-defined]
    assert told[-1] == (6, 6)


async def test_the_driver_that_can_do_most_has_it() -> None:
    servers, port = await answering(["127.77.2.2"])
    plugins = {"reader": knows(can_pause=False), "full": knows(can_pause=True)}
    (found,) = await scan.sweep(["127.77.2.2"], plugins, ports=[port])
    servers[0].close()
    assert found.plugin == "full"


def test_a_network_is_named_or_refused_in_a_sentence() -> None:
    assert scan.addresses(["192.168.1.0/30", "192.168.1.2"]) == ["192.168.1.1", "192.168.1.2"]
    with pytest.raises(ConfigError, match="is no network"):
        scan.addresses(["the basement"])
    with pytest.raises(ConfigError, match="at most 4096"):
        scan.addresses(["10.0.0.0/8"])


def test_the_neighbor_table_is_read() -> None:
    table = (
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "192.168.1.20     0x1         0x2         a4:11:62:01:02:03     *        eth0\n"
        "192.168.1.21     0x1         0x0         00:00:00:00:00:00     *        eth0\n"
        "broken\n"
    )
    assert neighbors(table) == {"a4:11:62:01:02:03": "192.168.1.20"}
    assert neighbors("") == {}


async def test_a_machine_that_moved_is_found_by_its_mac(tmp_path: Path) -> None:
    table = tmp_path / "arp"
    table.write_text(f"head\n10.0.0.9 0x1 0x2 {MAC} * eth0\n")
    network: Network = {"10.0.0.1": Machine()}
    fleet = fleet_of(network, [block("10.0.0.1")], tmp_path)
    fleet.locator = Locator((), time.monotonic, table=table, interval_s=0.05)
    (station,) = fleet.stations
    task = asyncio.create_task(fleet.run())
    async with asyncio.timeout(10):
        while station.looks == 0:
            await asyncio.sleep(0.01)
        network["10.0.0.9"] = network.pop("10.0.0.1")
        while station.fault is None:
            await asyncio.sleep(0.01)
        # It counts as lost after a while only.
        station.fault_since -= 60.0
        before = station.looks
        while station.config.address != "10.0.0.9" or station.looks == before:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert station.device is not None
    assert station.device.uid == MAC


async def test_it_is_looked_for_on_the_networks_that_its_owner_named(tmp_path: Path) -> None:
    servers, port = await answering(["127.77.3.1"])
    known = knows(can_pause=True)
    network: Network = {}
    fleet = fleet_of(network, [], tmp_path)
    locator = Locator(("127.77.3.0/30",), time.monotonic, table=tmp_path / "none", interval_s=0.01)
    config = AsicConfig(plugin="known", address="127.77.3.2", port=port, mac="02:00:00:00:00:01")
    moved: list[str] = []

    class Lost:
        def __init__(self) -> None:
            self.config, self.mac, self.name = config, config.mac, "lost"
            self.driver = known({}, config, None)  # type: ignore[arg-type]

        def move(self, address: str) -> None:
            moved.append(address)

    lost = [Lost()]
    task = asyncio.create_task(locator.run(lambda: [] if moved else cast("Any", lost)))
    async with asyncio.timeout(10):
        while not moved:
            await asyncio.sleep(0.01)
    task.cancel()
    servers[0].close()
    assert moved == ["127.77.3.1"]
    assert fleet.stations == []
