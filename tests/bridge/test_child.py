"""Rules of a child process, held by real programs."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hashcenter_bridge.child import Child, ChildSpec, ChildState
from hashcenter_bridge.errors import RunnerFault
from hashcenter_bridge.process import own_pids
from tests.bridge.processes import FAMILY, is_alive, until, until_text

PATIENCE_S = 30


class Watched:
    """A child with all that was ever said of it."""

    child: Child

    def __init__(self) -> None:
        self.seen: list[tuple[ChildState, str]] = []
        self._changed = asyncio.Event()

    def note(self) -> None:
        self.seen.append((self.child.state, self.child.why))
        self._changed.set()

    async def until(self, state: ChildState) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.child.state is not state:
                self._changed.clear()
                await self._changed.wait()

    async def times(self, state: ChildState, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while sum(one is state for one, _ in self.seen) < count:
                self._changed.clear()
                await self._changed.wait()


async def always() -> bool:
    return True


async def never() -> bool:
    return False


Make = Callable[..., Watched]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    children: list[Child] = []

    def build(
        code: str,
        *,
        argv: tuple[str, ...] | None = None,
        ready: Callable[[], Awaitable[bool]] = always,
        before_start: Callable[[], Awaitable[None]] | None = None,
        stop_after_s: float = 10.0,
        nice: int = 0,
        clock: Callable[[], float] = time.monotonic,
        back_off_s: tuple[float, ...] = (0.01,),
    ) -> Watched:
        spec = ChildSpec(
            name="program",
            argv=argv or (sys.executable, "-c", code),
            environment={"HASHCENTER_TEST": "yes"},
            stop_after_s=stop_after_s,
            nice=nice,
        )
        watched = Watched()
        watched.child = Child(
            spec,
            ready=ready,
            before_start=before_start,
            changed=watched.note,
            clock=clock,
            back_off_s=back_off_s,
        )
        children.append(watched.child)
        return watched

    yield build
    for child in children:
        await child.close()


SLEEP = "import time; time.sleep(600)"


async def test_a_wanted_child_runs_and_an_unwanted_one_does_not(make: Make) -> None:
    watched = make(SLEEP)
    assert watched.child.state is ChildState.STOPPED
    watched.child.want(True)
    watched.child.want(True)
    await watched.until(ChildState.READY)
    pid = watched.child.pid
    assert pid is not None
    assert is_alive(pid)
    watched.child.want(False)
    await watched.until(ChildState.STOPPED)
    assert not is_alive(pid)
    assert watched.child.pid is None
    states = [state for state, _ in watched.seen]
    assert states == [
        ChildState.STARTING,
        ChildState.READY,
        ChildState.STOPPING,
        ChildState.STOPPED,
    ]


async def test_a_child_is_ready_only_when_it_says_so(make: Make) -> None:
    asked = 0

    async def third_time() -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ConnectionRefusedError
        return asked >= 3

    watched = make(SLEEP, ready=third_time)
    watched.child.want(True)
    await watched.until(ChildState.READY)
    assert asked == 3


async def test_a_child_that_ends_by_itself_says_why_and_is_started_again(make: Make) -> None:
    watched = make("import sys; print('\\x1b[31mno weights\\x1b[0m', file=sys.stderr); sys.exit(7)")
    watched.child.want(True)
    await watched.times(ChildState.FAILED, 3)
    whys = {why for state, why in watched.seen if state is ChildState.FAILED}
    assert whys == {"program ended with exit code 7: no weights"}


async def test_a_killed_child_names_the_signal(make: Make) -> None:
    watched = make(SLEEP)
    watched.child.want(True)
    await watched.until(ChildState.READY)
    assert watched.child.pid is not None
    os.kill(watched.child.pid, signal.SIGKILL)
    await watched.times(ChildState.FAILED, 1)
    assert (ChildState.FAILED, "program was killed by SIGKILL") in watched.seen


async def test_a_program_that_is_not_there_is_named(make: Make) -> None:
    watched = make("", argv=("/nowhere/llama-server", "--port", "1"))
    watched.child.want(True)
    await watched.times(ChildState.FAILED, 1)
    why = next(why for state, why in watched.seen if state is ChildState.FAILED)
    assert "cannot start /nowhere/llama-server: No such file or directory" in why


async def test_back_off_grows_and_is_reset_by_health(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    now = 0.0
    sleep = asyncio.sleep

    async def quick(delay_s: float) -> None:
        if delay_s >= 1:
            slept.append(delay_s)
        await sleep(0.005)

    async def healthy_in_the_end() -> bool:
        nonlocal now
        if len(slept) >= 6:
            now += 61.0
        return True

    monkeypatch.setattr("hashcenter_bridge.child.asyncio.sleep", quick)
    monkeypatch.setattr("hashcenter_bridge.child._ASK_READY_S", 0.5)
    watched = make(
        "import sys; sys.stdin.read(); __import__('time').sleep(0.3)",
        ready=healthy_in_the_end,
        clock=lambda: now,
        back_off_s=(1.0, 2.0, 5.0, 15.0, 60.0),
    )
    watched.child.want(True)
    await watched.times(ChildState.FAILED, 8)
    assert slept[:7] == [1.0, 2.0, 5.0, 15.0, 60.0, 60.0, 1.0]


async def test_a_child_that_waits_for_its_next_try_can_be_stopped_at_once(make: Make) -> None:
    watched = make("raise SystemExit(1)", back_off_s=(3600.0,))
    watched.child.want(True)
    await watched.until(ChildState.FAILED)
    watched.child.want(False)
    await watched.until(ChildState.STOPPED)


async def test_a_child_wanted_again_while_it_stops_comes_back(make: Make, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    watched = make(
        f"""
