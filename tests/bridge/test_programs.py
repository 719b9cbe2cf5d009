"""Where miners and runners stand, by what they do and not by what they said."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hashcenter_bridge.arbiter.types import Running
from hashcenter_bridge.child import Child, ChildSpec, ChildState
from hashcenter_bridge.miners import MinerReading
from hashcenter_bridge.programs import MinerProgram, RunnerProgram
from tests.bridge.rigs import Answerer, ChildRecorder, Hasher


class Watch:
    """A program, its clock, and how often it changed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.changes = 0
        self.changed = asyncio.Event()
        self.hasher = Hasher()
        self.answerer = Answerer()

    def change(self) -> None:
        self.changes += 1
        self.changed.set()

    def miner(self, child: ChildState | None = None) -> MinerProgram:
        program = MinerProgram(self.hasher, lambda: self.now, self.change)
        if child is not None:
            program.child = ChildRecorder(child)  # type: ignore[assignment]
        return program

    def runner(self, child: ChildState | None = None) -> RunnerProgram:
        program = RunnerProgram(self.answerer, lambda: self.now, self.change)
        if child is not None:
            program.child = ChildRecorder(child)  # type: ignore[assignment]
        return program

    def reads(self, **changes: Any) -> MinerReading:
        assert self.hasher.reading is not None
        self.hasher.reading = replace(self.hasher.reading, **changes)
        return self.hasher.reading


@pytest.fixture
def watch() -> Watch:
    return Watch()


async def test_a_miner_that_nobody_looked_at_yet_has_not_failed(watch: Watch) -> None:
    program = watch.miner()
    assert program.seen().running is Running.STARTING
    await program._read()
    assert program.seen().running is Running.ACTIVE


async def test_a_miner_that_cannot_be_reached_has_failed_and_says_why(watch: Watch) -> None:
    program = watch.miner()
    watch.hasher.reading = None
    await program._read()
    assert program.seen().running is Running.FAILED
    assert program.seen().why == "miner cannot be reached"
    watch.hasher.reading = Hasher().reading
    await program._read()
    assert program.seen().running is Running.ACTIVE
    assert program.seen().why == ""


async def test_a_paused_miner_is_paused(watch: Watch) -> None:
    program = watch.miner()
    watch.reads(paused=True)
    await program._read()
    assert program.seen().running is Running.PAUSED


async def test_a_miner_that_says_yes_and_hashes_on_is_still_active(watch: Watch) -> None:
    program = watch.miner()
    watch.hasher.stubborn = True
    await program.tell(Running.PAUSED)
    assert watch.hasher.said == ["pause"]
    assert program.seen().running is Running.ACTIVE


async def test_what_a_miner_was_told_shows_at_once(watch: Watch) -> None:
    program = watch.miner()
    await program.tell(Running.PAUSED)
    assert program.seen().running is Running.PAUSED
    await program.tell(Running.ACTIVE)
    assert program.seen().running is Running.ACTIVE
    assert watch.hasher.said == ["pause", "resume"]


async def test_a_miner_that_refuses_is_no_error(watch: Watch) -> None:
    program = watch.miner()
    watch.hasher.reading = None
    await program.tell(Running.PAUSED)
    assert program.why == "miner cannot be reached"


@pytest.mark.parametrize(
    ("child", "paused", "running"),
    [
        (ChildState.STOPPED, None, Running.STOPPED),
        (ChildState.STARTING, None, Running.STARTING),
        (ChildState.READY, None, Running.ACTIVE),
        (ChildState.READY, False, Running.ACTIVE),
        (ChildState.READY, True, Running.PAUSED),
        (ChildState.STOPPING, False, Running.STOPPING),
        (ChildState.STOPPING, True, Running.STOPPED),
        (ChildState.FAILED, None, Running.FAILED),
    ],
)
async def test_a_child_miner_stands_where_its_process_does(
    watch: Watch, child: ChildState, paused: bool | None, running: Running
) -> None:
    program = watch.miner(child)
    if paused is not None:
        program._take(watch.reads(paused=paused))
    assert program.seen().running is running
    assert program.seen().owned


async def test_a_miner_that_only_connects_has_not_lost_its_pool(watch: Watch) -> None:
    program = watch.miner()
    watch.reads(pool_connected=False)
    await program._read()
    assert program.seen().pool_connected is None
    watch.now = 19.9
    await program._read()
    assert program.seen().pool_connected is None
    watch.now = 20.0
    assert program.seen().pool_connected is False
    watch.reads(pool_connected=True)
    await program._read()
    assert program.seen().pool_connected is True
    watch.reads(pool_connected=False)
    await program._read()
    assert program.seen().pool_connected is None


async def test_a_change_of_what_a_miner_does_is_told(watch: Watch) -> None:
    program = watch.miner()
    await program._read()
    before = watch.changes
    await program._read()
    assert watch.changes == before
    watch.reads(paused=True)
    await program._read()
    assert watch.changes == before + 1


async def test_a_miner_is_read_again_and_again(watch: Watch) -> None:
    program = watch.miner()
    running = asyncio.create_task(program.run())
    async with asyncio.timeout(20):
        await watch.changed.wait()
    assert program.seen().running is Running.ACTIVE
    running.cancel()


@pytest.mark.parametrize(
    ("child", "running"),
    [
        (ChildState.STOPPED, Running.STOPPED),
        (ChildState.STARTING, Running.STARTING),
        (ChildState.READY, Running.ACTIVE),
        (ChildState.STOPPING, Running.STOPPING),
        (ChildState.FAILED, Running.FAILED),
    ],
)
async def test_a_child_runner_stands_where_its_process_does(
    watch: Watch, child: ChildState, running: Running
) -> None:
    assert watch.runner(child).running is running


async def test_a_runner_of_somebody_else_is_watched(watch: Watch) -> None:
    program = watch.runner()
    assert program.seen().running is Running.STARTING
    running = asyncio.create_task(program.run())
    async with asyncio.timeout(20):
        await program.first_active.wait()
    assert program.seen().running is Running.ACTIVE
    assert program.seen().models == ("llama",)
    running.cancel()


@pytest.mark.parametrize("gpus", [(), ("GPU-b", "GPU-a")])
async def test_a_program_sees_the_gpus_it_was_given_and_no_others(gpus: tuple[str, ...]) -> None:
    watch = Watch()
    watch.hasher.gpus = watch.answerer.gpus = gpus
    spec = ChildSpec("program", ("true",), {"KEPT": "1"})
    watch.hasher.child = watch.answerer.child = spec
    for program in (watch.miner(), watch.runner()):
        assert isinstance(program.child, Child)
        assert program.child.spec.environment == {
            "KEPT": "1",
            "CUDA_VISIBLE_DEVICES": ",".join(gpus),
        }
