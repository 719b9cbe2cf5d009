"""One real Home Assistant that has accepted many rigs, with the probe inside it.

The first rig is accepted by hand, through the flow of a discovered one. The others are written into
Home Assistant's own store while it is stopped, exactly as that flow wrote the first: the flow takes
a few seconds for each, and what is measured is the house that has them.
"""

import json
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from tools.bench.overhead.bridge import cpu_seconds, resident_mb
from tools.demo import newcomer
from tools.demo.client import HomeAssistant, log_in_as_owner
from tools.demo.home_assistant import make_folder, start_home_assistant, until_started
from tools.demo.ports import HOST, free_port
from tools.demo.processes import DemoError, Processes, Program, until

_DOMAIN: Final = "hashcenter"
_PROBE: Final = Path(__file__).with_name("loop_probe")
_WHO: Final = ("bench", "bench")
_STOP_WITHIN_S: Final = 120.0
_SETTLED_WITHIN_S: Final = 900.0
#: No entity more in this many looks, a second or more apart: all that will come have come.
_QUIET_LOOKS: Final = 10


@dataclass(frozen=True)
class Load:
    """What Home Assistant took over a while: a core's percent, resident MB, lag in ms.

    `own_p99_ms`: the part of the lag that its loop computed itself (see loop_probe).
    """

    cpu_percent: float
    rss_mb: float
    p50_ms: float
    p99_ms: float
    own_p99_ms: float
    worst_ms: float
    entities: int
    messages: int


class Home:
    """A folder of Home Assistant's, and the process while it runs."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self.folder = folder
        self._processes = processes
        self._port = free_port()
        self._program: Program | None = None
        make_folder(folder, self._port)
        shutil.copytree(_PROBE, folder / "custom_components/loop_probe", dirs_exist_ok=True)
        with (folder / "configuration.yaml").open("a") as file:
            file.write("loop_probe:\n")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[HomeAssistant]:
        """Run it; on leaving it is asked to end, so that it keeps what it knows."""
        program = await start_home_assistant(self._processes, self.folder)
        self._program = program
        try:
            await until_started(program, self._port)
            url = f"http://{HOST}:{self._port}"
            async with HomeAssistant(url, await log_in_as_owner(url, *_WHO)) as home:
                await until("Home Assistant has started", partial(_has_started, home), 300, 1.0)
                yield home
        finally:
            if self._program is not None:
                self._program = None
                await self._processes.stop(program, _STOP_WITHIN_S)

    async def kill(self) -> None:
        """End it as a power cut would; what runs on it may leave then."""
        if (program := self._program) is not None:
            self._program = None
            await self._processes.kill(program)

    async def set_up(self, broker_port: int) -> None:
        """Add the broker and accept the one rig that can be heard there."""
        async with self.running() as home:
            await newcomer.add_broker(home, broker_port)
            await newcomer.accept_rig(home, "")

    def accept(self, rigs: Sequence[str]) -> None:
        """Write down, while it is stopped, that these rigs are accepted as well."""

        def add(data: dict[str, Any]) -> None:
            house = next(one for one in data["entries"] if one["domain"] == _DOMAIN)
            first = next(one for one in house["subentries"] if one["subentry_type"] == "rig")
            known = {one["unique_id"] for one in house["subentries"]}
            house["subentries"] += [
                {
                    **first,
                    "subentry_id": uuid.uuid4().hex,
                    "unique_id": rig,
                    "title": f"Rig {rig}",
                    "data": {**first["data"], "rig": rig},
                }
                for rig in rigs
                if rig not in known
            ]

        self._rewrite("core.config_entries", add)

    def enable_all(self) -> int:
        """Enable, while it is stopped, what the integration leaves disabled; return how many."""
        count = 0

        def enable(data: dict[str, Any]) -> None:
            nonlocal count
            for entity in data["entities"]:
                if entity["platform"] == _DOMAIN and entity["disabled_by"] == "integration":
                    entity["disabled_by"] = None
                    count += 1

        self._rewrite("core.entity_registry", enable)
        return count

    def _rewrite(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        file = self.folder / ".storage" / name
        content = json.loads(file.read_text())
        change(content["data"])
        file.write_text(json.dumps(content))

    async def settled(self, home: HomeAssistant, topics: int) -> int:
        """Wait until it has heard this many topics and makes no more entities; return how many."""
        counts: list[int] = []

        async def quiet() -> bool:
            assert self._program is not None
            self._program.require_running()
            now = await home.command("loop_probe/read", reset=False)
            counts.append(now["entities"])
            last = counts[-_QUIET_LOOKS:]
            still = len(last) == _QUIET_LOOKS and len(set(last)) == 1
            return still and len(now["heard"]) >= topics

        await until("Home Assistant has all entities", quiet, _SETTLED_WITHIN_S, every_s=1.0)
        return counts[-1]

    async def measure(self, home: HomeAssistant, over: Callable[[], Any]) -> Load:
        """Return what it takes while `over` is awaited."""
        if self._program is None:
            raise DemoError("Home Assistant does not run")
        pid = self._program.pid
        await home.command("loop_probe/read", reset=True)
        began_s, at = cpu_seconds(pid), os.times().elapsed
        await over()
        used_s, passed_s = cpu_seconds(pid) - began_s, os.times().elapsed - at
        now = await home.command("loop_probe/read", reset=False)
        return Load(
            cpu_percent=100 * used_s / passed_s,
            rss_mb=resident_mb(pid),
            p50_ms=now["p50_ms"],
            p99_ms=now["p99_ms"],
            own_p99_ms=now["own_p99_ms"],
            worst_ms=now["worst_ms"],
            entities=now["entities"],
            messages=sum(count for _, _, count in now["heard"].values()),
        )

    async def heard(self, home: HomeAssistant) -> dict[str, list[int]]:
        """Return first number, last number and count by topic, since the last `measure` began."""
        found: dict[str, list[int]] = (await home.command("loop_probe/read", reset=False))["heard"]
        return found


async def _has_started(home: HomeAssistant) -> bool:
    """Return whether all of it is set up: it answers long before that."""
    return bool((await home.get("/api/config"))["state"] == "RUNNING")
