"""The most that a machine can draw as it stands: limits that were read back, and what if not."""

from dataclasses import replace
from pathlib import Path

import pytest

from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.possible import possible_w
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import Capabilities, DeviceKind
from tests.bridge.rigs import Answerer, Bench, Devices, Hasher, gpu

CARD_W = 350.0


async def bench(folder: Path, *devices: Device, **rules: float) -> Bench:
    made = Bench(folder, **rules)
    made.devices = Devices(*devices)
    made.miners = [Hasher()]
    await made.start()
    await made.look()
    return made


def most_w(made: Bench) -> float | None:
    return possible_w(made.rig, made.now)


def cpu(nominal_w: float | None = None) -> Device:
    can = Capabilities(idle_w=20.0, nominal_w=nominal_w)
    return Device(uid="CPU-0", kind=DeviceKind.CPU, name="Ryzen", capabilities=can)


async def test_limits_that_were_read_back_bound_a_machine(tmp_path: Path) -> None:
    made = await bench(tmp_path, gpu(), gpu("GPU-1"), base_w=60.0, psu_efficiency=0.8)
    for uid, limit_w in (("GPU-0", 200.0), ("GPU-1", 120.0)):
        made.devices.change(uid, power_limit_w=limit_w, power_w=20.0)
    made.follows = False
    await made.look()
    assert most_w(made) == pytest.approx(320.0 / 0.8 + 60.0)


async def test_it_is_told_at_once_when_a_limit_came_down(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.ask(power_w=300.0)
    await made.steps(3)
    before = made.line.last("state").heaters[0].possible_w
    made.ask(power_w=150.0, cap_w=150.0)
    await made.steps(3)
    after = made.line.last("state").heaters[0].possible_w
    assert (before, after) == (300.0, 150.0)


async def test_a_limit_that_was_not_read_for_half_a_minute_is_no_bound(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.devices.change("GPU-0", power_limit_w=150.0)
    await made.look()
    made.now += 30.0
    assert most_w(made) == 150.0
    made.now += 1.0
    assert most_w(made) == CARD_W


async def test_a_card_that_is_silent_or_shows_no_limit_counts_with_its_most(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path)
    made.devices.change("GPU-0", power_limit_w=None)
    await made.look()
    assert most_w(made) == CARD_W
    made.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "it fell off the bus")
    await made.look()
    assert most_w(made) == CARD_W


async def test_a_limit_that_the_watts_do_not_follow_is_no_bound(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.follows = False
    made.devices.change("GPU-0", power_limit_w=150.0, power_w=151.0)
    await made.look()
    assert most_w(made) == 151.0
    made.devices.change("GPU-0", power_w=260.0)
    await made.look()
    assert most_w(made) == CARD_W
    made.devices.change("GPU-0", power_w=400.0)
    await made.look()
    assert most_w(made) == 400.0, "what is measured is never more than possible"


async def test_a_processor_counts_with_what_it_draws_at_work(tmp_path: Path) -> None:
    made = await bench(tmp_path, gpu(), cpu(nominal_w=140.0))
    made.devices.change("GPU-0", power_limit_w=150.0)
    await made.look()
    assert most_w(made) == 290.0
    assert made.rig.config.rig.max_w == 1500.0
    await made.step()
    assert made.line.last("inventory").heaters[0].max_w == 490.0


async def test_what_hashes_on_a_processor_of_unknown_watts_is_bounded_by_nobody(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path, gpu(), cpu())
    assert most_w(made) is not None
    made.rig.miners[0].miner.gpus = ()
    assert most_w(made) is None
    made.rig.miners.clear()
    made.runners = [Answerer(gpus=())]
    await made.start()
    assert most_w(made) is None
    runner = made.rig.runners[0].runner
    runner.upstream = replace(runner.upstream, elsewhere=True)
    made.rig.miners.clear()
    assert most_w(made) is not None
