"""A house of 20 rigs x 8 GPUs + 64 ASICs, and 20 to 1,000 rigs x 4 GPUs: what they cost a house.

One real Mosquitto, one real Home Assistant with the recorder on SQLite, simulated rigs
(tools/fleet) that speak as often as bridges do.
"""

import asyncio
import json
import os
import pstats
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Final

from tests.brokers import Broker
from tools.bench.trust.home import Home, Load
from tools.demo.client import HomeAssistant
from tools.demo.processes import DemoError, Processes, Program, until
from tools.fleet.__main__ import rig_name
from tools.paths import ROOT_PYTHON

Say = Callable[[str], None]

_HOUSE_RIGS: Final = 20
_HOUSE_GPUS: Final = 8
_HOUSE_ASICS: Final = 64
_CURVE_GPUS: Final = 4
_BASEMENT: Final = "basement"
_SAFE_SHARE: Final = 0.6
_PER_PROCESS: Final = 250
_ONLINE_WITHIN_S: Final = 120.0
_SETTLE_S: Final = 20.0
_DRAIN_S: Final = 3.0
_PROFILE_S: Final = 20.0
_PROFILE_LINES: Final = 25
_ASKED_SHARE: Final = 0.5


class Fleet:
    """The simulated rigs of one measurement, in as few processes as carry them."""

    def __init__(self, processes: Processes, folder: Path, port: int) -> None:
        self._processes = processes
        self._folder = folder
        self._port = port
        self._running: list[tuple[Program, Path]] = []

    async def start(self, rigs: int, gpus: int, asics: int = 0) -> None:
        """Start the rigs and wait until all are connected."""
        for first in range(0, rigs, _PER_PROCESS):
            report = self._folder / f"said-{first}.json"
            report.unlink(missing_ok=True)
            here = min(_PER_PROCESS, rigs - first)
            command = [
                *(str(ROOT_PYTHON), "-m", "tools.fleet", "--port", str(self._port)),
                *("--first", str(first), "--rigs", str(here), "--gpus", str(gpus)),
                *("--asics", str(0 if first else asics), "--safe-share", str(_SAFE_SHARE)),
                *("--report", str(report)),
            ]
            program = await self._processes.start(f"fleet-{first}", command)
            self._running.append((program, report))
        expected = rigs + bool(asics)

        async def online() -> bool:
            return sum(self.told("online")) >= expected

        await until("all simulated rigs are connected", online, _ONLINE_WITHIN_S, every_s=1.0)

    def told(self, key: str) -> list[int]:
        """Return what each process said last of itself."""
        found: list[int] = []
        for program, _ in self._running:
            program.require_running()
            lines = [line for line in program.output().splitlines() if line.startswith("{")]
            found.append(int(json.loads(lines[-1])[key]) if lines else 0)
        return found

    async def stop(self) -> dict[str, int]:
        """Have them all say goodbye; return how many messages were said on each topic."""
        said: dict[str, int] = {}
        for program, report in self._running:
            await self._processes.stop(program)
            said |= json.loads(report.read_text())
        self._running.clear()
        return said


def lost(heard: dict[str, list[int]], said: dict[str, int]) -> int:
    """Return how many messages did not arrive, from the first that was heard of each topic on.

    `heard` holds first number, last number and count by topic, `said` the last number said. A topic
    that was never heard lost all it said.
    """
    missing = 0
    for topic, last in said.items():
        first, _, count = heard.get(topic, (1, 0, 0))
        missing += last - first + 1 - count
    return missing


async def house(folder: Path, seconds: float, profile: Path | None, say: Say) -> dict[str, float]:
    """Return lag and lost messages of a house with every entity enabled and all heaters asked."""
    async with _scene(folder) as (processes, broker):
        home = await _home(processes, folder, broker)
        fleet = Fleet(processes, folder, broker.port)
        home.accept([*map(rig_name, range(_HOUSE_RIGS)), _BASEMENT])
        await fleet.start(_HOUSE_RIGS, _HOUSE_GPUS, _HOUSE_ASICS)
        topics = _HOUSE_RIGS * (_HOUSE_GPUS + 1) + _HOUSE_ASICS + 1
        async with home.running() as talk:
            await home.settled(talk, topics)
        say(f"{home.enable_all()} more entities enabled")
        async with home.running() as talk:
            entities = await home.settled(talk, topics)
            asked = await _ask_for_heat(talk)
            say(f"{entities} entities, {asked} heaters asked for watts")
            await asyncio.sleep(_SETTLE_S)
            executed = sum(fleet.told("executed"))
            load = await home.measure(talk, lambda: asyncio.sleep(seconds))
            executed = sum(fleet.told("executed")) - executed
            say(f"{_told(load)}, {executed} requests, machine's load {os.getloadavg()[0]:.1f}")
            if profile is not None:
                await _profile(talk, profile.with_suffix(".house.prof"), say)
            said = await fleet.stop()
            await asyncio.sleep(_DRAIN_S)
            heard = await home.heard(talk)
    return {
        "ha_loop_lag_ms_p99_house": load.p99_ms,
        "ha_loop_lag_ms_worst_house": load.worst_ms,
        "ha_loop_own_lag_ms_p99_house": load.own_p99_ms,
        "messages_lost_house": lost(heard, said),
        "messages_house": sum(said.values()),
        "ha_cpu_percent_house": load.cpu_percent,
        "ha_rss_mb_house": load.rss_mb,
        "ha_entities_house": load.entities,
        "requests_house": executed,
    }


