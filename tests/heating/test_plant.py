"""The simulated devices do what real ones do to a thermostat."""

from dataclasses import replace

import numpy as np
import pytest

from .houses import house
from .plant import Asic, AsicOf, Gpu, GpuOf

_ASIC = AsicOf(
    name="s19", idle_w=30.0, min_w=1200.0, max_w=3000.0, step_w=50.0, circuit="c", boot_s=240.0,
    peak_w=2900.0, stored_w=1200.0, draw_share=1.0, w_per_s=10.0, delay_s=5, ignores_off=0.0,
)  # fmt: skip
_GPU = GpuOf(
    name="rig", idle_w=100.0, min_w=200.0, max_w=800.0, draw_share=1.0, circuit="c",
    questions=((30, 32),), delay_s=2,
)  # fmt: skip


def _asic(**changes: object) -> Asic:
    return Asic(replace(_ASIC, **changes), np.random.default_rng(1))  # type: ignore[arg-type]


def _run(device: Asic | Gpu, first: int, last: int) -> list[float]:
    return [float(device.seconds(minute, mains=True).mean()) for minute in range(first, last)]


def test_a_miner_boots_for_minutes_with_a_peak_and_creeps_to_its_watts() -> None:
    miner = _asic()
    miner.ask(1500.0, None, 0)
    seconds = np.concatenate([miner.seconds(minute, mains=True) for minute in range(10)])
    assert seconds[:180].max() < 200.0
    assert seconds[180:300].max() == pytest.approx(2900.0, rel=0.03)
    assert seconds[-1] == pytest.approx(1500.0, rel=0.03)
    assert miner.starts == 1


def test_a_miner_rests_after_a_stop() -> None:
    miner = _asic()
    miner.ask(1500.0, None, 0)
    _run(miner, 0, 10)
    miner.ask(0.0, None, 10)
    _run(miner, 10, 12)
    miner.ask(1500.0, None, 12)
    assert miner.resting(12)
    assert max(_run(miner, 12, 18)) < 100.0
    assert miner.starts == 1


def test_a_miner_may_ignore_off_for_a_while() -> None:
    miner = _asic(ignores_off=1.0)
    miner.ask(1500.0, None, 0)
    _run(miner, 0, 10)
    miner.ask(0.0, None, 10)
    watts = _run(miner, 10, 22)
    assert watts[0] > 1400.0
    assert watts[-1] < 100.0


def test_after_a_power_cut_a_miner_does_what_its_own_setting_says() -> None:
    stored, sleeps = _asic(), _asic(stored_w=0.0)
    for miner in (stored, sleeps):
        miner.ask(2500.0, None, 0)
        _run(miner, 0, 10)
        assert miner.seconds(10, mains=False).max() == 0.0
    assert _run(stored, 11, 21)[-1] == pytest.approx(1200.0, rel=0.03)
    assert stored.starts == 2
    assert max(_run(sleeps, 11, 21)) < 100.0


def test_a_gpu_rig_follows_its_lease_within_seconds() -> None:
    rig = Gpu(_GPU, np.random.default_rng(1))
    rig.ask(500.0, 600.0, 0)
    seconds = rig.seconds(0, mains=True)
    assert seconds[0] < 150.0
    assert seconds[-1] == pytest.approx(500.0, rel=0.03)
    assert rig.enforced_w == 600.0


def test_answering_draws_up_to_the_cap() -> None:
    rig = Gpu(_GPU, np.random.default_rng(1))
    rig.ask(0.0, 650.0, 30)
    assert rig.seconds(30, mains=True)[-1] == pytest.approx(650.0, rel=0.03)
    assert rig.seconds(32, mains=True)[-1] == pytest.approx(100.0, rel=0.1)


def test_no_device_draws_more_than_a_rig_calls_having_followed() -> None:
    for number in range(6):
        made = house(number, seed=3, days=1)
        for of in made.asics:
            miner = Asic(of, np.random.default_rng(2))
            miner.ask(of.max_w, None, 0)
            for minute in range(30):
                most = miner.seconds(minute, mains=True).max()
                assert most <= max(of.max_w * 1.05, of.peak_w) + 0.1


def test_every_house_meets_what_happens_in_a_winter() -> None:
    houses = [house(number, seed=5, days=14) for number in range(12)]
    for made in houses:
        assert made.cuts, "a power cut"
        assert made.restarts, "a restart of Home Assistant"
        assert made.thermometer.noise_k > 0
        assert made.thermometer.step_k > 0
        assert {"c0", "main"} == {name for name, *_ in made.loads}, "kettle and dryer"
        for rig in made.gpus:
            evening = [start % 1440 // 60 for start, _ in rig.questions]
            assert evening
            assert all(18 <= hour < 22 for hour in evening)
    assert any(made.windows for made in houses)
    assert any(made.silences for made in houses)
    assert any(miner.ignores_off for made in houses for miner in made.asics)
    assert {made.sunny for made in houses} == {made.tight for made in houses} == {True, False}
    assert all(0.79 <= made.capacity <= 2.01 for made in houses)
