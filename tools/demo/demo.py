"""Starts the whole product in one folder, and stops it again.

The broker first, because everything meets there; then Home Assistant, which takes longest, while
pool, building model and bridge start beside it; then what a newcomer would click.
"""

import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tools.demo import newcomer, owner
from tools.demo.asic import start_asic
from tools.demo.bridge import RIG, Bridge
from tools.demo.broker import start_broker
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.gpus import make_gpus
from tools.demo.home_assistant import make_folder, start_home_assistant, until_started
from tools.demo.pool import Pool, start_pool
from tools.demo.ports import HOST, free_port, is_open
from tools.demo.processes import DemoError, Processes

USER: Final = "demo"
PASSWORD: Final = "demo"  # noqa: S105 - printed to whoever starts the demo

#: Broker, Home Assistant, bridge.
_WELL_KNOWN: Final = (1883, 8123, 8420)


class Demo:
    """One running demo. `well_known`: use the ports that people know, where they are free."""

    def __init__(self, folder: Path, *, well_known: bool) -> None:
        self.folder = folder
        self.mark = f"{uuid.uuid4()}"
        self.processes = Processes(folder / "logs", self.mark)
        self.broker_port, self.home_port, bridge_port = _ports(folder, well_known=well_known)
        self.gpus = make_gpus(folder / "gpus")
        self._runtime = TemporaryDirectory(prefix="hashcenter-")
        self.bridge = Bridge(
            self.processes,
            folder / "bridge",
            Path(self._runtime.name),
            broker_port=self.broker_port,
            http_port=bridge_port,
            gpus=self.gpus.environment,
        )
        self.pool: Pool | None = None
        self._asic_port: int | None = None

    @property
    def has_house(self) -> bool:
        """Whether the folder holds a Home Assistant that was set up before."""
        return (self._home_folder / ".storage/onboarding").exists()

    @property
    def _home_folder(self) -> Path:
        return self.folder / "home-assistant"

    @property
    def url(self) -> str:
        """Home Assistant's address."""
        return f"http://{HOST}:{self.home_port}"

    @property
    def ports(self) -> dict[str, int]:
        """Every port that the demo opened, by whose it is."""
        ports = {
            "the broker": self.broker_port,
            "Home Assistant": self.home_port,
            "the bridge": self.bridge.http_port,
        }
        if self.pool is not None:
            ports |= {"the pool": self.pool.port, "the pool's control": self.pool.control_port}
        if self._asic_port is not None:
            ports["the ASIC"] = self._asic_port
        return ports

    def displaced(self) -> list[tuple[str, int]]:
        """Return whose port is not the one that people know, and which it is."""
        given = list(self.ports.items())[: len(_WELL_KNOWN)]
        return [one for one, usual in zip(given, _WELL_KNOWN, strict=True) if one[1] != usual]

    async def start_programs(self) -> None:
        """Start every process; return once Home Assistant and the bridge answer."""
        await start_broker(self.processes, self.folder, self.broker_port)
        make_folder(self._home_folder, self.home_port)
        home = await start_home_assistant(self.processes, self._home_folder)
        house = ["--broker-port", str(self.broker_port), "--rig", RIG]
        await self.processes.start(
            "house", [sys.executable, "-m", "tests.simulators.house", *house]
        )
        self.pool = await start_pool(self.processes)
        self._asic_port = await start_asic(self.processes)
        await self.bridge.start(self.pool.port, self._asic_port)
        await until_started(home, self.home_port)

    async def log_in(self) -> HomeAssistant:
        """Return Home Assistant for its owner, whose account is made if there is none."""
        return HomeAssistant(self.url, await log_in_as_owner(self.url, USER, PASSWORD))

    async def stop(self) -> None:
        """Stop everything; raise DemoError if a process or a port is left."""
        await self.processes.stop_all()
        self._runtime.cleanup()
        if left := self.processes.leftovers():
            raise DemoError(f"still running: {'; '.join(left)}")
        still_open = [f"{whose} ({port})" for whose, port in self.ports.items() if is_open(port)]
        if still_open:
            raise DemoError(f"still listening: {', '.join(still_open)}")


def _ports(folder: Path, *, well_known: bool) -> list[int]:
    """Return the ports of broker, Home Assistant and bridge; a kept house knows them already."""
    memory = folder / "ports.json"
    if memory.exists():
        ports: list[int] = json.loads(memory.read_text())
        if taken := [port for port in ports if free_port(port) != port]:
            raise DemoError(f"another program has port {taken[0]}, which the kept house needs")
        return ports
    preferred = _WELL_KNOWN if well_known else (None, None, None)
    ports = [free_port(port) for port in preferred]
    folder.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps(ports))
    return ports


async def set_up(
    demo: Demo, home: HomeAssistant, say: Callable[[str], None], *, broker_is_there: bool = False
) -> None:
    """Do what a newcomer would click, saying each step; return once the heater can be asked."""
    steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("Accepting the rig that was discovered", lambda: _accept(demo, home)),
        ("Making it the voice assistant", lambda: newcomer.add_agent(home)),
        ("Adding the energy page", lambda: newcomer.add_energy(home)),
        ("Saying what watts cost", lambda: owner.set_prices(home)),
        ("Adding the breakers", lambda: owner.add_circuits(home)),
        ("Adding a room to heat", lambda: owner.add_room(home)),
        ("Adding the dashboard", lambda: newcomer.add_dashboard(home)),
        ("Waiting for the rig's controls", lambda: newcomer.wait_for_controls(home)),
    ]
    if not broker_is_there:
        steps.insert(0, ("Adding the broker", lambda: newcomer.add_broker(home, demo.broker_port)))
    for what, step in steps:
        say(what)
        await step()


async def _accept(demo: Demo, home: HomeAssistant) -> None:
    await newcomer.accept_rig(home, await demo.bridge.key())
