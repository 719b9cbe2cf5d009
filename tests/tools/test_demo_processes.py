"""Nothing that the demo starts is left behind, however the demo ends."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.demo.ports import free_port, is_open
from tools.demo.processes import DemoError, Processes, marked, until

#: A program with a child, both of which ignore a polite request to end.
_STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""

#: A demo that starts a program and then does nothing more.
_DEMO = """
import asyncio, sys, time
from pathlib import Path
from tools.demo.processes import Processes
async def main():
    processes = Processes(Path(sys.argv[1]), sys.argv[2])
    await processes.start("sleeper", ["sleep", "600"])
    print("ready", flush=True)
    time.sleep(600)
asyncio.run(main())
"""


async def _until(condition: Callable[[], bool]) -> None:
    async def look() -> bool:
        return condition()

    await until("the condition", look, timeout_s=30, every_s=0.02)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"test-{os.getpid()}-{tmp_path.name}"


async def test_stopping_ends_a_stubborn_program_and_its_children(tmp_path: Path, mark: str) -> None:
    processes = Processes(tmp_path, mark)
    program = await processes.start("stubborn", [sys.executable, "-c", _STUBBORN])
    assert await program.first_line(30) == "ready"
    await _until(lambda: len(marked(mark)) >= 2)

    await processes.stop(program, grace_s=0.1)

    await _until(lambda: not processes.leftovers())
    assert not program.running


async def test_programs_stop_in_the_opposite_order_of_their_start(
    tmp_path: Path, mark: str
) -> None:
    ends = tmp_path / "ends"
    say_on_end = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(ends)!r}, 'a').write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    processes = Processes(tmp_path, mark)
    for name in ("a", "b", "c"):
        program = await processes.start(name, [sys.executable, "-c", say_on_end, name])
        await program.first_line(30)

    await processes.stop_all()

    assert ends.read_text() == "cba"


async def test_nothing_survives_a_demo_that_is_killed(tmp_path: Path, mark: str) -> None:
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _DEMO, str(tmp_path), mark), stdout=asyncio.subprocess.PIPE
    )
    assert demo.stdout is not None
    assert await demo.stdout.readline() == b"ready\n"
    assert len(marked(mark)) == 1

    demo.kill()
    await demo.wait()

    await _until(lambda: not marked(mark))


async def test_a_program_that_ended_is_named_with_its_last_words(tmp_path: Path, mark: str) -> None:
    processes = Processes(tmp_path, mark)
    program = await processes.start("brief", [sys.executable, "-c", "print('no luck')"])
    await _until(lambda: not program.running and bool(program.log.read_text()))

    with pytest.raises(DemoError, match=r"brief ended by itself: no luck \(see .*brief\.log\)"):
        processes.require_running()
    await processes.stop_all()


async def test_a_program_that_says_nothing_is_named_with_its_log(tmp_path: Path, mark: str) -> None:
    processes = Processes(tmp_path, mark)
    program = await processes.start("silent", [sys.executable, "-c", "import time; time.sleep(9)"])

    with pytest.raises(DemoError, match=r"silent did not say where it listens; see .*silent\.log"):
        await program.first_line(0.1)
    await processes.stop_all()


async def test_a_port_in_use_is_not_offered() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    try:
        assert is_open(taken)
        assert free_port(preferred=taken) != taken
    finally:
        server.close()
    assert not is_open(taken)
