"""When to say what: at once what a person would notice, calmly what only wiggles."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.report import (
    DEVICE_S,
    HEARTBEAT_S,
    INVENTORY_S,
    Schedule,
    changed_watts,
    device_changed,
    rig_changed,
)
from hashcenter_bridge.wire.messages import (
    DeviceState,
    Fault,
    HeaterState,
    InferenceState,
    Inventory,
    LeaseInForce,
    RigState,
)
from hashcenter_bridge.wire.values import Activity, Effect, LeasePhase, Throttle

DEVICE = DeviceState(boot_id="b", activity=Activity.HASHING, power_w=200.0, power_limit_w=200.0)
LEASE = LeaseInForce(controller="house", power_w=200.0, remaining_s=300.0)
HEATER = HeaterState(id="attic", power_w=200.0, target_w=200.0, lease=LEASE)
INFERENCE = InferenceState(available=True, first_token_s=1.0)
STATE = RigState(
    boot_id="b", tick=1.0, activity=Activity.HASHING, power_w=200.0, heaters=(HEATER,),
    inference=INFERENCE,
)  # fmt: skip


def device(**changes: Any) -> DeviceState:
    return DEVICE.model_copy(update=changes)


def state(**changes: Any) -> RigState:
    return STATE.model_copy(update=changes)


def heated(**changes: Any) -> RigState:
    return state(heaters=(HEATER.model_copy(update=changes),))


def inferring(**changes: Any) -> RigState:
    return state(inference=INFERENCE.model_copy(update=changes))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (None, None, False),
        (None, 0.0, True),
        (5.0, None, True),
        (0.0, 10.0, False),
        (0.0, 10.1, True),
        (100.0, 90.0, False),
        (100.0, 89.0, True),
        (1000.0, 1050.0, False),
        (1000.0, 1051.0, True),
    ],
)
def test_watts_change_beyond_10_w_or_5_percent(
    before: float | None, after: float | None, changed: bool
) -> None:
    assert changed_watts(before, after) is changed


@pytest.mark.parametrize(
    "after",
    [
        device(activity=Activity.ANSWERING),
        device(effect=Effect.NO_EFFECT),
        device(target_w=150.0),
        device(throttle=Throttle.THERMAL),
        device(power_w=300.0),
        device(power_w=None, missing={"power_w": "lost"}),
        device(power_limit_w=150.0),
    ],
)
def test_a_device_says_at_once_what_matters(after: DeviceState) -> None:
    assert device_changed(DEVICE, after)


@pytest.mark.parametrize(
    "after",
    [
        device(),
        device(power_w=209.0),
        device(temp_c=80.0),
        device(utilization_percent=3.0),
        device(energy_kwh=9.0),
        device(reason="another sentence"),
        device(since_s=50.0),
        device(clock_mhz=10.0),
    ],
)
def test_a_device_is_calm_about_what_wiggles(after: DeviceState) -> None:
    assert not device_changed(DEVICE, after)


@pytest.mark.parametrize(
    "after",
    [
        state(activity=Activity.IDLE),
        state(stopped=True),
        state(controller="house"),
        state(power_w=None),
        state(power_w=400.0),
        state(faults=(Fault(code="x", text="x", since_s=0.0),)),
        heated(target_w=100.0),
        heated(effect=Effect.REACHED),
        heated(reason="answering"),
        heated(available_w=3.0),
        heated(available_w=400.0),
        heated(lease=None),
        heated(lease=LEASE.model_copy(update={"phase": LeasePhase.COASTING})),
        heated(lease=LEASE.model_copy(update={"power_w": 100.0})),
        inferring(available=False),
        inferring(answering=1),
        inferring(waiting=1),
        inferring(answers_total=1),
        state(inference=None),
    ],
)
def test_a_rig_says_at_once_what_matters(after: RigState) -> None:
    assert rig_changed(STATE, after)


@pytest.mark.parametrize(
    "after",
    [
        state(tick=2.0),
        state(power_w=205.0),
        state(energy_kwh=2.0),
        state(hash_rate_mhs=7.0),
        heated(power_w=206.0),
        heated(lease=LEASE.model_copy(update={"remaining_s": 250.0})),
        inferring(first_token_s=1.5),
        inferring(tokens_per_s=9.0),
        state(shares_accepted_total=5),
    ],
)
def test_a_rig_is_calm_about_what_wiggles(after: RigState) -> None:
    assert not rig_changed(STATE, after)


def test_a_fault_that_only_lasts_is_no_news() -> None:
    young = state(faults=(Fault(code="x", text="x", since_s=1.0),))
    old = state(faults=(Fault(code="x", text="x", since_s=9.0),))
    assert not rig_changed(young, old)


def test_what_is_new_is_said_at_once_and_again_after_a_reconnect() -> None:
    schedule = Schedule()
    inventory = Inventory(boot_id="b", protocol=1, min_protocol=1, version="1", name="attic")
    for _ in range(2):
        assert schedule.inventory(inventory, 1.0)
        assert schedule.state(STATE, 1.0)
        assert schedule.device("a", DEVICE, 1.0)
        assert schedule.device("b", DEVICE, 1.0)
        assert not schedule.inventory(inventory, 1.5)
        assert not schedule.state(STATE, 1.5)
        assert not schedule.device("a", DEVICE, 1.5)
        schedule.forget()


def test_a_changed_inventory_is_said_and_an_equal_one_seldom() -> None:
    schedule = Schedule()
    inventory = Inventory(boot_id="b", protocol=1, min_protocol=1, version="1", name="attic")
    assert schedule.inventory(inventory, 0.0)
    assert not schedule.inventory(inventory.model_copy(), INVENTORY_S - 1.0)
    assert schedule.inventory(inventory.model_copy(update={"name": "cellar"}), INVENTORY_S - 1.0)
    assert schedule.inventory(inventory.model_copy(), 2 * INVENTORY_S)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0.0, 500.0)), min_size=5, max_size=200))
def test_a_topic_is_said_once_a_second_at_most_and_its_heartbeat_is_kept(
    looks: list[tuple[float, float]],
) -> None:
    schedule, now = Schedule(), 0.0
    said: dict[str, list[float]] = {"state": [], "device": []}
    for step_s, power_w in looks:
        now += step_s
        if schedule.state(state(power_w=power_w), now):
            said["state"].append(now)
        if schedule.device("a", device(power_w=power_w), now):
            said["device"].append(now)
    for topic, most_s in (("state", HEARTBEAT_S), ("device", DEVICE_S)):
        assert all(later - earlier >= 0.999 for earlier, later in pairwise(said[topic]))
        # A look may come up to 3 s late.
        assert all(later - earlier <= most_s + 3.0 for earlier, later in pairwise(said[topic]))
        assert now - said[topic][-1] <= most_s + 3.0


@given(st.lists(st.floats(195.0, 205.0), min_size=10, max_size=100))
def test_watts_within_the_deadband_never_hurry_a_message(watts: list[float]) -> None:
    schedule = Schedule()
    said = [
        now
        for now, power_w in enumerate(watts)
        if schedule.device("a", device(power_w=power_w), float(now))
    ]
    assert len(said) <= 1 + len(watts) / (DEVICE_S - 0.5)
