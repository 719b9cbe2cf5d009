"""The demo's ASIC: a simulated S19 on Braiins OS, a real server that the bridge finds by address.

Twenty of its seconds pass in one, so that a boot of two minutes takes six seconds.
"""

import sys
from typing import Final

from tools.demo.ports import HOST, free_port, until_open
from tools.demo.processes import Processes

NAME: Final = "Demo S19"
_SPEED: Final = 20
_START_WITHIN_S: Final = 30.0


async def start_asic(processes: Processes) -> int:
    """Start the machine; return its port."""
    port = free_port()
    options = ["--protocol", "braiins", "--address", HOST, "--http-port", str(port)]
    program = await processes.start(
        "asic", [sys.executable, "-m", "tests.simulators.asic", *options, "--speed", str(_SPEED)]
    )
    await until_open(port, program, _START_WITHIN_S)
    return port
