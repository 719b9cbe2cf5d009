"""The demo's building: physics that a person can check by hand."""

import pytest

from tests.simulators.house import Building, Room, settled, step

BUILDING = Building()


def test_a_settled_room_stays_as_it_is_with_the_watts_that_hold_it() -> None:
    air_c = BUILDING.steady_air_c(outdoor_c=2.0, heating_w=500.0)
    room = settled(BUILDING, air_c, outdoor_c=2.0)

    later = step(BUILDING, room, heating_w=500.0, dt_s=24 * 3600)

    assert later.air_c == pytest.approx(air_c, abs=0.01)
    assert later.mass_c == pytest.approx(room.mass_c, abs=0.01)


def test_more_watts_warm_the_room_and_fewer_cool_it() -> None:
    room = settled(BUILDING, BUILDING.steady_air_c(2.0, 1_500.0), outdoor_c=2.0)

    assert step(BUILDING, room, 2_100.0, 3600).air_c > room.air_c + 0.5
    assert step(BUILDING, room, 900.0, 3600).air_c < room.air_c - 0.5


def test_two_gpus_and_an_asic_carry_the_house_through_a_cold_day() -> None:
    room = Room(air_c=10.0, mass_c=8.0, outdoor_c=2.0)

    later = step(BUILDING, room, 1_900.0, 14 * 24 * 3600)

    assert later.air_c == pytest.approx(BUILDING.steady_air_c(2.0, 1_900.0), abs=0.05)
    assert 20.0 < later.air_c < 26.0


def test_energy_is_neither_made_nor_lost() -> None:
    closed = Building(mass_to_outdoor_k_per_w=1e12, gains_w=0.0)
    room = Room(air_c=20.0, mass_c=10.0, outdoor_c=0.0)

    later = step(closed, room, heating_w=0.0, dt_s=7 * 24 * 3600)

    def stored_j(at: Room) -> float:
        return at.air_c * closed.air_j_per_k + at.mass_c * closed.mass_j_per_k

    assert stored_j(later) == pytest.approx(stored_j(room), rel=1e-6)
    assert later.air_c == pytest.approx(later.mass_c, abs=0.01)


def test_one_long_step_equals_many_short_ones() -> None:
    room = Room(air_c=18.0, mass_c=15.0, outdoor_c=0.0)
    many = room
    for _ in range(60):
        many = step(BUILDING, many, 600.0, 60.0)

    assert step(BUILDING, room, 600.0, 3600.0) == many
