"""No breaker carries too much: what may be drawn is counted before anything is granted."""

from dataclasses import replace
from typing import Any

import pytest

from custom_components.hashcenter.control import circuits
from custom_components.hashcenter.control.bounds import with_tolerance_w
from custom_components.hashcenter.control.seen import HeaterSeen, Meter, Thermometer
from custom_components.hashcenter.control.wanted import LimitCode
from custom_components.hashcenter.wire.values import Effect, Favor

from .scene import Scene, asic, breaker, gpu, room, scene

_LIMIT_W = 20.0 * 230.0 * 0.8


def _cold(*heaters: HeaterSeen, amps: float = 20.0, **changes: Any) -> Scene:
    """Return a house that wants all it can get behind one breaker."""
    behind = [replace(one, circuit="c") for one in heaters]
    freezing = room(thermometer=Thermometer(15.0))
    return scene(
        *behind,
        circuits=(breaker(amps),),
        rooms=(freezing,),
        **changes,
    )


def _bounds_w(house: Scene) -> float:
    total = 0.0
    for heater in house.seen.heaters:
        want = house.heater(heater.key.heater)
        most_w = want.cap_w if heater.can_answer and want.cap_w is not None else want.power_w
        total += max(most_w, heater.idle_w)
    return total


def test_a_circuit_carries_eighty_percent_of_its_rating() -> None:
    assert circuits.limit_w(breaker(20.0)) == pytest.approx(3680.0)
    house = _cold(asic("a"), asic("b"), gpu())
    house.pass_minutes(240)
    assert 3000.0 < _bounds_w(house) <= _LIMIT_W


@pytest.mark.parametrize("moves", [True, False])
def test_a_heater_that_moved_to_another_circuit_is_not_expected_back(moves: bool) -> None:
    dryer = Meter(2500.0, counts_heaters=True)
    stays = gpu("rig", room=None)

    house = _cold(asic("s19", power_w=2500.0), stays)
    house.change_circuit(meter=dryer)
    house.pass_minutes(5)
    if moves:
        # Its owner says so first, and plugs it in elsewhere an hour later.
        house.obeys = False
        house.change_heater("s19", circuit=None, power_w=2500.0)
    else:
        house.change_circuit(meter=replace(dryer, power_w=5000.0))
    house.pass_minutes(60)
    seen = house.state.circuits["c"].others_peak_w
    assert seen >= 2400.0
    house.change_circuit(meter=replace(dryer, power_w=100.0))
    house.pass_minutes(8 * 60)
    now = house.state.circuits["c"].others_peak_w
    assert (now < 200.0) is moves
    assert (now > 0.9 * seen) is not moves


def test_a_full_circuit_is_the_limit_that_binds() -> None:
    house = _cold(asic("a"), asic("b"))
    house.pass_minutes(240)
    codes = {house.heater(name).limit.code for name in ("a", "b")}
    assert LimitCode.CIRCUIT in codes
    assert house.wanted is not None
    assert house.wanted.circuits["c"].binds


def test_the_parents_limit_binds_its_children_together() -> None:
    left, right = replace(asic("a"), circuit="left"), replace(asic("b"), circuit="right")
    panel = (
        breaker(16.0, id="main", name="Main"),
        breaker(20.0, id="left", name="Left", parent="main"),
        breaker(20.0, id="right", name="Right", parent="main"),
    )
    house = scene(left, right, circuits=panel, rooms=(room(thermometer=Thermometer(15.0)),))
    house.pass_minutes(240)
    assert sum(house.heater(name).power_w for name in ("a", "b")) <= 16.0 * 230.0 * 0.8


def test_circuits_that_feed_each_other_do_not_hang() -> None:
    loop = {
        "a": breaker(id="a", parent="b"),
        "b": breaker(id="b", parent="a"),
    }
    assert circuits.chain("a", loop) == ("a", "b")


def test_what_others_may_switch_on_is_kept_free() -> None:
    house = _cold(asic("a"))
    house.change_circuit(others_w=2000.0)
    house.pass_minutes(240)
    assert _bounds_w(house) <= _LIMIT_W - 2000.0


