"""That a model has no network is tried, not believed; the test itself must be able to fail."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hashcenter_bridge import launch, locality
from hashcenter_bridge.child import Child, ChildState
from hashcenter_bridge.programs import RunnerProgram
from tests.bridge.processes import until
from tests.bridge.serving import make_runner

SLEEPS = ("sleep", "60")
NOBODY = 65534


@asynccontextmanager
async def program(network: str, *before: str) -> AsyncIterator[int]:
    """Run a program in `network`; `before` is what starts its launcher."""
    argv: Sequence[str] = (
        *before,
        *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), "0", network, *SLEEPS),
    )
    process = await asyncio.create_subprocess_exec(*argv)
    try:
        comm = Path(f"/proc/{process.pid}/comm")
        await until(lambda: comm.read_text().strip() == "sleep" or process.returncode is not None)
        assert process.returncode is None
        yield process.pid
    finally:
        process.kill()
        await process.wait()


def network_of(pid: str) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


def is_private(folder: Path) -> bool:
    return any(not one.stat().st_mode & stat.S_IXOTH for one in (folder, *folder.parents))


async def possible() -> None:
    if why := await locality.possible():
        pytest.skip(why)


async def test_nothing_gets_out_of_an_empty_network() -> None:
    await possible()
    async with program(launch.NONE) as pid:
        found = await locality.tried(pid, "voice")
    assert found == locality.Locality(True, "voice has no network: a test could not get out of it")


async def test_the_test_gets_out_of_this_machines_network() -> None:
    async with program(launch.HOST) as pid:
        found = await locality.tried(pid, "voice")
    assert found.local is False
    assert "it reaches this machine's own network" in found.why


async def test_of_a_program_that_is_gone_nothing_is_said() -> None:
    async with program(launch.HOST) as pid:
        pass
    found = await locality.tried(pid, "voice")
    assert found.local is None
    assert "unknown" in found.why


async def test_a_user_without_privileges_needs_none() -> None:
    if os.geteuid() != 0 or is_private(Path(sys.base_prefix)):
        pytest.xfail("only root can become another user, who must be able to run this Python")
    script = (
        f"import asyncio, os, sys; os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "from hashcenter_bridge import launch, locality\n"
        "async def main():\n"
        "    if why := await locality.possible(): return why\n"
        "    child = await asyncio.create_subprocess_exec(sys.executable, '-I', '-S',\n"
        "        launch.__file__, str(os.getpid()), '0', 'none', 'sleep', '60')\n"
        "    while open(f'/proc/{child.pid}/comm').read().strip() != 'sleep':\n"
        "        await asyncio.sleep(0.02)\n"
        "    found = await locality.tried(child.pid, 'voice')\n"
        "    child.kill(); await child.wait()\n"
        "    return found\n"
        "print(asyncio.run(main()))"
    )
    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        said, _ = await done.communicate()
    if b"does not let a program" in said:
        pytest.skip(said.decode().strip())
    assert said.startswith(b"Locality(local=True,")


async def test_a_model_answers_without_any_network_and_says_so(
    tmp_path: Path, small_model: Path
) -> None:
    await possible()
    runner = make_runner(tmp_path, small_model, network="none")
    told = asyncio.Event()
    watched = RunnerProgram(runner, asyncio.get_running_loop().time, told.set)
    assert isinstance(watched.child, Child)
    assert watched.locality.local is None
    try:
        watched.child.want(True)
        child = watched.child
        await until(lambda: child.state is ChildState.READY and watched.locality.local is not None)
        assert watched.locality.why.endswith("a test could not get out of it")
        assert network_of("self") != network_of(str(child.pid))
    finally:
        await watched.close()


async def test_with_this_machines_network_it_says_that_too(
    tmp_path: Path, small_model: Path
) -> None:
    runner = make_runner(tmp_path, small_model, network="host")
    watched = RunnerProgram(runner, asyncio.get_running_loop().time, lambda: None)
    assert isinstance(watched.child, Child)
    try:
        watched.child.want(True)
        await until(lambda: watched.locality.local is not None)
        assert watched.locality.local is False
    finally:
        await watched.close()
