"""`./dev demo` until Ctrl-C: it says where to look, and nothing of it is left."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tools.demo.cpu_time import cpu_s
from tools.demo.ports import is_open
from tools.demo.processes import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@asynccontextmanager
async def _demo(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tools.demo", "--folder", str(folder)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield demo
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()


async def _said(demo: asyncio.subprocess.Process, words: str) -> str:
    """Return what the demo said up to the line with these words."""
    assert demo.stdout is not None
    said = ""
    async with asyncio.timeout(240):
        while words not in said:
            line = await demo.stdout.readline()
            assert line, f"the demo ended; it said:\n{said}"
            said += line.decode()
    return said


def _offspring(pid: int) -> set[int]:
    """Return all that a process started, however deep; threads that end meanwhile have none."""
    found: set[int] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found.update(map(int, (thread / "children").read_text().split()))
    return found.union(*map(_offspring, found))


async def _none_is_left(pids: set[int]) -> None:
    async def gone() -> bool:
        return not cpu_s(pids)

    await until("every process is gone", gone, timeout_s=10)


async def test_ctrl_c_ends_a_running_demo_and_leaves_nothing(tmp_path: Path) -> None:
    async with _demo(tmp_path / "demo") as demo:
        said = await _said(demo, "Ctrl-C stops everything")
        address = said.partition("Home Assistant: http://127.0.0.1:")[2]
        port = int(address.partition("/")[0])
        assert is_open(port)
        assert "user demo, password demo" in said
        offspring = _offspring(demo.pid)
        assert len(offspring) >= 8

        demo.send_signal(signal.SIGINT)

        async with asyncio.timeout(60):
            assert await demo.wait() == 130
        await _none_is_left(offspring)
        assert not is_open(port)


async def test_ctrl_c_ends_a_demo_that_is_still_starting(tmp_path: Path) -> None:
    async with _demo(tmp_path / "demo") as demo:
        await _said(demo, "Starting")

        async def starting() -> bool:
            return len(_offspring(demo.pid)) >= 2

        await until("its programs start", starting, timeout_s=60)
        offspring = _offspring(demo.pid)

        demo.send_signal(signal.SIGINT)

        async with asyncio.timeout(60):
            assert await demo.wait() == 130
        await _none_is_left(offspring)
