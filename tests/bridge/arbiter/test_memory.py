"""A model and a miner share a GPU where both have room on it; each GPU is judged for itself."""

from dataclasses import replace
from typing import Any

import pytest

from hashcenter_bridge.arbiter import memory
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import (
    DeviceSeen,
    MinerSeen,
    RunnerSeen,
    Running,
    Seen,
    State,
    Wanted,
)
from tests.bridge.arbiter.scene import Told, gpu, leased, miner, rules, runner, ticket

CARD_MIB = 24576.0
HEAT = leased(600.0, ttl_s=1e6)


def card(uid: str = "gpu0", used_mib: float = 300.0, **changes: Any) -> DeviceSeen:
    return gpu(
        uid, memory_mib=CARD_MIB, free_mib=CARD_MIB - used_mib, strangers_mib=300.0, **changes
    )


def model(mib: float | None, *uids: str, **changes: Any) -> RunnerSeen:
    devices = uids or ("gpu0",)
    needs = {} if mib is None else dict.fromkeys(devices, mib)
    return replace(runner("model", *devices, by_memory=True, needs=needs), **changes)


def hasher(mib: float | None, *uids: str, name: str = "miner", **changes: Any) -> MinerSeen:
    devices = uids or ("gpu0",)
    needs = {} if mib is None else dict.fromkeys(devices, mib)
    return miner(name, *devices, needs=needs, **changes)


def decided(*parts: DeviceSeen | MinerSeen | RunnerSeen, state: State = HEAT) -> Wanted:
    return decide(state, shown(*parts), rules(), 1.0)[1]


def shown(*parts: DeviceSeen | MinerSeen | RunnerSeen) -> Seen:
    return Seen(
        tuple(one for one in parts if isinstance(one, DeviceSeen)),
        tuple(one for one in parts if isinstance(one, MinerSeen)),
        tuple(one for one in parts if isinstance(one, RunnerSeen)),
    )


def test_where_both_fit_both_are_in_memory() -> None:
    wanted = decided(card(), hasher(5000), model(18000))
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.runners["model"].running is Running.ACTIVE


def test_where_they_do_not_fit_they_take_turns() -> None:
    wanted = decided(card(), hasher(5000), model(20000, running=Running.STOPPED))
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.runners["model"].running is Running.STOPPED
    asked = replace(
        shown(card(), hasher(5000), model(20000, running=Running.STOPPED)), tickets=(ticket(),)
    )
    wanted = decide(HEAT, asked, rules(), 1.0)[1]
    assert wanted.miners["miner"].running is Running.STOPPED


def test_each_gpu_is_judged_for_itself() -> None:
    wanted = decided(
        card(),
        card("gpu1"),
        hasher(5000),
        hasher(3000, "gpu1", name="beside"),
        model(None, "gpu0", "gpu1", needs={"gpu0": 20000.0, "gpu1": 20000.0}),
        state=replace(HEAT, held_until={"model": 1000.0}),
    )
    assert wanted.runners["model"].running is Running.ACTIVE
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.miners["beside"].running is Running.ACTIVE
    assert wanted.heater.available_w == pytest.approx(375.0), "gpu1 at its most, gpu0 at rest"


def test_a_runner_on_another_gpu_is_none_of_a_miners_business() -> None:
    wanted = decided(card(), card("gpu1"), hasher(9000, "gpu1"), model(20000))
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.runners["model"].running is Running.ACTIVE


def test_two_small_models_and_a_miner_need_room_together() -> None:
    small = model(9000, running=Running.ACTIVE)
    other = replace(small, name="other")
    fits = decided(card(), hasher(5000), small, other)
    assert fits.runners["other"].running is Running.ACTIVE
    full = decided(card(), hasher(7000), small, other)
    assert full.runners["model"].running is Running.ACTIVE, "the first in the owner's file"
    assert full.runners["other"].running is Running.STOPPED


def test_the_owners_word_stands_above_what_is_known() -> None:
    together = decided(card(), hasher(5000), model(22000, by_memory=False))
    assert together.runners["model"].running is Running.ACTIVE
    apart = decided(card(), hasher(100), model(100, exclusive=True, by_memory=False))
    assert apart.runners["model"].running is Running.STOPPED


