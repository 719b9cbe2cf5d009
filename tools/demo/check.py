"""The demo as a user sees it, proved step by step: `./dev demo --check`.

What entities say is not taken for granted where something else can tell: that hashing rests is read
from the kernel (CPU time of the miners) and from the pool (shares that it checked itself).
"""

import asyncio
from pathlib import Path

from tools.demo.client import HomeAssistant
from tools.demo.demo import Demo, set_up
from tools.demo.report import Report
from tools.demo.steps import Steps


async def check(folder: Path) -> int:
    """Run a demo in `folder` and every step; return the exit status."""
    demo = Demo(folder, well_known=False)
    report = Report(folder / "logs")
    try:
        await _use(demo, report)
    finally:
        await report.step("Ctrl-C stops everything", lambda: _stop(demo))
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
            return "broker, discovered rig, voice assistant, energy page, dashboard"

        if await report.step("A newcomer sets it up", setting_up):
            await _look(demo, home, report)


async def _look(demo: Demo, home: HomeAssistant, report: Report) -> None:
    steps = Steps(demo, home)
    for title, step in (
        ("Entities show live values", steps.see_entities),
        ("The local model answers", steps.ask_something),
        ("Measured watts follow what is asked", steps.ask_for_heat),
        ("Hashing pauses for a question and goes on", steps.ask_while_hashing),
        ("Stop all stops everything until it is released", steps.stop_all),
        ("A killed bridge is seen, leaves nothing and recovers", steps.kill_bridge),
    ):
        await report.step(title, step)
        await asyncio.to_thread(demo.processes.require_running)


async def _stop(demo: Demo) -> str:
    await demo.stop()
    return f"no process left, {len(demo.ports)} ports closed"