import pathlib, signal, time
def end(*_):
    time.sleep(0.3)
    raise SystemExit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path({str(slow)!r}).write_text("ready\\n")
time.sleep(600)
""",
    )
    watched.child.want(True)
    await until_text(slow)
    first = watched.child.pid
    watched.child.want(False)
    await watched.until(ChildState.STOPPING)
    watched.child.want(True)
    await watched.until(ChildState.READY)
    assert watched.child.pid not in {None, first}
    assert ChildState.FAILED not in [state for state, _ in watched.seen]


async def test_a_refused_start_is_said_and_tried_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hashcenter_bridge.child.CHECK_AGAIN_S", 0.01)
    altered = True

    async def check() -> None:
        if altered:
            raise RunnerFault("weights_altered", "the weights are not the ones you verified")

    watched = make(SLEEP, before_start=check)
    watched.child.want(True)
    await watched.until(ChildState.FAILED)
    assert watched.child.why == "the weights are not the ones you verified"
    assert watched.child.pid is None
    altered = False
    await watched.until(ChildState.READY)


async def test_a_plugins_mistake_is_said_and_leaves_nothing_running(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    pids: list[int | None] = []

    async def mistaken() -> bool:
        pids.append(watched.child.pid)
        raise KeyError("oops")

    watched = make(SLEEP, ready=mistaken, back_off_s=(3600.0,))
    watched.child.want(True)
    await watched.until(ChildState.FAILED)
    assert watched.child.why == "program cannot be watched: KeyError: 'oops'"
    assert "oops" in caplog.text
    assert pids[0] is not None
    assert not is_alive(pids[0])


async def test_a_check_that_takes_long_can_be_called_off(make: Make) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def check() -> None:
        began.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    watched = make(SLEEP, before_start=check)
    watched.child.want(True)
    async with asyncio.timeout(PATIENCE_S):
        await began.wait()
        watched.child.want(False)
        await watched.until(ChildState.STOPPED)
        await ended.wait()


async def test_a_child_that_ignores_sigterm_is_killed(make: Make, tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    watched = make(
        f"""
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(deaf)!r}).write_text("ready\\n")
time.sleep(600)
""",
        stop_after_s=0.2,
    )
    watched.child.want(True)
    await until_text(deaf)
    pid = watched.child.pid
    assert pid is not None
    await watched.child.close()
    assert not is_alive(pid)
    assert watched.child.state is ChildState.STOPPED


async def test_a_child_that_ignores_sigterm_has_a_second_once_the_bridge_ends(
    make: Make, tmp_path: Path
) -> None:
    deaf = tmp_path / "deaf"
    watched = make(
        f"""
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(deaf)!r}).write_text("ready\\n")
time.sleep(600)
""",
        stop_after_s=500.0,
    )
    watched.child.want(True)
    await until_text(deaf)
    pid = watched.child.pid
    assert pid is not None
    watched.child.want(False)
    await until(lambda: watched.child.state is ChildState.STOPPING)
    watched.child.end()
    await until(lambda: not is_alive(pid))


async def test_a_child_that_no_longer_answers_is_started_anew(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, answers = 0.0, True

    async def ready() -> bool:
        nonlocal now
        now += 1.0
        return answers

    monkeypatch.setattr("hashcenter_bridge.child._ASK_READY_S", 0.01)
    watched = make(SLEEP, ready=ready, clock=lambda: now)
    watched.child.want(True)
    await watched.until(ChildState.READY)
    answers = False
    await watched.times(ChildState.FAILED, 1)
    assert (ChildState.FAILED, "program has not answered for 30 s") in watched.seen


@pytest.mark.parametrize("then", ["time.sleep(600)", "sys.exit(3)"])
async def test_a_child_leaves_no_grandchild_behind(make: Make, tmp_path: Path, then: str) -> None:
    file = tmp_path / "young"
    watched = make(FAMILY.format(file=str(file), then=then), back_off_s=(3600.0,))
    watched.child.want(True)
    young = int(await until_text(file))
    await watched.child.close()
    await until(lambda: not is_alive(young))


async def test_own_processes_are_found_however_deep(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "young"
    watched = make(FAMILY.format(file=str(file), then="time.sleep(600)"))
    watched.child.want(True)
    young = int(await until_text(file))
    own = own_pids()
    assert {os.getpid(), watched.child.pid, young} <= own
    assert os.getppid() not in own
    assert 1 not in own


async def test_a_child_runs_as_politely_and_privately_as_asked(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "self"
    watched = make(
        f"""
