"""What stands above comfort: every safe end of a room, by the rule's name."""

from dataclasses import replace

import pytest

from custom_components.hashcenter.control import safety
from custom_components.hashcenter.control.seen import HvacMode, Quiet, Thermometer
from custom_components.hashcenter.control.state import Rhythm
from custom_components.hashcenter.control.wanted import Do, HvacAction, LimitCode

from .scene import Scene, asic, gpu, room, scene


def _asked_w(house: Scene) -> float:
    assert house.wanted is not None
    return sum(one.power_w for one in house.wanted.heaters.values())


def test_stop_all_asks_nothing_of_anybody() -> None:
    house = scene()
    house.pass_minutes(30)
    house.seen = replace(house.seen, stop_all=True)
    wanted = house.decide()
    assert {one.do for one in wanted.heaters.values()} == {Do.NOTHING}
    assert house.heater("s19").limit.code is LimitCode.STOP_ALL


def test_a_thermometer_that_is_unavailable_is_not_believed_at_once() -> None:
    house = scene()
    usual = house.pass_minutes(60).rooms["living"].demand_w
    house.change_room(thermometer=Thermometer(None))
    house.pass_minutes()
    assert house.room.thermometer_stale
    assert house.room.limit.code is LimitCode.THERMOMETER_STALE
    assert 0 < house.room.demand_w < usual


def test_a_thermometer_is_stale_by_its_own_rhythm() -> None:
    rhythm = Rhythm()
    for at in range(0, 36_000, 1200):  # it speaks every 20 minutes
        rhythm = safety.hear(rhythm, Thermometer(20.0, 0.0), 1000.0 + at)
    assert not safety.is_stale(rhythm, Thermometer(20.0, 1.5 * 1200.0))
    assert safety.is_stale(rhythm, Thermometer(20.0, 3.5 * 1200.0))
    quick = Rhythm()
    for at in range(0, 3600, 60):
        quick = safety.hear(quick, Thermometer(20.0, 0.0), 1000.0 + at)
    assert safety.is_stale(quick, Thermometer(20.0, 1000.0))


def test_one_long_outage_does_not_become_the_rhythm() -> None:
    rhythm = Rhythm()
    for at in range(0, 3600, 60):
        rhythm = safety.hear(rhythm, Thermometer(20.0, 0.0), 1000.0 + at)
    rhythm = safety.hear(rhythm, Thermometer(20.0, 0.0), 1000.0 + 86_400.0)
    assert safety.stale_after_s(rhythm) < 3600.0


def test_a_blind_room_gets_less_after_an_hour() -> None:
    house = scene()
    house.pass_minutes(60)
    house.change_room(thermometer=Thermometer(None))
    at_once = house.pass_minutes().rooms["living"].demand_w
    assert house.pass_minutes(61).rooms["living"].demand_w < 0.6 * at_once


def test_an_outdoor_temperature_that_is_stale_is_followed_no_further() -> None:
    house = scene(rooms=(room(thermometer=Thermometer(21.0)),))
    before = house.pass_minutes(5).rooms["living"].demand_w
    house.seen = replace(house.seen, outdoor=Thermometer(-30.0, age_s=4 * 3600.0))
    assert house.pass_minutes().rooms["living"].demand_w == pytest.approx(before, rel=0.02)
    house.seen = replace(house.seen, outdoor=Thermometer(None))
    assert house.pass_minutes().rooms["living"].demand_w == pytest.approx(before, rel=0.02)


def test_a_rooms_own_outdoor_thermometer_goes_before_the_houses() -> None:
    north = room(heat_loss_w_per_k=100.0, thermometer=Thermometer(21.0))
    house = scene(rooms=(replace(north, outdoor=Thermometer(-6.0)),))
    assert house.decide().rooms["living"].demand_w == pytest.approx(2700.0)
    for silent in (Thermometer(None), Thermometer(-6.0, age_s=4 * 3600.0)):
        house = scene(rooms=(replace(north, outdoor=silent),))
        assert house.decide().rooms["living"].demand_w == pytest.approx(2300.0)


def test_an_open_window_takes_the_heat_away_but_spares_the_miner_a_start() -> None:
    house = scene()
    house.pass_minutes(60)
    assert house.heater("s19").power_w > 0
    house.change_room(windows_open=True)
    house.pass_minutes()
    assert house.room.limit.code is LimitCode.WINDOW
    assert house.heater("rig").power_w == 0
    assert house.heater("s19").power_w == 1200.0


