"""A bridge that is killed leaves nothing of its programs behind."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.bridge.processes import FAMILY, is_alive, until, until_text

PATIENCE_S = 30


@pytest.fixture
def killed() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


BRIDGE = """
import asyncio, sys, time
from hashcenter_bridge.child import Child, ChildSpec

async def always():
    return True

async def main():
    child = Child(ChildSpec("program", (sys.executable, "-c", sys.argv[1])), ready=always,
        before_start=None, changed=lambda: None, clock=time.monotonic)
    child.want(True)
    while child.pid is None:
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_bridge_killed_by_sigkill_leaves_no_orphan(
    tmp_path: Path, killed: list[int]
) -> None:
    file = tmp_path / "young"
    family = FAMILY.format(file=str(file), then="time.sleep(600)")
    bridge = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BRIDGE, family, stdout=asyncio.subprocess.PIPE
    )
    killed.append(bridge.pid)
    assert bridge.stdout is not None
    child = int(await asyncio.wait_for(bridge.stdout.readline(), PATIENCE_S))
    young = int(await until_text(file))
    assert is_alive(child)
    assert is_alive(young)
    bridge.kill()
    await bridge.wait()
    await until(lambda: not is_alive(child))
    await until(lambda: not is_alive(young))