def test_what_a_desktop_holds_counts() -> None:
    assert decided(card(), hasher(5000), model(19000)).runners["model"].running is Running.ACTIVE
    desktop = replace(card(), strangers_mib=900.0)
    assert decided(desktop, hasher(5000), model(19000)).runners["model"].running is Running.STOPPED


def test_a_few_megabytes_more_or_less_swap_nobody() -> None:
    told = Told(HEAT)
    full = hasher(6100)
    assert told.step(shown(card(), full, model(18000)), 1.0).runners["model"].running is (
        Running.STOPPED
    )
    less = hasher(6000)
    assert told.step(shown(card(), less, model(18000)), 2.0).runners["model"].running is (
        Running.STOPPED
    )
    much_less = hasher(5700)
    assert told.step(shown(card(), much_less, model(18000)), 3.0).runners["model"].running is (
        Running.ACTIVE
    )


def test_what_is_not_known_is_tried_together_and_a_failure_is_remembered() -> None:
    told = Told(HEAT)
    wanted = told.step(shown(card(), hasher(None), model(None)), 1.0)
    assert wanted.runners["model"].running is Running.ACTIVE
    failed = model(None, running=Running.FAILED, why="model ended with exit code 1")
    told.step(shown(card(), hasher(None), failed), 2.0)
    wanted = told.step(shown(card(), hasher(None), model(None)), 3.0)
    assert wanted.runners["model"].running is Running.STOPPED
    wanted = told.step(shown(card(), hasher(None), model(None)), 3700.0)
    assert wanted.runners["model"].running is Running.ACTIVE


def test_a_broken_miner_does_not_send_the_model_away_but_one_without_memory_does() -> None:
    for why, model_stays in (("wrong wallet", True), ("CUDA error: out of memory", False)):
        told = Told(HEAT)
        failed = hasher(None, running=Running.FAILED, why=f"miner ended with exit code 1: {why}")
        told.step(shown(card(), failed, model(None)), 1.0)
        wanted = told.step(shown(card(), hasher(None, running=Running.STARTING), model(None)), 2.0)
        assert (wanted.runners["model"].running is Running.ACTIVE) is model_stays


def test_a_model_waits_until_memory_is_free_but_not_for_ever() -> None:
    told = Told(replace(HEAT, held_until={"model": 1000.0}))
    stopped = hasher(5000, running=Running.STOPPED)
    gone = model(20000, running=Running.STOPPED)
    taken = shown(card(used_mib=5300.0), stopped, gone)
    wanted = told.step(taken, 1.0)
    assert wanted.runners["model"].running is Running.STOPPED
    assert "takes 19.5 GiB of the GPU's memory, and 18.8 are free" in wanted.runners["model"].reason
    told.step(taken, 1.0 + memory.WAIT_S - 1)
    assert told.step(taken, 1.0 + memory.WAIT_S).runners["model"].running is Running.ACTIVE
    again = Told(replace(HEAT, held_until={"model": 1000.0}))
    free = shown(card(), stopped, gone)
    assert again.step(free, 1.0).runners["model"].running is Running.ACTIVE


def test_a_miner_is_not_started_where_memory_is_still_taken() -> None:
    taken = card(used_mib=22000.0)
    wanted = decided(taken, hasher(5000, running=Running.STOPPED))
    assert wanted.miners["miner"].running is Running.STOPPED
    assert "2.5 are free" in wanted.miners["miner"].reason


def test_a_miner_for_which_there_is_no_room_at_all_promises_no_heat() -> None:
    wanted = decided(replace(card(), strangers_mib=21000.0), hasher(5000, running=Running.STOPPED))
    assert wanted.miners["miner"].running is not Running.ACTIVE
    assert wanted.heater.available_w == 0.0
    assert "miner takes 4.9 GiB" in wanted.heater.available_why


def test_a_card_that_somebody_used_is_left_alone_for_a_minute_more() -> None:
    told = Told(HEAT)
    parts = (card(), card("gpu1"), hasher(100), hasher(100, "gpu1", name="beside"))
    game = replace(card(), foreign=True)
    wanted = told.step(shown(game, *parts[1:]), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.miners["miner"].reason == "another program uses it"
    assert wanted.miners["beside"].running is Running.ACTIVE
    wanted = told.step(shown(*parts), 60.0)
    assert wanted.miners["miner"].reason == "another program used it a moment ago"
    assert told.step(shown(*parts), 62.0).miners["miner"].running is Running.ACTIVE