def test_the_highest_load_the_meter_ever_showed_is_kept_free() -> None:
    house = _cold(gpu("a"), gpu("b"), gpu("c"), gpu("d"), gpu("e"))
    house.change_circuit(meter=Meter(2000.0))
    house.pass_minutes(3)
    house.change_circuit(meter=Meter(50.0))
    house.pass_minutes(600)
    assert _bounds_w(house) <= _LIMIT_W - 1800.0


def test_a_meter_that_counts_heaters_shows_others_without_them() -> None:
    meter = Meter(2500.0, counts_heaters=True)
    assert circuits.others_now_w(breaker(meter=meter), 2000.0) == 500.0


def test_behind_a_stale_meter_nothing_goes_up() -> None:
    house = _cold(gpu("a"), asic("b"))
    house.change_room(thermometer=Thermometer(20.9))
    house.change_circuit(meter=Meter(100.0))
    house.pass_minutes(20)
    before = [house.heater(name).power_w for name in ("a", "b")]
    house.change_circuit(meter=Meter(100.0, age_s=600.0))
    house.change_room(thermometer=Thermometer(15.0))
    house.pass_minutes(30)
    after = [house.heater(name).power_w for name in ("a", "b")]
    assert all(now <= then for now, then in zip(after, before, strict=True))
    assert house.heater("b").limit.code in (LimitCode.METER_STALE, LimitCode.CIRCUIT)
    assert house.wanted is not None
    problem = house.wanted.circuits["c"].problem
    assert problem is not None
    assert problem.code is LimitCode.METER_STALE


def test_a_boot_peak_is_admitted_before_the_lease() -> None:
    peaky = asic("a", max_w=2000.0, available_w=2000.0, boot_peak_w=3300.0)
    house = _cold(peaky, gpu())
    starts = 0
    for _ in range(60):
        off = house.wanted is None or house.heater("a").power_w == 0
        house.pass_minutes()
        if off and house.heater("a").power_w > 0:
            starts += 1
            assert with_tolerance_w(house.heater("rig").cap_w or 0.0) + 3300.0 <= _LIMIT_W + 1.0
    assert starts == 1
    assert house.heater("rig").power_w == 800.0


def test_a_boot_peak_that_never_fits_is_never_started() -> None:
    house = _cold(asic("a", max_w=2000.0, available_w=2000.0, boot_peak_w=3700.0))
    house.pass_minutes(60)
    assert house.heater("a").power_w == 0
    assert house.heater("a").limit.code is LimitCode.CIRCUIT


def test_a_reduction_is_measured_before_a_raise() -> None:
    big = {"max_w": 2400.0, "available_w": 2400.0}
    poor = gpu("poor", hash_value_per_kwh=0.01, **big)
    rich = gpu("rich", hash_value_per_kwh=0.09, max_w=2400.0, available_w=0.0)
    house = _cold(poor, rich, amps=16.0)
    house.pass_minutes(5)
    drawn_w = house.heater("poor").power_w
    assert drawn_w > 2000.0

    house.change_heater("rich", available_w=2400.0)
    house.obeys = False
    house.pass_minutes(5)
    assert house.heater("poor").power_w < drawn_w - 1000.0
    assert (house.heater("rich").cap_w or 0.0) + drawn_w <= 16.0 * 230.0 * 0.8
    assert house.heater("rich").limit.code is LimitCode.STAGED

    low_w = house.heater("poor").cap_w or 0.0
    house.change_heater("poor", possible_w=low_w, power_w=low_w, mean_w=low_w)
    house.pass_minutes(2)
    assert house.heater("rich").power_w > 2000.0


def test_a_heater_that_did_not_come_down_holds_the_others_back() -> None:
    stuck = asic("a", power_w=3000.0, mean_w=3000.0, hashing=True, effect=Effect.NO_EFFECT)
    house = _cold(stuck, asic("b"))
    house.obeys = False
    house.pass_minutes(240)
    assert house.heater("b").power_w == 0


