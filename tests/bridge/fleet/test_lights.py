"""A screen in a child's room: dark while a lease asks for it, then as its owner had it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.config import AsicsConfig, RigConfig
from hashcenter_bridge.devices.asic import AsicConfig, AsicSample
from hashcenter_bridge.fleet import lights
from hashcenter_bridge.fleet.fleet import Fleet
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.store import Store
from hashcenter_bridge.wire.values import Favor
from tests.bridge.fleet.scripted import MAC, Machine, Network, Plugin, block


@pytest.mark.parametrize(
    ("display", "owners", "dark", "decided"),
    [
        (None, None, True, (None, None)),
        (10.0, None, False, (None, None)),
        (10.0, None, True, (10.0, 0.0)),
        (0.0, 10.0, True, (10.0, None)),
        (0.0, 10.0, False, (10.0, 10.0)),
        (10.0, 10.0, False, (None, None)),
        (5.0, 10.0, False, (None, None)),
        (5.0, 10.0, True, (5.0, 0.0)),
        (0.0, None, True, (None, None)),
        (0.0, None, False, (None, None)),
    ],
)
def test_a_screen_is_left_as_its_owner_had_it(
    display: float | None, owners: float | None, dark: bool, decided: tuple[Any, Any]
) -> None:
    assert lights.decide(display, owners, dark=dark) == decided


@dataclass
class Bitaxe(Machine):
    """A machine with a screen; `shown` is everything it was set to."""

    display: float = 10.0

    def sample(self) -> AsicSample:
        return replace(super().sample(), display=self.display)


class Driver(Plugin):
    """A driver that can set the screen."""

    async def show(self, display: float) -> None:
        machine = await self._write(f"show {display:g}")
        assert isinstance(machine, Bitaxe)
        machine.display = display


class Room:
    """A fleet of one machine on a clock that a test moves."""

    def __init__(self, folder: Path, machine: Machine, driver: type[Plugin] = Driver) -> None:
        self.folder, self.machine, self.driver = folder, machine, driver
        self.now = 0.0
        self.start()

    def start(self, **rig: Any) -> None:
        """Start the bridge, again if it ran before."""
        network: Network = {"10.0.0.1": self.machine}
        made = lambda config, context: self.driver(network, config, context)  # noqa: E731
        config: AsicConfig = block(interval_s=1.0)
        self.fleet = Fleet(
            [(made, config)], AsicsConfig(stagger_s=0.0),
            RigConfig(id="attic", **{"allow_control": True, **rig}),
            PluginContext(self.folder, self.folder),
            Store(self.folder, self.folder, lambda: self.now), lambda: self.now,
        )  # fmt: skip

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            self.now += 1.0
            for station in self.fleet.stations:
                while await station.turn():
                    pass
            self.fleet.step(self.now, stopped=False)

    def lease(self, *, dark: bool, ttl_s: float = 300.0) -> None:
        heater = self.fleet.asics[MAC].heater
        lease = leases.granted(
            600.0, self.now, controller="house", power_w=3000.0, cap_w=None, ttl_s=ttl_s,
            favor=Favor.BALANCED, dark=dark,
        )  # fmt: skip
        assert self.fleet.lease(heater, lease)


async def test_a_screen_is_dark_while_a_lease_asks_for_it_and_then_as_its_owner_had_it(
    tmp_path: Path,
) -> None:
    bitaxe = Bitaxe()
    room = Room(tmp_path, bitaxe)
    await room.seconds(3)
    room.lease(dark=True, ttl_s=10.0)
    await room.seconds(5)
    assert bitaxe.display == 0
    await room.seconds(100)
    assert bitaxe.display == 0, "the lease coasts, and is not over"
    await room.seconds(700)
    assert bitaxe.display == 10
    assert bitaxe.said.count("show 0") == bitaxe.said.count("show 10") == 1


async def test_a_lease_that_no_longer_asks_for_it_brings_the_light_back(tmp_path: Path) -> None:
    bitaxe = Bitaxe(display=-1)
    room = Room(tmp_path, bitaxe)
    await room.seconds(3)
    room.lease(dark=True)
    await room.seconds(70)
    room.lease(dark=False)
    await room.seconds(70)
    assert bitaxe.display == -1


async def test_what_its_owner_had_outlasts_the_bridge(tmp_path: Path) -> None:
    bitaxe = Bitaxe()
    room = Room(tmp_path, bitaxe)
    await room.seconds(3)
    room.lease(dark=True)
    await room.seconds(5)
    room.start()
    assert bitaxe.display == 0
    await room.seconds(70)
    assert bitaxe.display == 10


async def test_nothing_is_set_without_the_owners_word_or_without_a_screen(tmp_path: Path) -> None:
    untouched = Bitaxe()
    room = Room(tmp_path, untouched)
    room.start(allow_control=False)
    await room.seconds(3)
    room.lease(dark=True)
    await room.seconds(70)
    assert untouched.display == 10
    plain = Machine()
    other = Room(tmp_path / "other", plain, Plugin)
    await other.seconds(3)
    other.lease(dark=True)
    await other.seconds(70)
    assert not [said for said in plain.said if said.startswith("show")]
