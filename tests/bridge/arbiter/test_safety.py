"""The first two rules of the policy: Stop all, and devices that must not hash."""

from dataclasses import replace
from typing import Any

import pytest

from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import DeviceSeen, Running, State
from hashcenter_bridge.wire.values import Effect
from tests.bridge.arbiter.scene import (
    Told,
    answering_rig,
    gpu,
    leased,
    miner,
    rig,
    rules,
    runner,
    ticket,
)


@pytest.mark.parametrize("allow_control", [True, False])
@pytest.mark.parametrize("owned", [True, False])
def test_stop_all_halts_every_miner_and_runner_and_refuses_questions(
    owned: bool, allow_control: bool
) -> None:
    seen = answering_rig(ticket(), miners=(miner(owned=owned),))
    state = replace(leased(400.0), stopped=True)
    _, wanted = decide(state, seen, rules(allow_control=allow_control), 1.0)
    assert wanted.miners["miner"].running is (Running.STOPPED if owned else Running.PAUSED)
    assert wanted.runners["runner"].running is Running.STOPPED
    assert wanted.tickets[1].code == "stopped"
    assert wanted.tickets[1].runner is None
    assert wanted.heater.available_w == 0.0


def test_stop_all_lowers_every_limit_to_the_lowest() -> None:
    seen = rig(devices=(gpu(), gpu("gpu1", foreign=True)))
    _, wanted = decide(State(stopped=True), seen, rules(), 1.0)
    assert [device.limit_w for device in wanted.devices.values()] == [100.0, 100.0]
    assert wanted.heater.target_w == 0.0


def test_without_allow_control_no_limit_is_touched_even_by_stop_all() -> None:
    _, wanted = decide(State(stopped=True), rig(), rules(allow_control=False), 1.0)
    assert wanted.devices["gpu0"].limit_w is None