async def curve(
    folder: Path, sizes: Sequence[int], seconds: float, profile: Path | None, say: Say
) -> dict[str, float]:
    """Return lag, CPU and memory for each number of rigs x 4 GPUs, and what the last spends on."""
    figures: dict[str, float] = {}
    async with _scene(folder) as (processes, broker):
        home = await _home(processes, folder, broker)
        async with home.running() as talk:
            bare = await home.measure(talk, lambda: asyncio.sleep(_SETTLE_S))
        for rigs in sizes:
            fleet = Fleet(processes, folder, broker.port)
            try:
                figures |= await _point(home, fleet, rigs, bare.rss_mb, seconds, profile, say)
            except DemoError as err:
                # What fewer rigs took is worth knowing all the same.
                say(f"{rigs} rigs are more than this machine carries: {err}")
                break
    return figures


async def _point(
    home: Home,
    fleet: Fleet,
    rigs: int,
    bare_mb: float,
    seconds: float,
    profile: Path | None,
    say: Say,
) -> dict[str, float]:
    """Return one point of the curve."""
    home.accept(list(map(rig_name, range(rigs))))
    await fleet.start(rigs, _CURVE_GPUS)
    async with home.running() as talk:
        await home.settled(talk, rigs * (_CURVE_GPUS + 1))
        await asyncio.sleep(_SETTLE_S)
        load = await home.measure(talk, lambda: asyncio.sleep(seconds))
        say(f"{rigs} rigs: {_told(load)}, machine's load {os.getloadavg()[0]:.1f}")
        if profile is not None:
            await _profile(talk, profile.with_suffix(f".{rigs}.prof"), say)
        said = await fleet.stop()
        await asyncio.sleep(_DRAIN_S)
        heard = await home.heard(talk)
    return {
        f"ha_loop_lag_ms_p99_{rigs}_rigs": load.p99_ms,
        f"ha_loop_own_lag_ms_p99_{rigs}_rigs": load.own_p99_ms,
        f"ha_cpu_percent_{rigs}_rigs": load.cpu_percent,
        f"ha_rss_mb_{rigs}_rigs": load.rss_mb,
        f"ha_entities_{rigs}_rigs": load.entities,
        f"messages_lost_{rigs}_rigs": lost(heard, said),
        "ha_kb_per_rig": 1000 * (load.rss_mb - bare_mb) / rigs,
    }


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[tuple[Processes, Broker]]:
    processes = Processes(folder / "logs", f"bench-trust-{folder.name}")
    broker = Broker("mosquitto", folder)
    await broker.start()
    try:
        yield processes, broker
    finally:
        try:
            await processes.stop_all()
        finally:
            await broker.stop()


async def _home(processes: Processes, folder: Path, broker: Broker) -> Home:
    """Return a Home Assistant that has accepted the first rig."""
    home = Home(processes, folder / "ha")
    fleet = Fleet(processes, folder, broker.port)
    await fleet.start(1, 1)
    await home.set_up(broker.port)
    await fleet.stop()
    return home


async def _ask_for_heat(home: HomeAssistant) -> int:
    """Ask every heater for a share of what it can give; return how many were asked."""
    states = await home.states()
    requests = {
        name: state["attributes"]["max"]
        for name, state in states.items()
        if name.startswith("number.") and name.endswith("_heat_request")
    }
    if not requests:
        raise DemoError("no heater can be asked for watts")
    for name, max_w in requests.items():
        await home.act("number", "set_value", name, value=round(_ASKED_SHARE * max_w))
    return len(requests)


async def _profile(home: HomeAssistant, file: Path, say: Say) -> None:
    """Profile the loop's thread for a while; keep the profile and tell its largest parts."""
    await home.command("loop_probe/profile", seconds=_PROFILE_S, file=str(file))
    for order in ("tottime", "cumulative"):
        told = StringIO()
        pstats.Stats(str(file), stream=told).sort_stats(order).print_stats(_PROFILE_LINES)
        say(told.getvalue())


def _told(load: Load) -> str:
    return (
        f"{load.entities} entities, lag p50 {load.p50_ms:.1f} p99 {load.p99_ms:.1f} worst "
        f"{load.worst_ms:.0f} ms, own p99 {load.own_p99_ms:.1f} ms, "
        f"CPU {load.cpu_percent:.0f} %, {load.rss_mb:.0f} MB, {load.messages} messages"
    )