def test_a_silent_rig_counts_with_what_it_may_draw_by_itself() -> None:
    gone = asic("a", online=False, power_w=None, mean_w=None, unattended_w=2900.0)
    house = _cold(gone, asic("b", unattended_w=0.0))
    house.pass_minutes(240)
    assert house.heater("b").power_w == 0


def test_what_would_trip_after_a_power_cut_is_never_leased() -> None:
    wild = {"unattended_w": 3000.0}
    house = _cold(asic("a", **wild), asic("b", **wild))
    house.pass_minutes(240)
    assert house.heater("a").power_w > 0
    assert house.heater("b").power_w == 0
    assert house.heater("b").limit.code is LimitCode.UNATTENDED
    assert house.wanted is not None
    problem = house.wanted.circuits["c"].problem
    assert problem is not None
    assert problem.code is LimitCode.UNATTENDED


def test_starts_on_one_circuit_are_staggered() -> None:
    house = _cold(asic("a"), asic("b"), amps=100.0)
    started: dict[str, float] = {}
    for _ in range(30):
        house.pass_minutes()
        for name in ("a", "b"):
            if house.heater(name).power_w > 0:
                started.setdefault(name, house.now)
    assert abs(started["a"] - started["b"]) >= 60.0


def test_a_tripped_breaker_stays_tripped_until_somebody_says_otherwise() -> None:
    house = _cold(asic("a"))
    house.change_circuit(tripped=True)
    house.pass_minutes(5)
    house.change_circuit(tripped=None)
    house.pass_minutes(60)
    assert house.heater("a").limit.code is LimitCode.TRIPPED
    assert house.heater("a").power_w == 0
    house.change_circuit(tripped=False)
    house.pass_minutes(60)
    assert house.heater("a").power_w > 0


def test_a_tripped_breaker_gets_nothing_and_says_so() -> None:
    house = _cold(asic("a"))
    house.change_circuit(tripped=True)
    house.pass_minutes(60)
    assert house.heater("a").limit.code is LimitCode.TRIPPED
    assert house.heater("a").power_w == 0


def test_answering_is_capped_by_what_the_circuit_leaves() -> None:
    house = _cold(asic("a"), gpu(max_w=2000.0, available_w=2000.0))
    house.pass_minutes(240)
    cap_w = house.heater("rig").cap_w
    assert cap_w is not None
    assert with_tolerance_w(cap_w) + with_tolerance_w(house.heater("a").power_w) <= _LIMIT_W + 1.0


def test_with_favor_for_inference_answering_keeps_its_watts_on_a_full_circuit() -> None:
    caps = {}
    for favor in (Favor.INFERENCE, Favor.HASHING):
        house = _cold(asic("a"), gpu(), favor=favor)
        house.pass_minutes(240)
        caps[favor] = house.heater("rig").cap_w or 0.0
    assert caps[Favor.INFERENCE] == 800.0
    assert caps[Favor.HASHING] < 800.0


def test_a_power_cut_brings_the_whole_house_back_within_its_limit() -> None:
    house = _cold(asic("a"), asic("b"), gpu())
    house.pass_minutes(240)

    def cut(heater: HeaterSeen) -> HeaterSeen:
        return replace(
            heater,
            online=False,
            power_w=None,
            mean_w=None,
            hashing=False,
            lease=None,
            effect=None,
            possible_w=None,
        )

    house.change_heaters(cut)
    house.pass_minutes(5)
    house.change_heaters(
        lambda one: replace(
            one,
            online=True,
            power_w=one.unattended_w,
            mean_w=one.unattended_w,
            possible_w=one.max_w if one.can_answer else None,
        )
    )
    for _ in range(120):
        house.pass_minutes()
        assert _bounds_w(house) <= _LIMIT_W
    assert _bounds_w(house) > 3000.0


def test_a_heater_on_no_circuit_is_bound_by_none() -> None:
    house = scene(rooms=(room(thermometer=Thermometer(10.0)),))
    house.pass_minutes(30)
    assert house.heater("s19").power_w == 3000.0
    assert house.heater("rig").cap_w is None
