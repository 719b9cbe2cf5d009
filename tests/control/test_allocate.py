"""Which heater gets the watts: slow ones the base with few starts, fast ones the rest."""

from itertools import pairwise

import pytest

from custom_components.hashcenter.control.seen import Thermometer
from custom_components.hashcenter.control.wanted import LimitCode
from custom_components.hashcenter.wire.values import Effect, Favor

from .scene import Scene, asic, gpu, room, scene


def _house_wanting(power_w: float, *heaters: object, **changes: object) -> Scene:
    """Return a house that loses `power_w` at its target."""
    exact = room(heat_loss_w_per_k=power_w / 23.0, thermometer=Thermometer(21.0))
    return scene(*heaters, rooms=(exact,), **changes)  # type: ignore[arg-type]


def test_what_is_asked_adds_up_to_the_demand() -> None:
    house = _house_wanting(2500.0)
    house.pass_minutes(90)
    assert house.room.planned_w == pytest.approx(house.room.demand_w, rel=0.02)


def test_a_room_that_gets_all_there_is_says_what_all_its_heaters_give() -> None:
    house = _house_wanting(9000.0)
    house.pass_minutes(60)
    assert house.room.limit.code is LimitCode.CAPACITY
    assert house.room.limit.values["max_w"] == house.room.planned_w
    assert house.room.planned_w > house.heater("s19").power_w > 0


def test_a_slow_heater_carries_the_base_and_stays_while_a_fast_one_trims() -> None:
    house = _house_wanting(2500.0)
    house.pass_minutes(60)
    base_w = house.heater("s19").power_w
    for wobble in (21.03, 20.97, 21.02, 20.99) * 5:
        house.change_room(thermometer=Thermometer(wobble))
        house.pass_minutes()
        assert house.heater("s19").power_w == base_w
        assert house.heater("rig").power_w > 0


def test_a_demand_that_does_not_last_starts_no_miner() -> None:
    house = _house_wanting(790.0)
    house.pass_minutes(30)
    house.change_room(target_c=21.5)
    house.pass_minutes(3)
    assert house.heater("s19").power_w == 0
    assert house.heater("s19").limit.code is LimitCode.PATIENCE


def test_every_start_of_the_day_makes_the_next_one_wait_longer() -> None:
    waits = []
    house = _house_wanting(2000.0)
    for _ in range(3):
        house.change_room(thermometer=Thermometer(21.0))
        minutes = 0
        while minutes == 0 or house.heater("s19").power_w == 0:
            house.pass_minutes()
            minutes += 1
        waits.append(minutes)
        house.pass_minutes(30)
        house.change_room(thermometer=Thermometer(23.5))
        house.pass_minutes(2)
        assert house.heater("s19").power_w == 0
    assert waits[0] < waits[1] < waits[2]


def test_a_demand_between_the_steps_is_met_on_average_with_few_starts() -> None:
    house = _house_wanting(600.0, asic())
    house.pass_minutes(3 * 1440)
    starts = house.state.heaters[house.seen.heaters[0].key].started_at
    assert len(starts) <= 4


def test_the_fast_heaters_bridge_a_miners_boot() -> None:
    house = _house_wanting(2000.0)
    house.obeys = False
    house.pass_minutes(15)
    assert house.heater("s19").power_w > 0
    assert house.heater("rig").power_w == 800.0


def test_a_heater_that_answers_counts_with_what_it_draws() -> None:
    house = _house_wanting(2000.0)
    house.pass_minutes(60)
    house.obeys = False
    house.change_heater("rig", power_w=800.0, mean_w=800.0, questions=2)
    before = house.heater("rig").power_w
    house.pass_minutes()
    assert house.heater("rig").power_w == before
    assert house.heater("rig").cap_w is None


def test_equal_fast_heaters_are_ranked_by_what_a_kilowatt_hour_earns() -> None:
    poor, rich = gpu("poor", hash_value_per_kwh=0.02), gpu("rich", hash_value_per_kwh=0.09)
    house = _house_wanting(700.0, poor, rich)
    house.pass_minutes(10)
    assert house.heater("rich").power_w > 400.0
    assert house.heater("poor").power_w == 0


def test_favor_is_a_bias_between_answering_and_hashing_heaters() -> None:
    shares = {}
    for favor in (Favor.HASHING, Favor.INFERENCE):
        house = _house_wanting(2500.0, gpu(), asic(), favor=favor)
        house.pass_minutes(90)
        shares[favor] = house.heater("rig").power_w
    assert shares[Favor.INFERENCE] > shares[Favor.HASHING]


