"""Peak-price events, generators, tripped breakers: what everybody sheds, and how it comes back."""

import itertools
import json
from dataclasses import replace

import pytest

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import (
    HvacMode,
    MoneySeen,
    OutsideDemand,
    PeakEvent,
    Thermometer,
)
from custom_components.hashcenter.control.state import restored, stored
from custom_components.hashcenter.control.wanted import Do, LimitCode

from .scene import START, Scene, asic, breaker, gpu, room, scene

_EVENT = PeakEvent(active=True)


def _asked_w(house: Scene) -> float:
    assert house.wanted is not None
    return sum(one.power_w for one in house.wanted.heaters.values())


def _warm() -> Scene:
    """Return a house that is warm and heats."""
    house = scene(rooms=(room(heat_loss_w_per_k=80.0, thermometer=Thermometer(21.0)),))
    house.pass_minutes(60)
    assert house.heater("s19").power_w > 0
    return house


def test_in_a_peak_event_a_warm_room_sheds_all_its_heaters() -> None:
    house = _warm()
    house.change_money(peak=_EVENT)
    house.pass_minutes(2)
    assert _asked_w(house) == 0
    assert house.room.limit.code is LimitCode.PEAK


def test_a_peak_event_costs_a_miner_one_start() -> None:
    house = _warm()
    key = HeaterKey("barn", "s19")
    before = len(house.state.heaters[key].started_at)
    house.change_money(peak=_EVENT)
    house.pass_minutes(120)
    house.change_money(peak=None)
    house.change_room(thermometer=Thermometer(20.2))
    house.pass_minutes(240)
    assert len(house.state.heaters[key].started_at) == before + 1


def test_a_peak_event_does_not_let_a_room_get_colder_than_its_setback() -> None:
    house = _warm()
    house.change_money(peak=_EVENT)
    house.change_room(thermometer=Thermometer(19.2))
    house.pass_minutes(30)
    assert _asked_w(house) > 1000.0


def test_after_a_peak_event_the_miners_of_a_circuit_come_back_one_by_one() -> None:
    miners = [asic(name, circuit="c", max_w=1500.0, boot_peak_w=1500.0) for name in "abc"]
    house = scene(
        *miners,
        circuits=(breaker(40.0),),
        rooms=(room(heat_loss_w_per_k=200.0, thermometer=Thermometer(20.5)),),
    )
    house.pass_minutes(60)
    house.change_money(peak=_EVENT)
    house.pass_minutes(60)
    assert _asked_w(house) == 0
    house.change_money(peak=None)
    house.change_room(thermometer=Thermometer(18.5))
    minutes = (house.pass_minutes().heaters.values() for _ in range(180))
    running = [sum(one.power_w > 0 for one in heaters) for heaters in minutes]
    assert running[0] == 0
    assert running[-1] == 3
    assert all(later - before <= 1 for before, later in itertools.pairwise(running))


def test_a_peak_event_leaves_answering_its_watts() -> None:
    house = _warm()
    cap_w = house.heater("rig").cap_w
    house.change_money(peak=_EVENT)
    house.pass_minutes(5)
    assert house.heater("rig").cap_w == cap_w


@pytest.mark.parametrize("shed", [{"peak": _EVENT}, {"on_generator": True}])
def test_where_hashing_is_shed_no_heater_is_left_to_its_owners_safe_state(
    shed: dict[str, object],
) -> None:
    house = scene(asic(room=None), asic("off", room="attic"), rooms=(_attic(),))
    house.pass_minutes()
    assert {house.heater(name).do for name in ("s19", "off")} == {Do.RELEASE}
    house.change_money(**shed)
    house.pass_minutes()
    for name in ("s19", "off"):
        assert house.heater(name).do is Do.LEASE
        assert house.heater(name).power_w == 0


def _attic() -> object:
    return replace(room(mode=HvacMode.OFF), id="attic")


@pytest.mark.parametrize("also", ["an open window", "no thermometer", "somebody's demand"])
def test_on_a_generator_nothing_hashes_whatever_else_is(also: str) -> None:
    house = _warm()
    house.change_money(on_generator=True)
    house.change_room(windows_open=also == "an open window")
    if also == "no thermometer":
        house.change_room(thermometer=Thermometer(None))
    if also == "somebody's demand":
        house.change_heater("s19", outside=OutsideDemand(2000.0, until=START + 36_000.0))
    house.pass_minutes()
    assert _asked_w(house) == 0


def test_a_generator_that_is_silent_is_as_it_said_last() -> None:
    for said in (True, False):
        house = _warm()
        house.change_money(on_generator=said)
        house.pass_minutes(5)
        house.change_money(on_generator=None)
        house.pass_minutes()
        assert (_asked_w(house) == 0) is said
        house.state = restored(json.loads(json.dumps(stored(house.state))))
        house.pass_minutes()
        assert (_asked_w(house) == 0) is said, "over a restart, too"


