"""The bridge is killed, told to end, left alone by its house: the watts go, nothing is left."""

import json
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.scene import RESTING_W, Figure, rest_until, scene

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SAFE_S = 10.0
SIGTERM_S = 3.0
FLOOR_W = 100.0

#: A miner that hears no SIGTERM; it works as hard as it can, with a child that does the same.
_STUBBORN = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
while True:
    sum(range(1000))
"""
STUBBORN = f"""
[[miner]]
plugin = "process"
name = "stubborn"
command = {json.dumps([sys.executable, "-S", "-c", _STUBBORN])}
"""


@pytest.mark.timeout(3600)
async def test_whenever_the_bridge_is_killed_watts_go_and_no_energy_and_no_process_is_lost(
    tmp_path: Path, fake_nvml: Path, figure: Figure, long: bool
) -> None:
    chance = random.Random(6)
    async with scene(tmp_path, fake_nvml, figure) as on:
        for _ in range(200 if long else 20):
            on.home.forget()
            started = time.monotonic()
            await on.rig.start()
            if chance.random() < 0.6:
                await on.heat()
            await rest_until(started + chance.uniform(0.0, 3.0))
            await on.rig.end(signal.SIGKILL)
            killed = time.monotonic()
            await on.rig.until_gone()
            figure("gpu_safe_s_max", safe_s := await on.meter.below(RESTING_W, killed))
            assert safe_s <= SAFE_S
        on.home.forget()
        await on.rig.start()
        last = await on.until_state(lambda now: now.energy_kwh is not None)
        assert (last.energy_kwh or 0.0) > 0.0


async def test_a_bridge_that_is_told_to_end_takes_three_seconds_at_most(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure) as on:
        for _ in range(3):
            await on.heat()
            told = time.monotonic()
            assert on.rig.process is not None
            on.rig.process.send_signal(signal.SIGTERM)
            on.said_offline += 1
            safe_s = await on.meter.below(RESTING_W, told)
            figure("gpu_safe_sigterm_s_max", safe_s)
            assert safe_s <= SIGTERM_S
            assert await on.rig.process.wait() == 0
            assert on.rig.processes() == []


async def test_a_miner_that_ignores_sigterm_draws_nothing_soon_after_the_bridge_was_told_to_end(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure, programs=STUBBORN) as on:
        await on.heat()
        told = time.monotonic()
        assert on.rig.process is not None
        on.rig.process.send_signal(signal.SIGTERM)
        on.said_offline += 1
        assert await on.rig.process.wait() == 0
        gone_s = time.monotonic() - told
        figure("gpu_safe_sigterm_s_max", safe_s := await on.meter.below(RESTING_W, told))
        assert safe_s <= SIGTERM_S, f"the bridge ended after {gone_s} s"
        assert on.rig.processes() == []


@pytest.mark.parametrize("how", ["stop_all", "release"])
async def test_a_miner_that_ignores_sigterm_draws_nothing_ten_seconds_after_its_heat_ends(
    tmp_path: Path, fake_nvml: Path, figure: Figure, how: str
) -> None:
    async with scene(tmp_path, fake_nvml, figure, programs=STUBBORN) as on:
        await on.heat()
        asked = time.monotonic()
        assert await on.home.ask(how) == "accepted"
        figure("gpu_safe_s_max", safe_s := await on.meter.below(RESTING_W, asked))
        assert safe_s <= SAFE_S


async def test_a_house_that_falls_silent_leaves_the_floor_and_then_the_owners_safe_state(
    tmp_path: Path, fake_nvml: Path, figure: Figure
) -> None:
    async with scene(tmp_path, fake_nvml, figure, coast_s=6.0) as on:
        await on.heat(ttl_s=8.0)
        await on.until_state(
            lambda now: (
                now.heaters[0].lease is not None and now.heaters[0].lease.phase == "coasting"
            )
        )
        ended = time.monotonic()
        floor_s = await on.meter.until(lambda drawn_w, _: drawn_w <= FLOOR_W + 30.0, ended - 1.0)
        figure("gpu_floor_s_max", floor_s)
        assert floor_s <= SAFE_S
        await on.until_state(lambda now: now.heaters[0].lease is None)
        over = time.monotonic()
        figure("gpu_safe_s_max", safe_s := await on.meter.below(RESTING_W, over - 1.0))
        assert safe_s <= SAFE_S
