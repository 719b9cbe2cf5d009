"""Starts a demo, takes its pictures, stops it. `--only newcomer|house` takes one part.

The browser driver is installed once under `.dev`, from its lock file.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.demo import newcomer
from tools.demo.ask import ask
from tools.demo.client import HomeAssistant
from tools.demo.demo import Demo, set_up
from tools.demo.entities import Entities
from tools.demo.processes import DemoError
from tools.paths import DEV
from tools.setup.console import run, say
from tools.setup.errors import SetupError
from tools.setup.programs import require_programs
from tools.setup.stamp import Stamp

_HERE: Final = Path(__file__).parent
_DRIVER: Final = DEV / "screenshots"
#: What is asked for in turn, so that the graphs show a house in use.
_TARGETS_C: Final = (21, 19, 22, 20.5)
_QUESTION: Final = "What should I wear on a cold day?"
_ANSWER_S: Final = 8.0
_SCENE_WITHIN_S: Final = 600.0


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=DEV / "pictures")
    parser.add_argument("--only", choices=("newcomer", "house"))
    parser.add_argument("--warm-up", type=float, default=120.0, metavar="SECONDS")
    asked = parser.parse_args()
    try:
        _prepare()
        asked.folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(_take(asked.folder.resolve(), asked.only, asked.warm_up))
    except (DemoError, SetupError) as err:
        print(err, file=sys.stderr)
        return 1
    print(f"The pictures are in {asked.folder}")
    return 0


def _prepare() -> None:
    """Have the browser and its driver."""
    require_programs(["chromium", "node", "npm"])
    sources = [_HERE / name for name in ("package.json", "package-lock.json")]
    stamp = Stamp(_DRIVER, *sources)
    if not stamp.is_current():
        say("Installing the browser driver (playwright-core)")
        _DRIVER.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copy(source, _DRIVER)
        run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            failure="The browser driver could not be installed.",
            cwd=_DRIVER,
        )
        stamp.write()
    # Modules are looked for beside the script.
    shutil.copy(_HERE / "shoot.mjs", _DRIVER)


async def _take(folder: Path, only: str | None, warm_up_s: float) -> None:
    demo = Demo(Path(tempfile.mkdtemp(prefix="hashcenter-pictures-")), well_known=False)
    try:
        say("Starting the demo")
        await demo.start_programs()
        async with await demo.log_in() as home:
            if only != "house":
                await newcomer.add_broker(home, demo.broker_port)
                await newcomer.wait_for_rig(home)
                await _shoot("newcomer", demo, folder)
            if only != "newcomer":
                await set_up(demo, home, say, broker_is_there=only != "house")
                say(f"Using it for {warm_up_s:.0f} s")
                await _use(home, warm_up_s)
                await _shoot("house", demo, folder)
    finally:
        await demo.stop()


async def _use(home: HomeAssistant, seconds: float) -> None:
    """Ask for heat and for answers, now and then."""
    thermostat = (await Entities.read(home)).thermostat
    assert thermostat is not None
    for target_c in _TARGETS_C:
        await home.act(
            "climate", "set_temperature", thermostat, temperature=target_c, hvac_mode="heat"
        )
        await ask(home, _QUESTION, hang_up_after_s=_ANSWER_S)
        await asyncio.sleep(seconds / len(_TARGETS_C))


async def _shoot(scene: str, demo: Demo, folder: Path) -> None:
    say(f"Taking the pictures of the {scene}")
    process = await asyncio.create_subprocess_exec(
        *("node", "shoot.mjs", scene, demo.url, str(folder)), cwd=_DRIVER
    )
    async with asyncio.timeout(_SCENE_WITHIN_S):
        if await process.wait() != 0:
            raise DemoError(f"the pictures of the {scene} could not be taken")


if __name__ == "__main__":
    sys.exit(main())
