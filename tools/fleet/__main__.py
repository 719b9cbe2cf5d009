"""`./dev fleet --port PORT --rigs 100`: simulated rigs on a broker on this machine, until stopped.

Prints one JSON object every few seconds: how many rigs are connected, how much was said and done.
With --report it writes at its end how many messages it said on each topic.
"""

import argparse
import asyncio
import json
import resource
import signal
import time
from pathlib import Path
from typing import Final

from hashcenter_bridge.config import MqttConfig
from tools.demo.ports import HOST
from tools.fleet.rig import FleetRig

_TICK_S: Final = 1.0
_TELL_S: Final = 5.0
_FILES_PER_RIG: Final = 4
#: Not all at once: a house's rigs come up with its breakers, over a few seconds.
_CONNECTS_PER_S: Final = 50


def rig_name(number: int) -> str:
    """Return the id of the rig with this number."""
    return f"rig{number:04}"


async def run(rigs: list[FleetRig]) -> None:
    """Run the rigs until SIGTERM or SIGINT."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    lines: list[asyncio.Task[None]] = []
    work = [asyncio.create_task(_tick(rigs)), asyncio.create_task(_tell(rigs))]
    try:
        for rig in rigs:
            lines.append(asyncio.create_task(rig.line.run()))
            await asyncio.sleep(1 / _CONNECTS_PER_S)
            if done.is_set():
                break
        await done.wait()
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*(rig.line.close() for rig in rigs))
        await asyncio.gather(*lines, *work, return_exceptions=True)
        print(json.dumps(_sum(rigs)), flush=True)


async def _tick(rigs: list[FleetRig]) -> None:
    """Let every rig look once a second, spread over that second as independent ones are."""
    began, turn = time.monotonic(), 0
    while True:
        for index, rig in enumerate(rigs):
            due = began + _TICK_S * (turn + index / len(rigs))
            if (wait_s := due - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            if rig.line.online:
                rig.step()
        turn += 1
        # Whoever is late by whole turns leaves them out, as a bridge's loop does.
        turn = max(turn, int((time.monotonic() - began) / _TICK_S))


async def _tell(rigs: list[FleetRig]) -> None:
    while True:
        await asyncio.sleep(_TELL_S)
        print(json.dumps(_sum(rigs)), flush=True)


def _sum(rigs: list[FleetRig]) -> dict[str, int]:
    return {
        "rigs": len(rigs),
        "online": sum(rig.line.online for rig in rigs),
        "said": sum(sum(rig.said.values()) for rig in rigs),
        "executed": sum(rig.executed for rig in rigs),
        "connects": sum(rig.line.connects for rig in rigs),
    }


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="./dev fleet", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the broker's port on 127.0.0.1")
    parser.add_argument("--rigs", type=int, default=20, help="how many (default 20)")
    parser.add_argument("--first", type=int, default=0, help="number of the first rig")
    parser.add_argument("--gpus", type=int, default=4, help="GPUs of each rig (default 4)")
    parser.add_argument("--asics", type=int, default=0, help="ASICs, on one more rig without GPUs")
    parser.add_argument(
        "--safe-share", type=float, default=0.0, help="of its watts that a rig may draw by itself"
    )
    parser.add_argument("--report", type=Path, help="file for the number of messages by topic")
    asked = parser.parse_args()
    if not 1 <= asked.rigs <= 1000 or not 0 <= asked.gpus <= 16:
        parser.error("1 to 1000 rigs with 0 to 16 GPUs each")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 256 + _FILES_PER_RIG * asked.rigs), most))
    broker = MqttConfig(host=HOST, port=asked.port)
    began = time.monotonic()

    def clock() -> float:
        return time.monotonic() - began

    numbers = range(asked.first, asked.first + asked.rigs)
    rigs = [
        FleetRig(rig_name(number), broker, clock, gpus=asked.gpus, safe_share=asked.safe_share)
        for number in numbers
    ]
    if asked.asics:
        rigs.append(
            FleetRig(
                "basement", broker, clock, gpus=0, asics=asked.asics, safe_share=asked.safe_share
            )
        )
    asyncio.run(run(rigs))
    if asked.report is not None:
        said = {topic: count for rig in rigs for topic, count in rig.said.items()}
        asked.report.write_text(json.dumps(said))


if __name__ == "__main__":
    main()
