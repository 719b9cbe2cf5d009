"""`./dev demo`: the whole product until Ctrl-C; `--check`: prove that it works, and exit."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

from tests.simulators.fake_nvml import BuildError
from tools.demo.check import check
from tools.demo.demo import PASSWORD, USER, Demo, set_up
from tools.demo.entities import Entities
from tools.demo.newcomer import DASHBOARD
from tools.demo.processes import DemoError
from tools.paths import DEV
from tools.setup.errors import SetupError
from tools.setup.programs import require_programs

#: What is asked for at first, so that there is something to see.
_HEAT_W: Final = 500
_AGAIN_AFTER_S: Final = 20.0

_WELCOME: Final = """
Home Assistant: {url}/{dashboard}   user {user}, password {password}

Things to try:
  - Drag "Heat request": the GPUs' watts follow within seconds, the room within minutes
    (an hour of the house passes in a minute).
  - Ask something with the Assist icon, top right: hashing pauses, the local model answers, hashing
    goes on. The model is tiny and often wrong; it proves the plumbing.
  - Press "Stop all". Nothing starts again until you release it.
  - `kill -9 {bridge}` ends the bridge as a power cut would: everything of it becomes unavailable;
    {again:.0f} seconds later it is started again.

The GPUs and the room are simulated; everything else is real. Logs: {logs}
Ctrl-C stops everything.
"""


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="prove that it works, and exit")
    parser.add_argument("--folder", type=Path, default=DEV / "demo", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="go on with the house of the last demo")
    asked = parser.parse_args()
    try:
        require_programs(["gcc"])
        return asyncio.run(_run(asked))
    except (DemoError, BuildError, SetupError) as err:
        print(f"The demo failed: {err}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 130


async def _run(asked: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if not asked.check:
        await _show(asked.folder, keep=asked.keep)
    return await _check()


async def _check() -> int:
    folder = Path(tempfile.mkdtemp(prefix="hashcenter-demo-"))
    status = await check(folder)
    if status == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return status


async def _show(folder: Path, *, keep: bool) -> NoReturn:
    """Run the demo until it is cancelled."""
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    demo = Demo(folder, well_known=True)
    for whose, port in demo.displaced():
        _say(f"The usual port of {whose} is taken; it uses {port}")
    is_new = not demo.has_house
    try:
        _say("Starting broker, pool, building model, bridge and Home Assistant")
        await demo.start_programs()
        async with await demo.log_in() as home:
            if is_new:
                await set_up(demo, home, _say)
                request = (await Entities.read(home)).heater("heat_request")
                await home.act("number", "set_value", request, value=_HEAT_W)
        _welcome(demo)
        await _watch(demo)
    finally:
        _say("Stopping everything")
        await demo.stop()


async def _watch(demo: Demo) -> NoReturn:
    """Start the bridge again when it ended, as a service manager does; nothing else may end."""
    while True:
        await asyncio.sleep(1.0)
        if not demo.bridge.running:
            _say(f"The bridge has ended. It starts again in {_AGAIN_AFTER_S:.0f} s")
            await demo.bridge.kill()
            await asyncio.sleep(_AGAIN_AFTER_S)
            await demo.bridge.start_again()
            _say("The bridge runs again")
        demo.processes.require_running()


def _welcome(demo: Demo) -> None:
    assert demo.bridge.program is not None
    print(
        _WELCOME.format(
            url=demo.url,
            dashboard=DASHBOARD,
            user=USER,
            password=PASSWORD,
            bridge=demo.bridge.program.pid,
            again=_AGAIN_AFTER_S,
            logs=demo.processes.logs,
        ),
        flush=True,
    )


def _say(text: str) -> None:
    print(f"· {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
