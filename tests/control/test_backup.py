"""When a room needs back-up heat, and when it does not any more."""

from custom_components.hashcenter.control.seen import HvacMode, Thermometer
from custom_components.hashcenter.control.wanted import LimitCode

from .scene import Scene, asic, gpu, room, scene


def _short_house(temp_c: float = 20.0) -> Scene:
    """Return a house that loses 5 kW at its target and has 3.8 kW, none of which it can get."""
    house = scene(
        gpu(available_w=0.0, available_why="too hot"),
        asic(available_w=0.0, available_why="xmrig has lost its pool"),
        rooms=(room(heat_loss_w_per_k=80.0, thermometer=Thermometer(temp_c)),),
    )
    house.obeys = False
    return house


def test_a_lasting_shortfall_in_a_cold_room_needs_backup() -> None:
    house = _short_house()
    assert not house.pass_minutes(15).rooms["living"].needs_backup
    assert house.pass_minutes(10).rooms["living"].needs_backup


def test_backup_says_why_it_is_needed() -> None:
    house = _short_house()
    house.pass_minutes(30)
    assert house.room.backup_why is not None
    assert house.room.backup_why.code is LimitCode.AVAILABLE


def test_a_room_near_its_target_needs_no_backup() -> None:
    house = _short_house(temp_c=20.8)
    assert not house.pass_minutes(60).rooms["living"].needs_backup


def test_near_frost_backup_is_needed_at_once() -> None:
    house = _short_house(temp_c=7.5)
    assert house.pass_minutes().rooms["living"].needs_backup


def test_a_room_that_is_off_needs_no_backup_above_frost() -> None:
    house = _short_house()
    house.change_room(mode=HvacMode.OFF)
    assert not house.pass_minutes(60).rooms["living"].needs_backup


def test_backup_clears_calmly_once_the_heaters_could_carry_the_room() -> None:
    house = _short_house()
    house.pass_minutes(30)
    house.obeys = True
    house.change_heater("rig", available_w=800.0)
    house.change_heater("s19", available_w=3000.0)
    house.change_room(thermometer=Thermometer(20.6))
    assert house.pass_minutes(20).rooms["living"].needs_backup
    assert not house.pass_minutes(20).rooms["living"].needs_backup


def test_a_warm_room_alone_does_not_end_backup() -> None:
    house = _short_house()
    house.pass_minutes(30)
    house.change_room(thermometer=Thermometer(21.2), backup_heats=True)
    assert house.pass_minutes(120).rooms["living"].needs_backup


def test_what_the_backup_does_to_the_room_is_not_learned() -> None:
    house = _short_house()
    house.pass_minutes(30)
    held = house.state.rooms["living"].integral_w
    house.change_room(thermometer=Thermometer(22.0), backup_heats=True)
    house.pass_minutes(120)
    assert house.state.rooms["living"].integral_w == held
