"""One bridge that drives them all: what it costs, how late it looks, how fast it drops watts."""

import asyncio
import itertools
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from hashcenter_bridge.wire.messages import Inventory
from tests.e2e.house import House, house
from tools.bench.miners.basement import HTTP_PORT, PROTOCOLS, Basement, Machine, dead_addresses
from tools.bench.overhead.bridge import cpu_seconds, resident_mb
from tools.demo.broker import start_broker
from tools.demo.ports import free_port
from tools.demo.processes import Processes
from tools.paths import BRIDGE_PYTHON

EACH: Final = 8
DEAD: Final = 16
_INTERVAL_S: Final = 10.0
_RIG: Final = "bench"
_ALL_SEEN_WITHIN_S: Final = 120.0
_SETTLE_S: Final = 30.0
_SLOW_S: Final = 21.0
#: Requests of one look follow each other at once; a longer silence lies between two looks.
_BETWEEN_LOOKS_S: Final = 4.0
_WRITTEN_WITHIN_S: Final = 60.0

Say = Callable[[str], None]


async def measure(folder: Path, seconds: float, say: Say) -> dict[str, float]:
    """Return the figures of the fleet over `seconds` of steady state and one drop."""
    processes = Processes(folder / "logs", f"bench-miners-{folder.name}")
    with dead_addresses(DEAD) as dead:
        try:
            broker_port = free_port()
            await start_broker(processes, folder, broker_port)
            basement = await Basement.start(processes, EACH)
            machines = await basement.ask("status")
            config = folder / "hashcenter.toml"
            config.write_text(_config(folder, broker_port, machines, dead))
            cli = [str(BRIDGE_PYTHON), "-m", "hashcenter_bridge.cli"]
            # Asked first, so that the bridge's bytecode exists, as it does after an installation.
            await asyncio.to_thread(
                subprocess.check_output, [*cli, "key", "--config", str(config)], text=True
            )
            bridge = await processes.start("bridge", [*cli, "run", "--config", str(config)])
            async with house(broker_port, _RIG) as home:
                inventory = await _all_seen(home, len(machines))
                say(f"{len(machines)} machines and {DEAD} dead addresses, {seconds:.0f} s")
                await asyncio.sleep(_SETTLE_S)
                began, used_s = time.monotonic(), cpu_seconds(bridge.pid)
                await asyncio.sleep(seconds)
                ended, used_s = time.monotonic(), cpu_seconds(bridge.pid) - used_s
                told = await basement.ask("status")
                late = lateness_s(told, began, ended)
                say(f"{len(late)} looks; now at least 10 kW have to go")
                figures = {
                    "cpu_percent_64": 100 * used_s / (ended - began),
                    "rss_mb_64": resident_mb(bridge.pid),
                    "poll_lateness_s_p99": statistics.quantiles(late, n=100)[98],
                }
                return figures | await _drop(home, basement, inventory, say)
        finally:
            await processes.stop_all()


def lateness_s(machines: Sequence[Machine], began: float, ended: float) -> list[float]:
    """Return by how much each look came later than an interval after the last, at the machine."""
    late: list[float] = []
    for machine in machines:
        looks: list[float] = []
        last = float("-inf")
        for at in machine.requests:
            if began <= at <= ended and at - last > _BETWEEN_LOOKS_S:
                looks.append(at)
            last = at
        gaps = [after - before for before, after in itertools.pairwise(looks)]
        late += [max(0.0, gap - _INTERVAL_S) for gap in gaps]
    return late


async def _all_seen(home: House, count: int) -> Inventory:
    """Wait until every machine is in the inventory, with its watts known where it tells any."""
    async with asyncio.timeout(_ALL_SEEN_WITHIN_S):
        while True:
            inventory = home.last("inventory")
            if inventory is not None and len(inventory.devices) >= count:
                found: Inventory = inventory
                return found
            await asyncio.sleep(0.5)


