"""What others ask of heaters, and hashing that nobody needs the heat of."""

from dataclasses import replace

from custom_components.hashcenter.control.seen import (
    HvacMode,
    MoneySeen,
    OutsideDemand,
    PeakEvent,
    Thermometer,
)
from custom_components.hashcenter.control.wanted import Do, LimitCode

from .scene import START, asic, breaker, gpu, room, scene


def _asked(power_w: float = 2000.0, **changes: object) -> OutsideDemand:
    usual = OutsideDemand(power_w, until=START + 3600.0)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_somebody_elses_demand_goes_before_the_room() -> None:
    house = scene(gpu(), asic(outside=_asked()))
    house.pass_minutes()
    assert house.heater("s19").power_w == 2000.0
    assert house.heater("s19").limit.code is LimitCode.OUTSIDE


def test_somebody_elses_demand_ends_with_its_hold() -> None:
    house = scene(asic(room=None, outside=_asked()))
    house.pass_minutes(59)
    assert house.heater("s19").power_w == 2000.0
    house.pass_minutes(2)
    assert house.heater("s19").do is Do.RELEASE


def test_no_watts_asked_for_is_a_demand_like_any_other() -> None:
    house = scene(asic(room=None, outside=_asked(0.0)))
    house.pass_minutes()
    assert (house.heater("s19").do, house.heater("s19").power_w) == (Do.LEASE, 0.0)


def test_a_demand_that_its_rig_cannot_meet_now_is_not_the_end_of_its_lease() -> None:
    house = scene(asic(room=None, outside=_asked(), available_w=0.0, available_why="pool lost"))
    house.pass_minutes()
    assert house.heater("s19").do is Do.LEASE
    assert house.heater("s19").limit.code is LimitCode.AVAILABLE


def test_somebody_elses_watts_are_taken_off_what_the_room_wants() -> None:
    alone = scene(gpu(), asic(), rooms=(room(heat_loss_w_per_k=100.0),))
    alone.decide()
    outside = asic(outside=_asked(), power_w=2000.0, mean_w=2000.0)
    house = scene(gpu(), outside, rooms=(room(heat_loss_w_per_k=100.0),))
    house.decide()
    assert house.room.demand_w == alone.room.demand_w - 2000.0


def test_a_demand_waits_while_a_window_of_its_room_is_open() -> None:
    house = scene(gpu(outside=_asked(600.0)), asic(outside=_asked()))
    house.pass_minutes(10)
    assert (house.heater("rig").power_w, house.heater("s19").power_w) == (600.0, 2000.0)
    house.change_room(windows_open=True)
    house.pass_minutes()
    assert house.heater("rig").power_w == 0.0
    assert house.heater("rig").limit.code is LimitCode.WINDOW
    assert house.heater("s19").power_w == 1200.0, "a miner waits at its lowest step"
    assert house.heater("s19").do is Do.LEASE
    house.change_room(windows_open=False)
    house.pass_minutes()
    assert (house.heater("rig").power_w, house.heater("s19").power_w) == (600.0, 2000.0)


def test_a_demand_that_waits_leaves_no_heater_to_its_owners_safe_state() -> None:
    house = scene(gpu(outside=_asked(600.0)), rooms=(room(mode=HvacMode.OFF, windows_open=True),))
    house.pass_minutes()
    assert (house.heater("rig").do, house.heater("rig").power_w) == (Do.LEASE, 0.0)
    assert house.heater("rig").limit.code is LimitCode.WINDOW


def test_frost_goes_before_what_anybody_asks() -> None:
    cold = room(thermometer=Thermometer(5.0), heat_loss_w_per_k=60.0)
    house = scene(gpu(outside=_asked(0.0)), rooms=(cold,))
    house.pass_minutes()
    assert house.heater("rig").power_w > 0.0
    assert house.room.limit.code is LimitCode.FROST
    house.change_room(thermometer=Thermometer(9.0))
    house.pass_minutes()
    assert (house.heater("rig").do, house.heater("rig").power_w) == (Do.LEASE, 0.0)


def test_somebody_elses_demand_stops_above_its_own_high_limit() -> None:
    house = scene(asic(outside=_asked(high_limit_c=24.0, thermometer=Thermometer(24.5))))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0
    assert house.heater("s19").limit.code is LimitCode.HIGH_LIMIT


def test_somebody_elses_demand_stops_with_a_stale_thermometer() -> None:
    for silent in (Thermometer(None), Thermometer(20.0, age_s=7200.0)):
        house = scene(asic(outside=_asked(high_limit_c=24.0, thermometer=silent)))
        house.pass_minutes()
        assert house.heater("s19").power_w == 0
        assert house.heater("s19").limit.code is LimitCode.THERMOMETER_STALE


def test_somebody_elses_demand_stops_at_the_rooms_high_limit() -> None:
    house = scene(asic(outside=_asked()), rooms=(room(thermometer=Thermometer(28.5)),))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0


def test_somebody_elses_demand_stays_inside_the_circuit() -> None:
    house = scene(
        asic(circuit="c", outside=_asked(3000.0), boot_peak_w=1500.0), circuits=(breaker(10.0),)
    )
    house.pass_minutes()
    assert 0 < house.heater("s19").power_w <= 1840.0
    assert house.heater("s19").limit.code is LimitCode.CIRCUIT


_PAYS = MoneySeen(price_per_kwh=0.03, hash_value_per_th_day=0.035)


def test_a_vented_heater_hashes_for_money_where_its_owner_said_yes() -> None:
    vented = asic(room=None, may_hash_for_money=True, j_per_th=17.5)
    house = scene(vented, money=_PAYS)
    house.pass_minutes()
    assert house.heater("s19").power_w == 3000.0
    assert house.heater("s19").limit.code is LimitCode.PAYS


def test_without_the_owners_yes_nothing_hashes_for_money() -> None:
    house = scene(asic(room=None, j_per_th=17.5), money=_PAYS)
    house.pass_minutes()
    assert house.heater("s19").do is Do.RELEASE
    assert house.heater("s19").limit.code is LimitCode.NO_ROOM


def test_nothing_hashes_for_money_at_a_loss() -> None:
    vented = asic(room=None, may_hash_for_money=True, j_per_th=17.5)
    house = scene(vented, money=replace(_PAYS, price_per_kwh=0.15))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0


def test_nothing_hashes_for_money_in_a_peak_event_or_on_a_generator() -> None:
    vented = asic(room=None, may_hash_for_money=True, j_per_th=17.5)
    for against in (
        replace(_PAYS, peak=PeakEvent(active=True)),
        replace(_PAYS, on_generator=True),
    ):
        house = scene(vented, money=against)
        house.pass_minutes()
        assert house.heater("s19").power_w == 0


def test_in_a_room_hashing_for_money_ends_at_its_ceiling() -> None:
    inside = asic(may_hash_for_money=True, j_per_th=17.5)
    mild = Thermometer(22.0)
    house = scene(
        inside,
        money=_PAYS,
        rooms=(room(target_c=20.5, thermometer=mild, ceiling_c=24.0),),
    )
    house.pass_minutes()
    assert house.heater("s19").limit.code is LimitCode.PAYS
    house.change_room(thermometer=Thermometer(24.1))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0


def test_a_room_without_a_ceiling_is_not_hashed_warm() -> None:
    inside = asic(may_hash_for_money=True, j_per_th=17.5)
    house = scene(inside, money=_PAYS, rooms=(room(mode=HvacMode.OFF),))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0
