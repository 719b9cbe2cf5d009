"""The demo as a user sees it, proved step by step: `./dev demo --check`.

What entities say is not taken for granted where something else can tell: that hashing rests is read
from the kernel (CPU time of the miners) and from the pool (shares that it checked itself).
"""

import asyncio
import re
from pathlib import Path
from typing import Final

from tools.demo.client import HomeAssistant
from tools.demo.demo import Demo, set_up
from tools.demo.processes import DemoError, marked
from tools.demo.report import Report
from tools.demo.sockets import exposed
from tools.demo.steps import Steps

#: An error of any program, or an attempt to reach something beyond this machine.
_COMPLAINT: Final = re.compile(
    r"\b(ERROR|CRITICAL)\b|Traceback|Cannot connect to host|name not found|Name or service"
)


async def check(folder: Path) -> int:
    """Run a demo in `folder` and every step; return the exit status."""
    demo = Demo(folder, well_known=False)
    report = Report(folder / "logs")
    try:
        await _use(demo, report)
    finally:
        await report.step("Ctrl-C stops everything", lambda: _stop(demo))
    await report.step("No program complained", lambda: _read_logs(demo))
    return report.total()


async def _use(demo: Demo, report: Report) -> None:
    async def start() -> str:
        await demo.start_programs()
        return "broker, pool, house, bridge, Home Assistant"

    if not await report.step("All programs start", start):
        return
    async with await demo.log_in() as home:

        async def setting_up() -> str:
            await set_up(demo, home, lambda _: None)
            return "broker, rig, voice assistant, energy, prices, breakers, room, dashboard"

        if await report.step("A newcomer sets it up", setting_up):
            await _look(demo, home, report)


async def _look(demo: Demo, home: HomeAssistant, report: Report) -> None:
    steps = Steps(demo, home)
    for title, step in (
        ("Entities show live values", steps.see_entities),
        ("The local model answers", steps.ask_something),
        ("A thermostat moves the measured watts", steps.warm_the_room),
        ("Measured watts follow what is asked", steps.ask_for_heat),
        ("Hashing pauses for a question and goes on", steps.ask_while_hashing),
        ("Stop all stops everything until it is released", steps.stop_all),
        ("Nothing is open beyond 127.0.0.1", lambda: _see_sockets(demo)),
        ("A killed bridge is seen, leaves nothing and recovers", steps.kill_bridge),
    ):
        await report.step(title, step)
        await asyncio.to_thread(demo.processes.require_running)


async def _see_sockets(demo: Demo) -> str:
    pids = marked(demo.mark)
    if found := exposed(pids):
        raise DemoError("; ".join(found))
    return f"{len(pids)} processes"


async def _stop(demo: Demo) -> str:
    await demo.stop()
    return f"no process left, {len(demo.ports)} ports closed"


async def _read_logs(demo: Demo) -> str:
    logs = sorted(demo.processes.logs.glob("*.log"))
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            if _COMPLAINT.search(line):
                raise DemoError(f"{log.name}: {line[:400]}")
    return f"{len(logs)} logs"