import os, pathlib, time
mine = (os.nice(0), os.umask(0), os.getpid() == os.getsid(0), os.environ["HASHCENTER_TEST"],
    sorted(map(int, os.listdir("/proc/self/fd")))[:-1])
pathlib.Path({str(file)!r}).write_text(f"{{mine}}\\n")
time.sleep(600)
""",
        nice=5,
    )
    watched.child.want(True)
    expected = (os.nice(0) + 5, 0o077, True, "yes", [0, 1, 2])
    assert await until_text(file) == f"{expected}\n"


async def test_starting_and_stopping_leaks_no_file(make: Make) -> None:
    watched = make("raise SystemExit(1)")

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    watched.child.want(True)
    await watched.times(ChildState.FAILED, 1)
    await watched.child.close()
    before = open_files()
    watched.child.want(True)
    await watched.times(ChildState.FAILED, 5)
    await watched.child.close()
    assert open_files() <= before


async def test_a_chatty_child_is_neither_blocked_nor_logged_without_end(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    watched = make(
        "import sys\nfor n in range(20000): print('line', n)\nprint('x' * 100000)\n"
        "print('last words', end=''); sys.exit(1)",
        back_off_s=(3600.0,),
    )
    watched.child.want(True)
    await watched.until(ChildState.FAILED)
    assert watched.child.why == "program ended with exit code 1: last words"
    lines = [record.getMessage() for record in caplog.records if "output" in record.name]
    assert "program: line 0" in lines
    assert any(line.endswith("more lines left out)") for line in lines)
    assert len(lines) < 2000
