"""Whatever happens to a machine: few starts, stops at once, never above its owner's limit."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings, strategies as st

from hashcenter_bridge.arbiter.asic import starts
from hashcenter_bridge.arbiter.asic.types import Verb
from hashcenter_bridge.wire.values import Capabilities
from tests.bridge.arbiter.asic.scene import BITAXE, PERCENT, PLAIN, STEPS, WATTS, Scene, scene

REBOOTS = WATTS.model_copy(update={"reboots_on_set": True})
KEEPS = STEPS.model_copy(update={"keeps_pause": True, "stored": True})
KINDS = st.sampled_from([WATTS, PERCENT, STEPS, PLAIN, BITAXE, REBOOTS, KEEPS])

events = st.lists(
    st.one_of(
        st.tuples(st.just("heat"), st.floats(0.0, 1.2)),
        st.tuples(st.just("cap"), st.floats(0.2, 1.2)),
        st.tuples(st.just("frost"), st.floats(0.4, 1.0)),
        st.tuples(
            st.sampled_from(
                [
                    "silence", "reboot", "hand", "pause by hand", "deaf", "pool lost", "overheat",
                    "nothing", "house silent", "stop all", "slow", "restart of the bridge",
                ]
            ),
            st.floats(0.0, 1.0),
        ),
    ),
    min_size=3,
    max_size=12,
)  # fmt: skip


def happen(it: Scene, event: str, share: float) -> None:
    """Let one thing happen, and a few minutes pass."""
    machine, full_w = it.machine, (it.machine.can.nominal_w or 0.0)
    it.stopped = event == "stop all"
    machine.reachable, machine.deaf, machine.protecting = event != "silence", event == "deaf", None
    machine.pool_connected = event != "pool lost"
    it.act_takes_s = 21.0 if event == "slow" else 1.0
    match event:
        case "heat":
            it.lease(share * full_w)
        case "cap":
            it.lease(full_w, cap_w=share * full_w)
        case "frost":
            it.lease(share * full_w, urgent=True)
        case "reboot":
            machine.reboot(it.now)
        case "hand" if machine.can.power_limit:
            machine.setting = 1000.0 + round(2000.0 * share / 50.0) * 50.0
        case "pause by hand":
            machine.hashes = False
        case "overheat":
            machine.protecting = "it overheated"
        case "restart of the bridge":
            it.state = replace(
                type(it.state)(), starts=it.state.starts, adopted_until=it.now + 1800.0
            )
        case "house silent":
            it.run(600, step_s=10.0)
    it.run(300 + 900 * share, step_s=10.0)


@given(can=KINDS, happens=events)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_more_starts_than_budget_and_reserve(
    can: Capabilities, happens: list[tuple[str, float]]
) -> None:
    it = scene(can, rules={"starts_per_day": 3, "spare_starts": 2})
    for event, share in happens:
        happen(it, event, share)
        assert len(starts.recent(it.state, it.now)) <= 3 + 2
    if not {"frost", "reboot", "silence"} & {event for event, _ in happens}:
        assert len(starts.recent(it.state, it.now)) <= 3


@given(can=KINDS, happens=events)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_stop_is_never_delayed(can: Capabilities, happens: list[tuple[str, float]]) -> None:
    it = scene(can)
    for event, share in happens:
        happen(it, event, share)
        it.machine.reachable, it.machine.deaf, it.stopped = True, False, False
        it.act_takes_s = 1.0
    it.stopped = True
    done = len(it.acts)
    hashed = it.machine.hashes
    it.run(120)
    assert not it.machine.hashes
    if hashed and it.seen is not None:
        assert [act.verb for _, act in it.acts[done:]].count(Verb.PAUSE) >= 1


@given(happens=events, most_w=st.floats(1200.0, 2500.0))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_is_asked_passes_the_owners_limit(
    happens: list[tuple[str, float]], most_w: float
) -> None:
    it = scene(WATTS, rules={"max_w": most_w})
    for event, share in happens:
        happen(it, event, share)
        assert it.wanted is not None
        assert it.wanted.available_w <= most_w
        if isinstance(it.wanted.setting, float):
            assert it.wanted.setting <= most_w * 1.05
    asked = [act for _, act in it.acts if act.verb is not Verb.PAUSE]
    assert all(act.setting <= most_w + 1e-6 for act in asked if isinstance(act.setting, float))


@given(can=KINDS, happens=events)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_decision_has_a_reason_and_what_is_available_too(
    can: Capabilities, happens: list[tuple[str, float]]
) -> None:
    it = scene(can)
    for event, share in happens:
        happen(it, event, share)
        assert it.wanted is not None
        assert it.wanted.reason
        assert it.wanted.available_why
        assert 0.0 <= it.wanted.available_w <= it.wanted.max_w + 1e-6
        assert it.wanted.min_w <= it.wanted.max_w


@given(happens=events)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_once_all_is_quiet_it_does_what_is_asked(happens: list[tuple[str, float]]) -> None:
    it = scene(WATTS, rules={"starts_per_day": 96})
    for event, share in happens:
        happen(it, event, share)
    happen(it, "nothing", 0.0)
    it.heat(2000.0, 5 * 3600.0)
    assert abs(it.machine.watts(it.now) - 2000.0) <= 60.0