def test_a_lost_pool_is_planned_around() -> None:
    house = _house_wanting(1900.0, gpu(), asic("a"), asic("b"))
    house.pass_minutes(60)
    busy = next(name for name in ("a", "b") if house.heater(name).power_w > 0)
    other = "b" if busy == "a" else "a"
    house.change_heater(busy, available_w=0.0, available_why="xmrig has lost its pool")
    house.pass_minutes(60)
    assert house.heater(busy).power_w == 0
    assert house.heater(busy).limit.code is LimitCode.AVAILABLE
    assert house.heater(busy).limit.values["why"] == "xmrig has lost its pool"
    assert house.heater(other).power_w > 0


def test_a_rig_that_is_gone_is_planned_around() -> None:
    house = _house_wanting(1900.0, gpu(), asic("a"), asic("b"))
    house.pass_minutes(60)
    busy = next(name for name in ("a", "b") if house.heater(name).power_w > 0)
    other = "b" if busy == "a" else "a"
    house.change_heater(busy, online=False, power_w=None, mean_w=None)
    house.pass_minutes(60)
    assert house.heater(busy).limit.code is LimitCode.OFFLINE
    assert house.heater(other).power_w > 0


def test_a_heater_without_effect_is_not_asked_again_for_an_hour() -> None:
    house = _house_wanting(2500.0)
    house.pass_minutes(60)
    house.obeys = False
    house.change_heater("s19", power_w=20.0, mean_w=20.0, hashing=False, effect=Effect.NO_EFFECT)
    house.pass_minutes()
    assert house.heater("s19").limit.code is LimitCode.NO_EFFECT
    house.change_heater("s19", effect=Effect.REACHED)
    assert house.pass_minutes(30).heaters[house.seen.heaters[1].key].power_w == 0
    house.pass_minutes(60)
    assert house.heater("s19").power_w > 0


def test_a_slow_heater_moves_in_its_own_steps() -> None:
    house = _house_wanting(2500.0, asic())
    house.pass_minutes(60)
    assert (house.heater("s19").power_w - 1200.0) % 50.0 == 0


def test_no_heater_is_asked_below_its_lowest_or_above_its_highest() -> None:
    house = _house_wanting(3500.0)
    for reading in (21.0, 19.0, 20.5, 21.3, 20.9, 21.0):
        house.change_room(thermometer=Thermometer(reading))
        for _ in range(20):
            house.pass_minutes()
            for heater in house.seen.heaters:
                asked_w = house.heater(heater.key.heater).power_w
                assert asked_w == 0 or heater.min_w <= asked_w <= heater.max_w


def test_two_rooms_that_want_one_heater_the_coldest_gets_it() -> None:
    shared = gpu("shared", also_rooms=("bath",))
    bath = room(id="bath", name="Bath", thermometer=Thermometer(18.0))
    house = scene(shared, rooms=(room(thermometer=Thermometer(20.8)), bath))
    house.pass_minutes()
    assert house.wanted is not None
    assert house.wanted.rooms["bath"].planned_w > 0
    assert house.wanted.rooms["living"].planned_w == 0


def test_a_shared_heater_does_not_go_to_and_fro() -> None:
    shared = gpu("shared", also_rooms=("bath",))
    bath = room(id="bath", name="Bath", thermometer=Thermometer(20.4))
    house = scene(shared, rooms=(room(thermometer=Thermometer(20.6)), bath))
    house.pass_minutes()
    assert house.wanted is not None
    assert house.wanted.rooms["living"].planned_w > 0


def test_in_a_childs_room_fast_heaters_rise_gently() -> None:
    house = scene(gpu(), rooms=(room(child=True, thermometer=Thermometer(15.0)),))
    asked = [house.pass_minutes().heaters[house.seen.heaters[0].key].power_w for _ in range(8)]
    assert asked[0] == 200.0
    assert all(after - before <= 100.0 for before, after in pairwise(asked))
    assert asked[-1] == 800.0
    house.change_room(thermometer=Thermometer(24.0))
    assert house.pass_minutes().heaters[house.seen.heaters[0].key].power_w == 0


def test_screens_are_dark_in_a_childs_room_and_in_no_other() -> None:
    for child in (True, False):
        house = scene(asic(), rooms=(room(child=child, thermometer=Thermometer(15.0)),))
        house.pass_minutes()
        assert house.heater("s19").dark is child
