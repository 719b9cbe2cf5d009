"""A driver beside its simulated machine, for the tests that all drivers pass."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from hashcenter_bridge.devices.asic import AsicDriver, AsicSample
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.wire.messages import Device
from tests.simulators.asic import PROTOCOLS, Hostile, Options, Simulator

#: Nothing that was typed as a password may ever appear anywhere.
CANARY = "canary-7f3a"
_HTTP_PORT = 18_080


@dataclass(frozen=True)
class Make:
    """A protocol, its driver and the keys its block needs beside an address.

    `http`: its port is HTTP's, which tests may not open as an ordinary user. `tells_mac`: it says
    its MAC to whoever asks, without a login. `has_mac`: else it is known by its serial number.
    """

    protocol: str
    driver: str
    keys: dict[str, Any] = field(default_factory=dict)
    http: bool = True
    tells_mac: bool = True
    has_mac: bool = True

    def uid(self, simulator: Simulator) -> str:
        """Return by what a simulated machine is known."""
        return simulator.mac if self.has_mac else simulator.serial

    @property
    def plugin(self) -> Any:
        """Return the driver's class."""
        return import_module(f"hashcenter_bridge.devices.asics.{self.driver}").Plugin


MAKES = {
    make.protocol: make
    for make in (
        Make("axeos", "axeos"),
        Make("nerdqaxe", "axeos"),
        Make("braiins", "braiins", tells_mac=False),
        Make("luxos", "luxos", http=False),
        Make("vnish", "vnish"),
        Make("whatsminer_v2", "whatsminer_v2", http=False),
        Make("whatsminer_v3", "whatsminer_v3", http=False),
        Make("antminer", "antminer", {"low_w": 2400.0}, tells_mac=False),
        Make("avalon", "avalon", http=False),
        Make("bosminer", "bosminer", {"http_port": _HTTP_PORT}, http=False, tells_mac=False),
        Make("cgminer", "cgminer", http=False, has_mac=False),
    )
}


def loopback() -> str:
    """Return an address of this machine alone that no other test uses."""
    return f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"


@dataclass
class Pair:
    """A simulated machine and its driver, which has probed it."""

    make: Make
    simulator: Simulator
    driver: AsicDriver
    device: Device

    async def until(self, what: Callable[[AsicSample], bool], within_s: float = 10.0) -> AsicSample:
        """Look until `what` holds. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                try:
                    found = await self.driver.read()
                except DeviceFault:
                    await asyncio.sleep(0.05)
                    continue
                if what(found):
                    return found
                await asyncio.sleep(0.05)


def simulator_for(
    make: Make, address: str, *, number: int = 1, speed: float = 60.0, **hostile: Any
) -> Simulator:
    """Return a machine at an address, not yet started."""
    options = Options(
        address, number=number, http_port=_HTTP_PORT, speed=speed, hostile=Hostile(**hostile)
    )
    return PROTOCOLS[make.protocol](options)


def driver_for(make: Make, address: str, folder: Path, **keys: Any) -> AsicDriver:
    """Return a driver for the machine at an address."""
    port = {"port": _HTTP_PORT} if make.http else {}
    block = {"plugin": make.plugin.Config.model_fields["plugin"].default, "address": address}
    settings = make.plugin.Config(**{**block, **port, **make.keys, **keys})
    driver: AsicDriver = make.plugin(settings, PluginContext(folder, folder))
    return driver


@asynccontextmanager
async def paired(
    make: Make, folder: Path, *, speed: float = 60.0, **hostile: Any
) -> AsyncIterator[Pair]:
    """Start a machine and its driver, and let the driver find out who it is."""
    address = loopback()
    async with simulator_for(make, address, speed=speed, **hostile) as simulator:
        driver = driver_for(make, address, folder)
        try:
            yield Pair(make, simulator, driver, await driver.probe())
        finally:
            await driver.close()
