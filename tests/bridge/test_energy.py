"""Energy never goes backwards, whatever counters and watts say."""

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.energy import Meter

KWH_J = 3_600_000.0


def joules(meter: Meter) -> float:
    return meter.kwh * KWH_J


def test_watts_are_integrated_where_there_is_no_counter() -> None:
    meter = Meter({})
    for second in range(11):
        meter.update(second, 100.0)
    assert joules(meter) == pytest.approx(1000.0)


def test_rising_watts_are_integrated_at_their_mean() -> None:
    meter = Meter({})
    meter.update(0.0, 100.0)
    meter.update(10.0, 300.0)
    assert joules(meter) == pytest.approx(2000.0)


def test_the_first_look_adds_nothing() -> None:
    assert Meter({}).update(100.0, 500.0, 9e9) == 0.0


def test_a_counter_is_believed_before_the_watts() -> None:
    meter = Meter({})
    meter.update(0.0, 100.0, 5000.0)
    meter.update(1.0, 100.0, 5110.0)
    assert joules(meter) == pytest.approx(110.0)


def test_nothing_is_invented_over_a_silence() -> None:
    meter = Meter({})
    meter.update(0.0, 300.0)
    meter.update(31.0, 300.0)
    assert meter.kwh == 0.0
    meter.update(32.0, None)
    meter.update(33.0, 300.0)
    assert joules(meter) == pytest.approx(0.0)


def test_a_counter_bridges_a_silence() -> None:
    meter = Meter({})
    meter.update(0.0, 300.0, 1000.0)
    meter.update(600.0, 300.0, 181_000.0)
    assert joules(meter) == pytest.approx(180_000.0)


def test_a_counter_goes_on_where_the_last_run_stopped() -> None:
    kept = {"kwh": 2.0, "counter_j": 1000.0}
    assert Meter(kept).update(0.0, 300.0, 1000.0 + KWH_J) == pytest.approx(3.0)


def test_a_counter_that_restarts_is_bridged_by_the_watts() -> None:
    meter = Meter({})
    meter.update(0.0, 200.0, 50_000.0)
    meter.update(1.0, 200.0, 3.0)
    assert joules(meter) == pytest.approx(200.0)
    meter.update(2.0, 200.0, 203.0)
    assert joules(meter) == pytest.approx(400.0)


@pytest.mark.parametrize("wild_j", [1e12, 1e30, 3_600_000.0])
def test_a_counter_that_jumps_is_bridged_by_the_watts(wild_j: float) -> None:
    meter = Meter({})
    meter.update(0.0, 200.0, 1000.0)
    meter.update(1.0, 200.0, wild_j)
    assert joules(meter) == pytest.approx(200.0)


def test_no_counter_adds_a_fortune_after_a_restart() -> None:
    meter = Meter({"kwh": 5.0, "counter_j": 10.0})
    assert meter.update(0.0, 200.0, 1e15) == 5.0


@pytest.mark.parametrize("factor", [0.0, 0.4, 3.0])
def test_a_counter_that_disagrees_with_the_watts_is_not_believed(factor: float) -> None:
    meter = Meter({})
    for second in range(1000):
        meter.update(second, 200.0, 200.0 * second * factor)
    assert meter.agreement == pytest.approx(factor)
    before_j = joules(meter)
    for second in range(1000, 1101):
        meter.update(second, 200.0, 200.0 * second * factor)
    assert joules(meter) - before_j == pytest.approx(101 * 200.0, rel=0.01)


def test_a_counter_that_agrees_is_believed_again() -> None:
    meter = Meter({})
    for second in range(300):
        meter.update(second, 200.0, 0.0)
    for second in range(300, 700):
        meter.update(second, 200.0, 210.0 * (second - 300))
    assert meter.agreement == pytest.approx(1.05)
    before_j = joules(meter)
    meter.update(700.0, 200.0, 210.0 * 400)
    assert joules(meter) - before_j == pytest.approx(210.0)


def test_unknown_watts_are_no_watts_and_no_error() -> None:
    meter = Meter({})
    for second in range(10):
        assert meter.update(second, None) == 0.0


looks = st.tuples(
    st.floats(-10.0, 100.0),
    st.none() | st.floats(0.0, 5000.0),
    st.none() | st.floats(0.0, 1e18),
)
kept_before = st.fixed_dictionaries(
    {}, optional={"kwh": st.floats(0.0, 1e6), "counter_j": st.floats(0.0, 1e18)}
)


@given(kept_before, st.lists(looks, max_size=60), st.sets(st.integers(0, 60)))
def test_energy_never_goes_backwards(
    kept: dict[str, float],
    seen: list[tuple[float, float | None, float | None]],
    restarts: set[int],
) -> None:
    meter, now, last_kwh = Meter(kept), 0.0, kept.get("kwh", 0.0)
    for number, (step_s, power_w, counter_j) in enumerate(seen):
        if number in restarts:
            meter, now = Meter(dict(meter.kept)), 0.0
        now += step_s
        kwh = meter.update(now, power_w, counter_j)
        assert kwh >= last_kwh
        assert kwh == meter.kwh
        last_kwh = kwh


@given(st.lists(looks, min_size=1, max_size=60))
def test_energy_never_grows_faster_than_any_device_draws(
    seen: list[tuple[float, float | None, float | None]],
) -> None:
    meter, now = Meter({}), 0.0
    for step_s, power_w, counter_j in seen:
        now += abs(step_s)
        meter.update(now, power_w, counter_j)
    assert joules(meter) <= 20_000.0 * now + 1e-3
