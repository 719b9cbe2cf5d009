"""Miners, a model and strangers as real processes, which the fake cards' driver lists."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hashcenter_bridge import config, video_memory
from hashcenter_bridge.app import assemble, boot_clock
from hashcenter_bridge.arbiter import decide, leases
from hashcenter_bridge.arbiter.types import Running
from hashcenter_bridge.child import ChildSpec
from hashcenter_bridge.devices.nvml import card
from hashcenter_bridge.loop import Loop
from hashcenter_bridge.plugin import ProgramConfig
from hashcenter_bridge.programs import RunnerProgram
from hashcenter_bridge.runners import Sharing, Upstream
from hashcenter_bridge.tickets import Priority
from hashcenter_bridge.wire.messages import Model
from hashcenter_bridge.wire.values import Favor, Readings
from tests.bridge.processes import until
from tests.simulators.fake_nvml import RTX_3090, FakeGpus, Gpu

SLEEPS = (sys.executable, "-c", "import time; time.sleep(3600)")
#: Starts a process of its own session, as a program that "daemonizes", and goes on.
LEAVES_ONE_BEHIND = (
    sys.executable,
    "-c",
    """import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
time.sleep(3600)""",
)
MINER_MIB = 5000
STRANGER_MIB = 8000


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes in a house takes seconds here."""
    monkeypatch.setattr(card, "_RARELY_S", 0.5)
    monkeypatch.setattr(card, "_PROCESSES_S", 1.0)
    monkeypatch.setattr(decide, "_CALM_S", 2.0)
    monkeypatch.setattr(video_memory, "_SETTLED_S", 1.0)
    monkeypatch.setattr(video_memory, "_LEFT_S", 2.0)


@pytest.fixture
def fake(gpu_folder: Path, fake_nvml: Path) -> Callable[..., FakeGpus]:
    """Put new cards into the folder that this process's driver reads."""

    def make(*specs: Gpu) -> FakeGpus:
        cards = [replace(spec, uuid=f"GPU-{uuid.uuid4()}") for spec in specs]
        return FakeGpus(gpu_folder, cards, library=fake_nvml)

    return make


