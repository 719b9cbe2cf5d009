"""How many watts a room wants: what it loses, what its error says, what was really delivered."""

from dataclasses import replace

import pytest

from custom_components.hashcenter.control import heat_loss
from custom_components.hashcenter.control.seen import PeakEvent, Thermometer
from custom_components.hashcenter.control.state import Learned

from .scene import Scene, asic, gpu, room, scene


def test_a_room_wants_what_it_loses_plus_what_its_error_says() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=100.0, thermometer=Thermometer(21.0)),))
    house.decide()
    assert house.room.demand_w == pytest.approx(100.0 * 23.0)
    house.change_room(target_c=22.0)
    house.decide()
    assert house.room.demand_w == pytest.approx(100.0 * 24.0 + 800.0)


def test_a_colder_day_raises_the_demand_before_the_room_cools() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=100.0),))
    before = house.pass_minutes().rooms["living"].demand_w
    house.seen = replace(house.seen, outdoor=Thermometer(-7.0))
    after = house.pass_minutes().rooms["living"].demand_w
    assert after - before == pytest.approx(500.0, abs=30.0)


def test_what_nobody_controls_is_taken_off_the_demand() -> None:
    house = scene(gpu(), asic(), rooms=(room(heat_loss_w_per_k=100.0),))
    alone = house.decide().rooms["living"].demand_w
    house = scene(
        gpu(),
        asic(hands_off=True, power_w=1500.0, mean_w=1500.0),
        rooms=(room(heat_loss_w_per_k=100.0),),
    )
    assert alone - house.decide().rooms["living"].demand_w == pytest.approx(1500.0)


def test_a_lasting_error_is_worked_off() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=50.0, thermometer=Thermometer(20.8)),))
    first = house.pass_minutes(5).rooms["living"].demand_w
    later = house.pass_minutes(120).rooms["living"].demand_w
    assert later > first + 50.0


def test_the_integral_does_not_wind_up_behind_heaters_that_do_not_deliver() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=100.0, thermometer=Thermometer(18.0)),))
    house.obeys = False
    first = house.pass_minutes(5).rooms["living"].demand_w
    house.pass_minutes(240)
    assert house.room.demand_w == pytest.approx(first, rel=0.02)


def test_the_integral_does_not_wind_down_while_nothing_can_be_delivered_less() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=100.0, thermometer=Thermometer(22.5)),))
    house.pass_minutes(240)
    held = house.state.rooms["living"].integral_w
    house.pass_minutes(240)
    assert house.state.rooms["living"].integral_w == pytest.approx(held, abs=1.0)


def test_a_house_that_already_heats_is_taken_over_without_a_bump() -> None:
    running = asic(power_w=2000.0, mean_w=2000.0, hashing=True)
    house = scene(gpu(), running)
    assert house.decide().rooms["living"].demand_w == pytest.approx(2100.0, rel=0.02)


def test_a_restart_goes_on_where_it_was() -> None:
    house = scene(rooms=(room(thermometer=Thermometer(20.9)),))
    before = house.pass_minutes(120).rooms["living"].demand_w
    house.now += 180.0
    after = house.decide().rooms["living"].demand_w
    assert after == pytest.approx(before, rel=0.02)
    assert house.is_stable_for(3)


def test_after_a_clock_that_jumped_nothing_is_integrated_over_the_gap() -> None:
    for jump_s in (-86_400.0, 7 * 86_400.0):
        house = scene(rooms=(room(thermometer=Thermometer(20.6)),))
        house.pass_minutes(30)
        held = house.state.rooms["living"].integral_w
        house.now += jump_s
        house.decide()
        assert house.state.rooms["living"].integral_w == pytest.approx(held)


def test_the_heat_loss_is_learned_from_a_whole_steady_day() -> None:
    learned = Learned()
    for _ in range(1441):
        learned = heat_loss.learn(
            learned, heat_w=2000.0, room_c=21.0, outdoor_c=1.0, counts=True, dt_s=60.0
        )
    assert heat_loss.coefficient_w_per_k(learned, 3000.0, None) == pytest.approx(100.0)


@pytest.mark.parametrize("spoiled", ["a window", "no outdoor temperature", "a warmer end"])
def test_a_day_that_says_nothing_is_not_learned(spoiled: str) -> None:
    learned = Learned()
    for minute in range(1441):
        learned = heat_loss.learn(
            learned,
            heat_w=2000.0,
            room_c=21.0 + (minute / 1440 if spoiled == "a warmer end" else 0.0),
            outdoor_c=None if spoiled == "no outdoor temperature" and minute == 700 else 1.0,
            counts=not (spoiled == "a window" and minute == 700),
            dt_s=60.0,
        )
    assert heat_loss.coefficient_w_per_k(learned, 3000.0, None) == pytest.approx(3000.0 / 30.0)
    assert learned.weight == 0


def test_what_the_owner_wrote_down_is_not_learned_over() -> None:
    learned = Learned(coefficient_w_per_k=300.0, weight=5.0)
    assert heat_loss.coefficient_w_per_k(learned, 3000.0, 80.0) == 80.0


def test_a_newly_learned_heat_loss_changes_no_watts_at_once() -> None:
    house = scene(rooms=(room(thermometer=Thermometer(20.9)),))
    house.pass_minutes(10)
    before = house.room.demand_w
    memory = house.state.rooms["living"]
    nearly = replace(
        memory.learned,
        seconds=86_399.0,
        heat_j=86_399.0 * 900.0,
        difference_ks=86_399.0 * 22.9,
        first_c=20.9,
    )
    house.state = replace(house.state, rooms={"living": replace(memory, learned=nearly)})
    house.pass_minutes()
    assert house.state.rooms["living"].learned.weight == 1
    assert house.room.demand_w == pytest.approx(before, rel=0.02)


def test_before_a_peak_event_the_room_is_heated_ahead_and_in_it_less() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=60.0, thermometer=Thermometer(21.0)),))
    usual = house.pass_minutes(2).rooms["living"].demand_w
    house.change_money(peak=PeakEvent(active=False, starts_in_s=1800.0))
    assert house.pass_minutes().rooms["living"].demand_w > usual + 200.0
    house.change_money(peak=PeakEvent(active=True))
    assert house.pass_minutes().rooms["living"].demand_w < usual - 600.0


def test_after_a_peak_event_the_watts_come_back_slowly() -> None:
    house = scene(rooms=(room(heat_loss_w_per_k=60.0, thermometer=Thermometer(21.0)),))
    usual = house.pass_minutes(2).rooms["living"].demand_w
    house.change_money(peak=PeakEvent(active=True))
    house.pass_minutes(30)
    house.change_money(peak=None)
    first = house.pass_minutes().rooms["living"].demand_w
    assert first < usual - 400.0
    assert house.pass_minutes(120).rooms["living"].demand_w > first + 400.0


def test_one_bad_reading_hardly_moves_the_watts() -> None:
    house: Scene = scene(rooms=(room(heat_loss_w_per_k=60.0, thermometer=Thermometer(21.0)),))
    before = house.pass_minutes(30).rooms["living"].demand_w
    house.change_room(thermometer=Thermometer(21.5))
    assert abs(house.pass_minutes().rooms["living"].demand_w - before) < 0.3 * 8 * 60.0
