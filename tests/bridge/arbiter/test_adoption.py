"""What runs is kept as it is: after a start until the first lease, and without allow_control."""

from dataclasses import replace

import pytest

from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Rules, Running, Seen, State
from tests.bridge.arbiter.scene import Told, answering_rig, gpu, leased, miner, rig, rules, ticket

JUST_STARTED = State(adopted_until=1800.0)
SOMEBODYS = miner(owned=False)

#: Two ways in which a rig is not driven.
UNDRIVEN = pytest.mark.parametrize(
    ("state", "owner"),
    [(JUST_STARTED, rules()), (State(), rules(allow_control=False, safe_w=200.0))],
    ids=["just started", "control is off"],
)


def asking(seen: Seen) -> Seen:
    return replace(seen, tickets=(ticket(opened_at=10.0, runner="runner"),))


@UNDRIVEN
@pytest.mark.parametrize("running", [Running.ACTIVE, Running.PAUSED, Running.STOPPED])
def test_miners_and_limits_are_left_alone(state: State, owner: Rules, running: Running) -> None:
    seen = rig(miners=(replace(SOMEBODYS, running=running),), devices=(gpu(limit_w=230.0),))
    _, wanted = decide(state, seen, owner, 1.0)
    assert wanted.miners["miner"].running is None
    assert wanted.devices["gpu0"].limit_w is None
    assert wanted.devices["gpu0"].effect is None
    assert wanted.heater.target_w is None
    assert wanted.heater.reason


@UNDRIVEN
def test_a_question_interrupts_a_miner_that_goes_on_afterwards(state: State, owner: Rules) -> None:
    told = Told(state, owner)
    seen = answering_rig(miners=(SOMEBODYS,), devices=(gpu(limit_w=230.0),))
    told.step(seen, 1.0)
    assert told.step(asking(seen), 10.0).miners["miner"].running is Running.PAUSED
    paused = replace(seen, miners=(replace(SOMEBODYS, running=Running.PAUSED),))
    assert told.step(asking(paused), 11.0).miners["miner"].running is Running.PAUSED
    assert told.step(paused, 12.0).miners["miner"].running is Running.PAUSED
    assert told.step(paused, 15.0).miners["miner"].running is Running.ACTIVE
    told.step(seen, 16.0)
    assert told.step(seen, 17.0).miners["miner"].running is None


@UNDRIVEN
def test_a_miner_that_its_owner_paused_stays_paused_after_an_answer(
    state: State, owner: Rules
) -> None:
    told = Told(state, owner)
    paused = answering_rig(miners=(replace(SOMEBODYS, running=Running.PAUSED),))
    told.step(asking(paused), 10.0)
    assert told.step(paused, 20.0).miners["miner"].running is None


@UNDRIVEN
def test_a_hot_gpu_halts_its_miner_until_it_is_cool(state: State, owner: Rules) -> None:
    told = Told(state, owner)
    told.step(rig(miners=(SOMEBODYS,)), 1.0)
    hot = rig(devices=(gpu(temp_c=90.0),), miners=(SOMEBODYS,))
    assert told.step(hot, 2.0).miners["miner"].running is Running.PAUSED
    halted = (replace(SOMEBODYS, running=Running.PAUSED),)
    assert told.step(replace(hot, miners=halted), 3.0).miners["miner"].running is Running.PAUSED
    assert told.step(rig(miners=halted), 4.0).miners["miner"].running is Running.ACTIVE


def test_without_control_a_released_stop_all_lets_the_owners_miner_go_on() -> None:
    told = Told(State(stopped=True), rules(allow_control=False))
    assert told.step(rig(miners=(SOMEBODYS,)), 1.0).miners["miner"].running is Running.PAUSED
    paused = rig(miners=(replace(SOMEBODYS, running=Running.PAUSED),))
    told.step(paused, 2.0)
    told.state = replace(told.state, stopped=False)
    assert told.step(paused, 3.0).miners["miner"].running is Running.ACTIVE


def test_stop_all_ends_adoption() -> None:
    told = Told(replace(JUST_STARTED, stopped=True))
    told.step(rig(), 1.0)
    told.state = replace(told.state, stopped=False)
    assert told.step(rig(), 2.0).miners["miner"].running is Running.STOPPED


def test_the_first_lease_ends_adoption() -> None:
    state = replace(JUST_STARTED, lease=leased(150.0).lease)
    state, wanted = decide(state, rig(miners=(SOMEBODYS,)), rules(), 1.0)
    assert state.adopted_until == 0.0
    assert wanted.devices["gpu0"].limit_w == 150.0
    _, after = decide(state, rig(miners=(SOMEBODYS,)), rules(), 2500.0)
    assert after.miners["miner"].running is Running.PAUSED


def test_after_adoption_comes_the_owners_safe_state() -> None:
    _, wanted = decide(JUST_STARTED, rig(), rules(safe_w=150.0), 1800.0)
    assert wanted.devices["gpu0"].limit_w == 150.0


def test_a_limit_that_was_raised_for_an_answer_goes_back_to_where_it_was() -> None:
    told = Told(JUST_STARTED)
    seen = answering_rig(
        miners=(replace(SOMEBODYS, running=Running.PAUSED),), devices=(gpu(limit_w=230.0),)
    )
    assert told.step(asking(seen), 10.0).devices["gpu0"].limit_w == 350.0
    raised = replace(seen, devices=(gpu(limit_w=350.0),))
    assert told.step(asking(raised), 11.0).devices["gpu0"].limit_w == 350.0
    unread = replace(seen, devices=(gpu(limit_w=None, adjustable=False),))
    told.step(unread, 12.0)
    assert told.step(raised, 20.0).devices["gpu0"].limit_w == 230.0
    assert told.step(seen, 21.0).devices["gpu0"].limit_w is None
    assert told.state.lent == {}