class Answers:
    """A runner that is a real process and answers nothing: it only holds memory."""

    plugin = "test"
    slots = 1
    models: tuple[Model, ...] = (Model(id="llama"),)

    def __init__(self, uids: tuple[str, ...], memory_mib: float, sharing: Sharing = "auto") -> None:
        self.name = "model"
        self.config = ProgramConfig(plugin="test", name="model", memory_mib=memory_mib)
        self.gpus = uids
        self.sharing: Sharing = sharing
        self.upstream = Upstream("http://127.0.0.1:9/v1")
        held = {"FAKE_NVML_MEMORY_MIB": str(memory_mib)}
        self.child: ChildSpec | None = ChildSpec("model", SLEEPS, held, stop_after_s=2.0)

    async def verify(self) -> None:
        """There are no weights."""

    async def ready(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def rig(
    folder: Path,
    miners: str,
    model: Callable[[], Answers] | None = None,
    taken: str | None = None,
) -> AsyncIterator[Loop]:
    """Run a bridge's loop, its devices and programs, leased to heat; no broker and no API.

    Heat is asked for once somebody's memory on the card `taken` has been seen.
    """
    file = folder / "hashcenter.toml"
    file.write_text(
        textwrap.dedent(f"""\
            [rig]
            id = "attic"
            allow_control = true
            max_w = 2000
            state_folder = "{folder}/state"
            runtime_folder = "{folder}/run"
            [http]
            enabled = false
            [[device]]
            plugin = "nvml"
            """)
        + textwrap.dedent(miners)
    )
    (folder / "state").mkdir(exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    loop = await assemble(*config.load(file), boot_clock())
    parts = loop.rig
    async with asyncio.timeout(60):
        for uid, watched in parts.metering.watched.items():
            while not _shows(watched.readings, STRANGER_MIB if uid == taken else 0):
                watched.driver.look_closely(uid)
                await parts.metering.look(watched.driver)
    if model is not None:
        parts.runners.append(RunnerProgram(model(), parts.clock, loop.wake))
    parts.state = replace(
        parts.state,
        lease=leases.granted(
            1800.0, parts.clock(), controller="house", power_w=1500.0, cap_w=None, ttl_s=3600.0,
            favor=Favor.BALANCED, urgent=False,
        ),
    )  # fmt: skip
    tasks = [
        asyncio.create_task(work)
        for work in (parts.metering.run(), loop.run(), *(one.run() for one in parts.miners))
    ]
    try:
        yield loop
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(
            *(one.close() for one in parts.miners), *(one.close() for one in parts.runners)
        )
        await parts.metering.close()


def _shows(readings: Readings, taken_mib: int) -> bool:
    return readings.power_w is not None and (readings.memory_used_mib or 0) >= taken_mib


@contextmanager
def stranger(uid: str, memory_mib: int = STRANGER_MIB) -> Iterator[int]:
    """A game: somebody else's process on a card, which is no child of this one's."""
    held = {"CUDA_VISIBLE_DEVICES": uid, "FAKE_NVML_MEMORY_MIB": str(memory_mib)}
    done = subprocess.run(
        ("sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", *SLEEPS),
        env={**os.environ, **held},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
        timeout=60,
    )
    number = int(done.stdout)
    try:
        yield number
    finally:
        os.kill(number, signal.SIGKILL)


def miner(loop: Loop, name: str) -> Running:
    return next(one.running for one in loop.rig.miners if one.miner.name == name)


def pid(loop: Loop, name: str) -> int | None:
    child = next(one.child for one in loop.rig.miners if one.miner.name == name)
    assert child is not None
    return child.pid


def left_behind(loop: Loop) -> dict[str, str]:
    return loop.rig.memory.left_behind(loop.rig.clock())


def environment(number: int | None) -> list[str]:
    return Path(f"/proc/{number}/environ").read_text().split("\0")


def why(loop: Loop, name: str) -> str:
    assert loop.rig.wanted is not None
    return loop.rig.wanted.miners[name].reason


async def hashing(loop: Loop, *names: str) -> None:
    await until(lambda: all(miner(loop, name) is Running.ACTIVE for name in names))


ON_EACH = f"""
    [[miner]]
    plugin = "process"
    name = "miner"
    per_gpu = true
    command = {json.dumps(SLEEPS)}
    environment = {{FAKE_NVML_MEMORY_MIB = "{MINER_MIB}"}}
    """


async def test_a_game_gets_its_card_and_the_other_goes_on_hashing(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_3090)
    async with rig(tmp_path, ON_EACH) as loop:
        await hashing(loop, "miner-0", "miner-1")
        beside = pid(loop, "miner-1")
        with stranger(gpus.uuids[0]):
            await until(lambda: miner(loop, "miner-0") is Running.STOPPED)
            assert why(loop, "miner-0") == "another program uses it"
            assert loop.rig.metering.watched[gpus.uuids[0]].readings.foreign_processes == 1
            assert (miner(loop, "miner-1"), pid(loop, "miner-1")) == (Running.ACTIVE, beside)
        await until(lambda: "a moment ago" in why(loop, "miner-0"))
        await hashing(loop, "miner-0")
        assert pid(loop, "miner-1") == beside


async def test_each_process_sees_its_card_and_no_other(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_3090)
    async with rig(tmp_path, ON_EACH) as loop:
        await hashing(loop, "miner-0", "miner-1")
        for number, uid in enumerate(gpus.uuids):
            assert f"CUDA_VISIBLE_DEVICES={uid}" in environment(pid(loop, f"miner-{number}"))


async def learned(loop: Loop, name: str, uid: str) -> None:
    program = next(one for one in loop.rig.miners if one.miner.name == name)

    def known() -> bool:
        needs = loop.rig.memory.needs(name, program.miner.config, program.miner.gpus)
        return needs.get(uid) == MINER_MIB

    await until(known)


async def test_a_model_with_room_is_loaded_beside_the_miner(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090)
    async with rig(tmp_path, ON_EACH, lambda: Answers(tuple(gpus.uuids), 10_000)) as loop:
        model = loop.rig.runners[0]
        await hashing(loop, "miner-0")
        await learned(loop, "miner-0", gpus.uuids[0])
        await until(lambda: model.running is Running.ACTIVE)
        before = pid(loop, "miner-0")
        turns = loop.turns
        await until(lambda: loop.turns >= turns + 3)
        assert (miner(loop, "miner-0"), pid(loop, "miner-0")) == (Running.ACTIVE, before)
        assert model.running is Running.ACTIVE


async def test_a_model_without_room_takes_turns_on_its_card_only(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090, RTX_3090)
    async with rig(tmp_path, ON_EACH, lambda: Answers((gpus.uuids[0],), 21_000)) as loop:
        model = loop.rig.runners[0]
        await learned(loop, "miner-0", gpus.uuids[0])
        await until(lambda: model.running is Running.STOPPED)
        await hashing(loop, "miner-0", "miner-1")
        beside = pid(loop, "miner-1")
        seen = loop.rig.metering.watched[gpus.uuids[0]]
        with loop.rig.tickets.hold(Priority.VOICE, "llama") as question:
            assert await question.granted() == "model"
            assert miner(loop, "miner-0") is Running.STOPPED
            assert "model has the device" in why(loop, "miner-0")
            assert (miner(loop, "miner-1"), pid(loop, "miner-1")) == (Running.ACTIVE, beside)
            used_mib = seen.readings.memory_used_mib
            assert used_mib is not None
            assert used_mib < 21_000 + MINER_MIB, "never both at once"


async def test_what_was_learned_outlasts_the_bridge_until_the_block_changes(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090)
    async with rig(tmp_path, ON_EACH) as loop:
        await learned(loop, "miner-0", gpus.uuids[0])
    async with rig(tmp_path, ON_EACH) as loop:
        program = loop.rig.miners[0].miner
        needs = loop.rig.memory.needs(program.name, program.config, program.gpus)
        assert needs == {gpus.uuids[0]: MINER_MIB}
    async with rig(tmp_path, ON_EACH + "nice = 5\n") as loop:
        program = loop.rig.miners[0].miner
        assert not loop.rig.memory.needs(program.name, program.config, program.gpus)


async def test_what_a_miner_leaves_behind_is_named_and_not_counted_as_room(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(RTX_3090)
    block = ON_EACH.replace(json.dumps(SLEEPS), json.dumps(LEAVES_ONE_BEHIND))
    left: int | None = None
    try:
        async with rig(tmp_path, block) as loop:
            seen = loop.rig.metering.watched[gpus.uuids[0]]
            await until(lambda: seen.users is not None and len(seen.users) == 2)
            assert seen.foreign is None, "what a program of ours starts is ours"
            left = next(one for one in seen.users or () if one != pid(loop, "miner-0"))
            loop.stop_all(engaged=True)
            await until(lambda: gpus.uuids[0] in left_behind(loop))
            text = left_behind(loop)[gpus.uuids[0]]
            assert f"miner-0 was stopped, but its process {left} still holds 5000 MiB" in text
            loop.stop_all(engaged=False)
            await until(lambda: seen.foreign is not None)
            os.kill(left, signal.SIGKILL)
            await until(lambda: not left_behind(loop))
    finally:
        if left is not None:
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)


async def test_where_processes_are_not_shown_memory_that_is_taken_is_somebodys(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, processes="denied"), replace(RTX_3090, processes="denied"))
    with stranger(gpus.uuids[0]):
        async with rig(tmp_path, ON_EACH, taken=gpus.uuids[0]) as loop:
            await hashing(loop, "miner-1")
            seen = loop.rig.metering.watched[gpus.uuids[0]].readings
            assert seen.foreign_processes is None
            assert "Insufficient Permissions" in seen.missing["foreign_processes"]
            assert miner(loop, "miner-0") is Running.STOPPED
            assert why(loop, "miner-0") == "another program uses it"


async def test_a_divided_card_is_left_to_whoever_divided_it(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    fake(replace(RTX_3090, mig=True), RTX_3090)
    async with rig(tmp_path, ON_EACH) as loop:
        await hashing(loop, "miner-1")
        await until(lambda: "divided (MIG)" in why(loop, "miner-0"))
        assert miner(loop, "miner-0") is Running.STOPPED


async def test_a_stranger_whose_memory_is_not_told_has_the_card(
    fake: Callable[..., FakeGpus], tmp_path: Path
) -> None:
    gpus = fake(replace(RTX_3090, processes="without_memory"))
    async with rig(tmp_path, ON_EACH) as loop:
        await hashing(loop, "miner-0")
        with stranger(gpus.uuids[0]):
            await until(lambda: why(loop, "miner-0") == "another program uses it")