def test_a_generator_that_nobody_ever_heard_of_runs() -> None:
    house = scene(gpu(), asic(), rooms=(room(thermometer=Thermometer(15.0)),))
    house.change_money(on_generator=None)
    house.pass_minutes(5)
    assert _asked_w(house) == 0
    house.change_money(on_generator=False)
    house.pass_minutes(5)
    assert _asked_w(house) > 0


def test_a_room_whose_heaters_a_generator_sheds_needs_backup() -> None:
    house = _warm()
    house.change_money(on_generator=True)
    house.change_room(thermometer=Thermometer(20.2))
    house.pass_minutes(25)
    assert house.room.needs_backup
    assert house.room.backup_why is not None
    assert house.room.backup_why.code is LimitCode.GENERATOR
    house.change_money(on_generator=False)
    assert house.pass_minutes(20).rooms["living"].needs_backup
    assert not house.pass_minutes(20).rooms["living"].needs_backup


def test_a_room_that_is_off_stays_off_when_its_thermometer_dies() -> None:
    house = _warm()
    house.change_room(mode=HvacMode.OFF)
    house.pass_minutes(5)
    house.change_room(thermometer=Thermometer(None))
    house.pass_minutes()
    assert _asked_w(house) == 0
    assert house.room.limit.code is LimitCode.ROOM_OFF
    assert house.room.thermometer_stale


def test_an_open_window_takes_the_heat_of_a_blind_room_too() -> None:
    house = _warm()
    house.change_room(thermometer=Thermometer(None), windows_open=True)
    house.pass_minutes(120)
    assert _asked_w(house) == 0


def test_a_room_without_a_temperature_for_an_hour_needs_backup() -> None:
    house = _warm()
    house.change_room(thermometer=Thermometer(None))
    assert not house.pass_minutes(55).rooms["living"].needs_backup
    assert house.pass_minutes(10).rooms["living"].needs_backup
    assert house.room.backup_why is not None
    assert house.room.backup_why.code is LimitCode.THERMOMETER_STALE
    house.change_room(thermometer=Thermometer(21.0))
    assert not house.pass_minutes(40).rooms["living"].needs_backup


def test_behind_a_tripped_parent_the_tripped_breaker_is_named() -> None:
    panel = (
        breaker(40.0, id="main", name="Main", tripped=True),
        breaker(20.0, id="child", name="Child", parent="main"),
    )
    house = scene(asic(circuit="child"), gpu(), circuits=panel)
    house.pass_minutes(30)
    assert house.heater("s19").power_w == 0
    assert house.heater("s19").limit.code is LimitCode.TRIPPED
    assert house.heater("s19").limit.values["circuit"] == "main"
    assert house.heater("rig").power_w > 0, "the others are planned around it"


_PAYS = MoneySeen(price_per_kwh=0.03, hash_value_per_th_day=0.035)


def _paying(**changes: object) -> Scene:
    mild = room(target_c=20.0, thermometer=Thermometer(22.0), ceiling_c=25.0)
    heater = replace(asic(may_hash_for_money=True, j_per_th=17.5), **changes)  # type: ignore[arg-type]
    return scene(heater, rooms=(mild,), money=_PAYS)


def test_under_its_ceiling_a_miner_for_money_comes_down_before_it_stops() -> None:
    house = _paying()
    for temp_c, watts in ((22.0, 3000.0), (24.3, 3000.0), (24.6, 1200.0), (24.3, 1200.0)):
        house.change_room(thermometer=Thermometer(temp_c))
        house.pass_minutes(5)
        assert house.heater("s19").power_w == watts
    house.change_room(thermometer=Thermometer(25.1))
    house.pass_minutes()
    assert house.heater("s19").power_w == 0


def test_a_miner_is_started_for_money_at_most_every_six_hours() -> None:
    house = _paying(room=None)
    starts = 0
    for hour in range(24):
        house.change_money(price_per_kwh=0.03 if hour % 2 else 0.30)
        before = house.heater("s19").power_w if house.wanted else 0.0
        house.pass_minutes(60)
        starts += before <= 0 < house.heater("s19").power_w
    assert 3 <= starts <= 4
    house.change_money(price_per_kwh=0.03)
    house.pass_minutes(5)
    waits = house.heater("s19").limit
    assert waits.code in (LimitCode.PATIENCE, LimitCode.PAYS)


def test_a_miner_for_money_runs_on_while_it_about_breaks_even() -> None:
    house = _paying(room=None)
    house.pass_minutes(5)
    house.change_money(price_per_kwh=0.085)
    house.pass_minutes(5)
    assert house.heater("s19").power_w == 3000.0
    house.change_money(price_per_kwh=0.10)
    house.pass_minutes()
    assert house.heater("s19").power_w == 0
