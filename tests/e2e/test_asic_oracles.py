"""Two libraries that others wrote recognize our simulated ASICs and read the same numbers.

What they do not recognize is listed in EXPECTED, each with its reason: a change there is news.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.asic import PROTOCOLS
from tools.paths import ROOT
from tools.setup.environments import script_environment
from tools.setup.errors import SetupError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

_LOCK = ROOT / "tools/locks/asic-oracles.lock"
_SCRIPT = Path(__file__).with_name("asic_oracles.py")
#: Protocol -> what pyasic-rs calls its model; None: it knows no such machine.
EXPECTED_RS = {
    "axeos": "Gamma", "nerdqaxe": "Gamma", "braiins": "S19jPro", "luxos": "S19KPro",
    "vnish": "S19", "whatsminer_v2": "M30SPlusPlusVG40", "whatsminer_v3": "M60SVK40",
    "antminer": "S21", "avalon": "AvalonHomeQ", "bosminer": "S9",
    # A firmware that nobody knows.
    "cgminer": None,
}  # fmt: skip
#: pyasic is older: where it stops is its own business (LuCI for Braiins, single commands for
#: LuxOS, a v2 reply in a list, no watts of an Avalon Q), but these it reads.
READ_BY_PYASIC = {
    "axeos": "Gamma",
    "antminer": "S21",
    "avalon": "Avalon Q Home",
    "whatsminer_v3": "M60S VK40",
}


def _may_listen_at_port_80() -> bool:
    try:
        with socket.create_server(("127.0.0.1", 80)):
            return True
    except PermissionError:
        return False
    except OSError:
        return True


@pytest.fixture
def oracles() -> Path:
    if not _may_listen_at_port_80():
        pytest.skip("the libraries look at port 80, which this user may not listen at")
    try:
        return script_environment("asic-oracles", _LOCK)
    except SetupError as err:
        pytest.skip(str(err))


async def _say(*command: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return json.loads(said.splitlines()[-1])


async def test_two_other_libraries_read_the_same_numbers(oracles: Path) -> None:
    names = sorted(PROTOCOLS)
    first = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.10"
    asked = [word for name in names for word in ("--protocol", name)]
    simulators = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.asic", "--address", first, *asked,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert simulators.stdout is not None
    try:
        async with asyncio.timeout(60):
            addresses = json.loads(await simulators.stdout.readline())["addresses"]
        told = await _say(str(oracles), str(_SCRIPT), *addresses)
    finally:
        os.kill(simulators.pid, signal.SIGTERM)
        await simulators.wait()
    found = dict(zip(names, (told[address] for address in addresses), strict=True))
    assert set(found) == set(EXPECTED_RS)
    for name, model in EXPECTED_RS.items():
        seen, spec = found[name]["pyasic_rs"], PROTOCOLS[name].spec
        assert (seen and seen.get("model")) == model, (name, seen)
        if model is None:
            continue
        assert seen["mining"] is True
        if name != "bosminer":  # It logs in to LuCI in its own way for the MAC.
            assert seen["mac"].lower().startswith("02:a5:1c:"), name
        number, unit = seen["hash_rate"].split()
        assert unit == "TH/s"
        assert float(number) == pytest.approx(spec.hash_ths, rel=0.01), name
        if name != "antminer":  # It has no meter.
            drawn_w = spec.full_w * spec.draw_ratio
            assert seen["power_w"] == pytest.approx(drawn_w, rel=0.01), name
    for name, model in READ_BY_PYASIC.items():
        assert found[name]["pyasic"]["model"] == model, found[name]["pyasic"]
        assert found[name]["pyasic"]["mining"] is True
