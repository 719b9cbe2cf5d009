"""Beside another master of the GPUs nothing is asked, nothing is set, nothing of ours hashes."""

from pathlib import Path

import pytest

from hashcenter_bridge import masters
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Running, Seen
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.masters import Master, watch
from hashcenter_bridge.wire.messages import StopAllRequest
from tests.bridge.arbiter import scene
from tests.bridge.masters.machine import hiveos, running
from tests.bridge.rigs import Bench, Hasher

HIVEOS = Master("HiveOS", ("its agent runs",), ("screen -S agent -X quit",))


async def test_requests_are_refused_with_a_sentence_that_home_assistant_shows(
    tmp_path: Path,
) -> None:
    bench = await Bench(tmp_path).start()
    bench.loop.beside([HIVEOS])
    await bench.step()
    said = bench.line.last("inventory").control_refused
    assert said.startswith("HiveOS sets these GPUs, too: its agent runs. ")
    assert bench.ask() == "control_refused"
    assert bench.line.last("response").text == said
    assert bench.line.last("event").code == "refused"
    heater = bench.line.last("state").heaters[0]
    assert heater.available_w == 0
    assert heater.available_why == "HiveOS sets these GPUs, too"
    assert bench.ask(StopAllRequest) == "accepted"


async def test_it_is_said_once_and_requests_are_taken_again_when_it_is_over(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).start()
    bench.loop.beside([HIVEOS])
    bench.loop.beside([HIVEOS])
    bench.loop.beside([])
    await bench.step()
    codes = [one.code for one in bench.line.of("event")]
    assert codes == ["two_masters", "two_masters_over"]
    assert bench.line.last("inventory").control_refused is None
    assert bench.ask() == "accepted"


async def test_a_master_that_appears_ends_our_hashing_and_no_limit_is_touched(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.miners = [Hasher()]
    await bench.start()
    child = bench.adopt_child(ChildState.READY)
    assert bench.ask(power_w=200.0) == "accepted"
    await bench.steps(3)
    assert child.wanted == [True]
    limits = list(bench.devices.limits)
    assert limits

    bench.loop.beside([HIVEOS])
    await bench.steps(400)

    assert child.wanted == [True, False]
    assert bench.devices.limits == limits


def test_a_miner_that_the_other_master_runs_is_left_alone() -> None:
    seen = Seen(devices=(scene.gpu(),), miners=(scene.miner(owned=False),))
    rules = scene.rules(rival="HiveOS sets these GPUs, too")
    _, wanted = decide(scene.leased(0.0), seen, rules, 1.0)
    assert wanted.miners["miner"].running is None
    assert wanted.devices["gpu0"].limit_w is None
    assert wanted.heater.reason.startswith("HiveOS sets these GPUs, too")


def test_our_own_miner_does_not_start_beside_another_master() -> None:
    seen = Seen(devices=(scene.gpu(),), miners=(scene.miner(running=Running.STOPPED),))
    rules = scene.rules(rival="HiveOS sets these GPUs, too")
    _, wanted = decide(scene.leased(300.0), seen, rules, 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED


async def test_the_bridge_looks_for_processes_and_takes_back_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = hiveos(tmp_path / "root")
    monkeypatch.setattr(masters, "ROOT", root)
    bench = await Bench(tmp_path / "rig").start()
    async with running(root / "hive/bin/agent", "run"):
        await watch.look(bench.loop)
        assert bench.rig.control_refused
    await watch.look(bench.loop)
    assert bench.rig.control_refused is None
