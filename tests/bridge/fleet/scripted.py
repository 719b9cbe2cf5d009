"""ASICs in this process, driven by a driver that a test scripts; nothing here opens a socket."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hashcenter_bridge.config import AsicsConfig, RigConfig
from hashcenter_bridge.devices.asic import AsicConfig, AsicSample, Pool, Setting
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.fleet.fleet import Fleet
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.store import Store
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import (
    Activity,
    Capabilities,
    DeviceKind,
    PowerSource,
    Readings,
    WattRange,
)

MAC = "02:00:00:00:00:01"
POOLS = (
    Pool("stratum+tcp://bc1qwallet@pool.example:3333", "bc1qwallet.attic", active=True,
         connected=True),
    Pool("stratum+tcp://spare.example:3333", "bc1qwallet.attic"),
)  # fmt: skip
CAN = Capabilities(
    readings=("power_w", "hash_rate_mhs", "temp_c", "fan_rpm", "shares_accepted_total"),
    power_source=PowerSource.MEASURED,
    power_limit=WattRange(min_w=1000.0, max_w=3000.0, step_w=50.0),
    can_pause=True,
    can_restart=True,
    idle_w=30.0,
    nominal_w=3000.0,
    settle_s=20.0,
    start_s=20.0,
)


@dataclass
class Machine:
    """What stands at an address; `reads_in_s` is how long it takes to answer."""

    mac: str = MAC
    can: Capabilities = CAN
    hashes: bool = True
    setting: float = 3000.0
    pools: tuple[Pool, ...] = POOLS
    shares: int = 1000
    reads_in_s: float = 0.0
    writes_in_s: float = 0.0
    fault: DeviceFault | None = None
    refuses: DeviceFault | None = None
    power_w: float | None = None
    uptime_s: float | None = None
    ratio: float = 1.0
    reads: int = 0
    cancelled: int = 0
    said: list[str] = field(default_factory=list)
    said_at: list[float] = field(default_factory=list)

    def device(self, address: str) -> Device:
        return Device(
            uid=self.mac,
            kind=DeviceKind.ASIC,
            name="Antminer S19",
            model="Antminer S19",
            firmware="Scripted 1",
            mac=self.mac,
            url=f"http://{address}",
            capabilities=self.can,
        )

    def sample(self) -> AsicSample:
        draws_w = self.power_w
        if draws_w is None:
            draws_w = self.setting * self.ratio if self.hashes else 30.0
        return AsicSample(
            readings=Readings(
                power_w=draws_w,
                hash_rate_mhs=1e8 * self.setting / 3000.0 if self.hashes else 0.0,
                temp_c=61.0,
                fan_rpm=3000.0,
                shares_accepted_total=self.shares,
            ),
            activity=Activity.HASHING if self.hashes else Activity.PAUSED,
            setting=self.setting,
            pools=self.pools,
            mac=self.mac,
            uptime_s=self.uptime_s,
        )


#: What answers at which address.
Network = dict[str, Machine]


class Plugin:
    """A driver on a network of scripted machines."""

    ports: ClassVar[tuple[int, ...]] = (4028,)
    Config: ClassVar[type[Any]] = AsicConfig

    @classmethod
    async def recognize(cls, _address: str, _port: int) -> Device | None:
        return None

    def __init__(self, network: Network, config: AsicConfig, _context: PluginContext) -> None:
        self.network = network
        self.config = config
        self.closed = False

    @property
    def machine(self) -> Machine:
        found = self.network.get(self.config.address)
        if found is None:
            raise DeviceFault("unreachable", f"{self.config.address} does not answer")
        if found.fault is not None:
            raise found.fault
        return found

    async def probe(self) -> Device:
        machine = self.machine
        if self.config.mac not in (None, machine.mac):
            raise DeviceFault("other_device", f"{self.config.address} is now {machine.mac}")
        return machine.device(self.config.address)

    async def read(self) -> AsicSample:
        machine = self.machine
        machine.reads += 1
        try:
            await asyncio.sleep(machine.reads_in_s)
        except asyncio.CancelledError:
            machine.cancelled += 1
            raise
        return self.machine.sample()

    async def _write(self, what: str) -> Machine:
        machine = self.machine
        machine.said.append(what)
        machine.said_at.append(time.monotonic())
        await asyncio.sleep(machine.writes_in_s)
        if machine.refuses is not None:
            raise machine.refuses
        return self.machine

    async def pause(self) -> None:
        (await self._write("pause")).hashes = False

    async def resume(self) -> None:
        (await self._write("resume")).hashes = True

    async def set(self, to: Setting) -> None:
        (await self._write(f"set {to}")).setting = float(to)

    async def restart(self) -> None:
        await self._write("restart")

    async def close(self) -> None:
        self.closed = True


def maker(network: Network) -> Callable[[AsicConfig, PluginContext], Plugin]:
    """Return what makes drivers on this network."""
    return lambda config, context: Plugin(network, config, context)


def block(address: str = "10.0.0.1", **keys: Any) -> AsicConfig:
    """Return an `[[asic]]` block, with looks faster than an owner may ask for."""
    interval_s = keys.pop("interval_s", 0.05)
    settings = AsicConfig(plugin="scripted", address=address, **keys)
    return settings.model_copy(update={"interval_s": interval_s})


def fleet_of(
    network: Network,
    blocks: list[AsicConfig],
    folder: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    search: tuple[str, ...] = (),
    stagger_s: float = 0.0,
    **rig: Any,
) -> Fleet:
    """Return a fleet of these blocks, with its store in `folder`."""
    known = {"allow_control": True, **rig}
    return Fleet(
        [(maker(network), one) for one in blocks],
        AsicsConfig(search=search, stagger_s=stagger_s),
        RigConfig(id="attic", **known),
        PluginContext(folder, folder),
        Store(folder, folder, clock),
        clock,
    )