async def _drop(
    home: House, basement: Basement, inventory: Inventory, say: Say
) -> dict[str, float]:
    """Pause one machine of each protocol while each is in the middle of a 21 s answer."""
    before = await basement.ask("status")
    chosen = [before[EACH * index] for index in range(len(PROTOCOLS))]
    for machine in chosen:
        await basement.ask(
            "hostile", address=machine.address, changes={"delay_s": _SLOW_S, "delays": 1}
        )
    await _until_stuck(basement, chosen)
    settle_s = {device.uid: device.capabilities.settle_s for device in inventory.devices}
    asked = [
        await home.write("lease", heater=machine.heater, power_w=0.0, ttl_s=300.0)
        for machine in chosen
    ]
    sent_at = time.monotonic()
    for request in asked:
        await home.send(request)
    written = await _written(basement, chosen, sent_at)
    slow = {mac: at - sent_at for mac, at in written.items()}
    say(" ".join(f"{m.protocol} {slow.get(m.mac, float('inf')):.2f} s" for m in chosen))
    unsettled = await _unsettled(basement, chosen, settle_s, sent_at)
    after = {one.mac: one.power_w for one in await basement.ask("status")}
    gone_w = sum(machine.power_w - after[machine.mac] for machine in chosen)
    say(f"{gone_w:.0f} W are gone; not settled in time: {', '.join(unsettled) or 'none'}")
    return {
        "drop_write_s_max": max(slow.values(), default=float("inf"))
        if len(slow) == len(chosen)
        else float("inf"),
        "drop_unsettled_devices": len(unsettled),
        "drop_w": gone_w,
    }


async def _until_stuck(basement: Basement, chosen: Sequence[Machine]) -> None:
    """Wait until each of the machines has been asked and does not answer."""
    known = {machine.mac: len(machine.requests) for machine in chosen}
    async with asyncio.timeout(2 * _INTERVAL_S + _SLOW_S):
        while True:
            told = {one.mac: one for one in await basement.ask("status")}
            if all(len(told[mac].requests) > seen for mac, seen in known.items()):
                return
            await asyncio.sleep(0.25)


async def _written(basement: Basement, chosen: Sequence[Machine], since: float) -> dict[str, float]:
    """Return when the first write reached each machine, as far as it did in time."""
    found: dict[str, float] = {}
    deadline = since + _WRITTEN_WITHIN_S
    while len(found) < len(chosen) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        for machine in await basement.ask("status"):
            times = [at for at, _ in machine.writes if at >= since]
            if times and machine.mac in {one.mac for one in chosen}:
                found[machine.mac] = min(times)
    return found


async def _unsettled(
    basement: Basement, chosen: Sequence[Machine], settle_s: dict[str, float], since: float
) -> list[str]:
    """Return the machines whose true watts are not down within their own settle time."""
    waiting = {machine.mac: machine for machine in chosen}
    late: list[str] = []
    while waiting:
        await asyncio.sleep(0.5)
        for now in await basement.ask("status"):
            machine = waiting.get(now.mac)
            if machine is None:
                continue
            # The wire's own measure of "reached", from 0 W on.
            if now.power_w <= max(30.0, 0.05 * machine.power_w):
                del waiting[now.mac]
            elif time.monotonic() - since > settle_s[now.mac]:
                late.append(f"{machine.protocol} ({now.power_w:.0f} W)")
                del waiting[now.mac]
    return late


def _config(
    folder: Path, broker_port: int, machines: Sequence[Machine], dead: Sequence[str]
) -> str:
    text = f"""
[rig]
id = "{_RIG}"
allow_control = true
state_folder = "{folder / "state"}"
runtime_folder = "{folder / "run"}"
[log]
level = "warning"
[mqtt]
port = {broker_port}
[http]
enabled = false
"""
    for machine in machines:
        port = f"port = {HTTP_PORT}\n" if PROTOCOLS[machine.protocol] else ""
        text += f'[[asic]]\nplugin = "{machine.protocol}"\naddress = "{machine.address}"\n{port}'
    for index, address in enumerate(dead):
        plugin = ("luxos", "whatsminer_v2", "avalon", "cgminer")[index % 4]
        text += f'[[asic]]\nplugin = "{plugin}"\naddress = "{address}"\n'
    return text