def test_a_stopping_miner_stays_stopped_when_a_question_comes() -> None:
    seen = answering_rig(ticket(), miners=(miner(running=Running.STOPPING),))
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (gpu(temp_c=85.0), "too hot"),
        (gpu(age_s=30.5), "silent"),
        (gpu(age_s=float("inf")), "silent"),
        (gpu(fault="it has fallen off the bus", age_s=10.5), "fallen off the bus"),
        (gpu(foreign=True), "another program"),
        (gpu(min_w=25.0, max_w=25.0, adjustable=False, limit_w=None), "neither be limited"),
    ],
)
def test_a_device_that_must_not_hash_does_not_and_says_why(device: DeviceSeen, reason: str) -> None:
    _, wanted = decide(leased(400.0), rig(devices=(device,)), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert reason in wanted.miners["miner"].reason
    assert wanted.heater.available_w == 0.0
    assert reason in wanted.heater.available_why
    assert reason in wanted.heater.reason


def test_one_failed_look_stops_no_miner() -> None:
    seen = rig(devices=(gpu(fault="it did not answer", age_s=9.0, power_w=None),))
    _, wanted = decide(leased(400.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE


def test_a_reading_that_is_29_s_old_still_counts() -> None:
    _, wanted = decide(leased(400.0), rig(devices=(gpu(age_s=29.0),)), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE


def test_a_reason_does_not_change_while_its_cause_lasts() -> None:
    def said(**changes: Any) -> str:
        _, wanted = decide(leased(400.0), rig(devices=(gpu(**changes),)), rules(), 1.0)
        return wanted.heater.reason

    assert said(age_s=31.0) == said(age_s=90.0)
    assert said(temp_c=86.0) == said(temp_c=90.0)


def test_a_hot_device_hashes_again_only_once_it_is_8_k_cooler() -> None:
    told = Told(leased(400.0))
    running = [
        told.step(rig(devices=(gpu(temp_c=temp_c),)), now).miners["miner"].running
        for now, temp_c in enumerate([84.0, 85.0, 84.0, 77.5, 76.5])
    ]
    assert running == [
        Running.ACTIVE,
        Running.STOPPED,
        Running.STOPPED,
        Running.STOPPED,
        Running.ACTIVE,
    ]


def test_a_hot_device_whose_thermometer_is_lost_stays_hot() -> None:
    told = Told(leased(400.0))
    told.step(rig(devices=(gpu(temp_c=90.0),)), 0.0)
    wanted = told.step(rig(devices=(gpu(temp_c=None),)), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED


def test_an_answer_raises_no_limit_on_a_hot_device() -> None:
    seen = answering_rig(ticket(), devices=(gpu(temp_c=90.0, limit_w=100.0),))
    _, wanted = decide(leased(400.0), seen, rules(), 1.0)
    assert wanted.devices["gpu0"].limit_w == 100.0
    assert wanted.tickets[1].code is None


def test_a_limit_that_cannot_be_lowered_ends_hashing_until_it_can() -> None:
    told = Told(leased(200.0))
    stuck = rig(devices=(gpu(limit_w=350.0, power_w=350.0),))
    assert told.step(stuck, 0.0).devices["gpu0"].limit_w == 200.0
    assert told.step(stuck, 15.0).miners["miner"].running is Running.ACTIVE
    assert told.step(stuck, 15.5).miners["miner"].running is Running.STOPPED
    assert told.step(stuck, 500.0).miners["miner"].running is Running.STOPPED
    told.state = replace(told.state, lease=leased(200.0, ttl_s=900.0).lease)
    lowered = rig(devices=(gpu(limit_w=100.0, power_w=25.0),))
    told.step(lowered, 501.0)
    assert told.step(lowered, 502.0).miners["miner"].running is Running.ACTIVE


def test_watts_that_ignore_their_limit_three_times_end_hashing_for_an_hour() -> None:
    told = Told(leased(200.0, ttl_s=10_000.0))
    wild = rig(devices=(gpu(limit_w=200.0, power_w=350.0),))
    ended_at = next(
        now
        for now in range(600)
        if told.step(wild, now).miners["miner"].running is not Running.ACTIVE
    )
    assert told.state.tracks["gpu0"].effect is not Effect.REACHED
    assert 2 * 15 < ended_at < 300
    rested = rig(devices=(gpu(limit_w=100.0),), miners=(miner(running=Running.STOPPED),))
    assert told.step(rested, ended_at + 3000).miners["miner"].running is Running.STOPPED
    assert told.step(rested, ended_at + 3700).miners["miner"].running is Running.ACTIVE


def test_a_heater_that_heats_nothing_has_no_effect_to_boast_of() -> None:
    told = Told(leased(400.0))
    for now in range(5):
        wanted = told.step(rig(devices=(gpu(foreign=True, limit_w=350.0),)), now)
    assert wanted.heater.target_w == 400.0
    assert wanted.heater.effect is None


def test_a_safe_device_hashes_beside_a_hot_one() -> None:
    seen = rig(
        devices=(gpu(temp_c=90.0), gpu("gpu1")),
        miners=(miner("hot"), miner("cool", "gpu1")),
    )
    _, wanted = decide(leased(800.0), seen, rules(), 1.0)
    assert wanted.miners["hot"].running is Running.STOPPED
    assert wanted.miners["cool"].running is Running.ACTIVE
    assert wanted.heater.available_w == 25.0 + 350.0


def test_one_hot_device_halts_the_miner_that_spans_it() -> None:
    seen = rig(devices=(gpu(temp_c=90.0), gpu("gpu1")), miners=(miner("both", "gpu0", "gpu1"),))
    _, wanted = decide(leased(800.0), seen, rules(), 1.0)
    assert wanted.miners["both"].running is Running.STOPPED
    assert wanted.devices["gpu1"].target_w == 25.0


def test_a_lost_pool_pauses_a_miner_and_offers_no_watts() -> None:
    seen = rig(miners=(miner(pool_connected=False),))
    _, wanted = decide(leased(400.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.PAUSED
    assert wanted.heater.available_w == 0.0
    assert "pool" in wanted.heater.available_why


def test_a_failed_miner_keeps_its_own_back_off_while_it_is_leased() -> None:
    seen = rig(miners=(miner(running=Running.FAILED, why="it ended"),))
    _, leasing = decide(leased(400.0), seen, rules(), 1.0)
    assert leasing.miners["miner"].running is None
    assert leasing.heater.available_why == "it ended"
    _, released = decide(State(), seen, rules(), 1.0)
    assert released.miners["miner"].running is Running.STOPPED


def test_a_program_on_a_gpu_of_somebody_else_gets_the_rest_of_the_cap() -> None:
    seen = rig(devices=(gpu(foreign=True, limit_w=100.0, power_w=300.0),))
    _, wanted = decide(leased(400.0, cap_w=300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.devices["gpu0"].limit_w == 300.0
    assert "another program" in wanted.devices["gpu0"].reason


def test_a_processor_without_a_knob_is_never_blamed_for_its_watts() -> None:
    cpu = gpu("cpu", adjustable=False, min_w=10.0, max_w=10.0, idle_w=10.0, limit_w=None)
    busy = replace(cpu, power_w=120.0)
    told = Told(leased(400.0))
    for now in range(100):
        wanted = told.step(rig(devices=(gpu(limit_w=350.0, power_w=340.0), busy)), now)
    assert wanted.devices["cpu"].effect is None
    assert wanted.devices["cpu"].target_w is None


def test_runners_run_unless_everything_is_stopped() -> None:
    seen = rig(runners=(runner(running=Running.STOPPED),))
    assert decide(State(), seen, rules(), 0.0)[1].runners["runner"].running is Running.ACTIVE