def test_a_window_that_stays_open_stops_the_miner_too() -> None:
    house = scene()
    house.pass_minutes(60)
    house.change_room(windows_open=True)
    house.pass_minutes(120)
    assert _asked_w(house) == 0


def test_frost_is_kept_off_in_a_room_that_is_off() -> None:
    house = scene(rooms=(room(mode=HvacMode.OFF, thermometer=Thermometer(6.0)),))
    house.pass_minutes(3)
    assert house.room.limit.code is LimitCode.FROST
    assert _asked_w(house) > 1000.0


def test_only_against_frost_may_a_rig_spend_its_reserve_of_starts() -> None:
    house = scene(asic(), rooms=(room(thermometer=Thermometer(5.0)),))
    house.pass_minutes(3)
    assert house.heater("s19").urgent
    house.change_room(thermometer=Thermometer(19.0))
    house.pass_minutes(3)
    assert house.heater("s19").power_w > 0
    assert not house.heater("s19").urgent


@pytest.mark.parametrize("against", ["window", "generator"])
def test_frost_goes_before(against: str) -> None:
    house = scene(rooms=(room(thermometer=Thermometer(5.0), windows_open=against == "window"),))
    if against == "generator":
        house.change_money(on_generator=True)
    house.pass_minutes(3)
    assert house.room.limit.code is LimitCode.FROST
    assert _asked_w(house) > 1000.0


def test_over_the_target_everything_stops_at_once() -> None:
    house = scene()
    house.pass_minutes(60)
    house.change_room(thermometer=Thermometer(23.2))
    house.pass_minutes()
    assert house.room.limit.code is LimitCode.OVER_TARGET
    assert _asked_w(house) == 0


def test_a_room_over_its_target_stays_off_until_it_is_clearly_cooler() -> None:
    house = scene()
    house.change_room(thermometer=Thermometer(23.2))
    house.pass_minutes()
    house.change_room(thermometer=Thermometer(22.8))
    assert house.pass_minutes().rooms["living"].limit.code is LimitCode.OVER_TARGET
    house.change_room(thermometer=Thermometer(22.4))
    assert house.pass_minutes().rooms["living"].limit.code is not LimitCode.OVER_TARGET


def test_the_high_limit_holds_whatever_the_target_says() -> None:
    house = scene(rooms=(room(target_c=30.0, high_c=26.0, thermometer=Thermometer(26.1)),))
    house.pass_minutes()
    assert house.room.limit.code is LimitCode.HIGH_LIMIT
    assert _asked_w(house) == 0
    assert house.heater("rig").cap_w == 200.0


def test_a_room_that_is_off_gives_its_heaters_back_to_their_owner() -> None:
    house = scene(rooms=(room(mode=HvacMode.OFF),))
    house.pass_minutes()
    assert house.heater("s19").do is Do.RELEASE
    assert house.room.action is HvacAction.OFF


def test_hands_off_and_uncontrollable_heaters_are_left_alone() -> None:
    house = scene(gpu(hands_off=True), asic(controllable=False))
    house.pass_minutes()
    assert house.heater("rig").do is Do.NOTHING
    assert house.heater("rig").limit.code is LimitCode.HANDS_OFF
    assert house.heater("s19").limit.code is LimitCode.NOT_CONTROLLABLE


def test_on_a_generator_nothing_hashes() -> None:
    house = scene()
    house.pass_minutes(60)
    house.change_money(on_generator=True)
    house.pass_minutes()
    assert house.room.limit.code is LimitCode.GENERATOR
    assert _asked_w(house) == 0


def test_quiet_hours_hold_every_heater_of_the_room_down() -> None:
    house = scene(gpu(), asic(), rooms=(room(thermometer=Thermometer(15.0), quiet=Quiet(1500.0)),))
    house.pass_minutes(60)
    assert house.heater("s19").power_w == 1500.0
    assert house.heater("s19").limit.code is LimitCode.QUIET
    assert (house.heater("rig").cap_w or 0.0) <= 1500.0


def test_the_action_says_what_really_happens() -> None:
    house = scene()
    house.obeys = False
    house.pass_minutes(10)
    assert house.room.action is HvacAction.PREHEATING
    house.change_heater("s19", hashing=True, power_w=2500.0)
    assert house.pass_minutes().rooms["living"].action is HvacAction.HEATING
    house.change_heater("s19", hashing=False, power_w=20.0)
    house.change_room(thermometer=Thermometer(25.0))
    assert house.pass_minutes().rooms["living"].action is HvacAction.IDLE
