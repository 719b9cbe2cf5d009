"""Quiet hours by ear: watts come down until the fan is slow enough, and nobody hears them hunt."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from custom_components.hashcenter.control.explain import sentence
from custom_components.hashcenter.control.seen import HeaterSeen, Quiet, Thermometer
from custom_components.hashcenter.control.wanted import LimitCode
from tests.control.scene import Scene, asic, gpu, room, scene

LIMIT_PERCENT = 45.0
NIGHT = 8 * 60


def fan_of(heater: HeaterSeen) -> float:
    """A fan that follows the heat: 20 % at rest, 80 % at the most."""
    return 20.0 + 60.0 * (heater.power_w or 0.0) / heater.max_w


class Bedroom(Scene):
    """A cold room whose heaters can be heard."""

    fan: Callable[[HeaterSeen], float | None] = staticmethod(fan_of)

    def obey(self) -> None:
        super().obey()
        self.change_heaters(lambda one: replace(one, fan_percent=self.fan(one)))


def bedroom(*heaters: HeaterSeen, **quiet: Any) -> Bedroom:
    wished = Quiet(**{"max_fan_percent": LIMIT_PERCENT, **quiet})
    made = scene(*heaters, rooms=(room(thermometer=Thermometer(12.0), quiet=wished),))
    return Bedroom(made.seen)


def heard(house: Bedroom, minutes: int) -> list[float]:
    """Return the fan of the first heater in each minute."""
    found = []
    for _ in range(minutes):
        house.pass_minutes()
        found.append(house.seen.heaters[0].fan_percent or 0.0)
    return found


@pytest.mark.parametrize("heater", [gpu(), asic()])
def test_watts_come_down_until_the_fan_is_slow_enough_and_stay(heater: HeaterSeen) -> None:
    house = bedroom(heater)
    settling = heard(house, 60)
    assert max(settling) > LIMIT_PERCENT
    night = heard(house, NIGHT)
    # An ASIC is not stopped for it: at its lowest step it is as quiet as it gets.
    lowest = fan_of(replace(heater, power_w=heater.min_w))
    assert max(night) <= max(LIMIT_PERCENT + 2.0, lowest)
    assert min(night) >= min(LIMIT_PERCENT - 8.0, lowest), "no quieter than wished"
    changes = sum(abs(b - a) > 0.5 for a, b in pairwise(night))
    assert changes <= 12, "nobody hears it hunt"


def test_it_is_said_why() -> None:
    house = bedroom(gpu())
    house.pass_minutes(30)
    limit = house.heater("rig").limit
    assert limit.code is LimitCode.QUIET
    assert "so that its fan stays below 45 %" in sentence(limit)


def test_what_is_too_loud_at_its_lowest_rests_for_the_night_unless_a_start_wears_it() -> None:
    for heater, lowest_w in ((gpu(), 0.0), (asic(), 1200.0)):
        house = bedroom(heater, max_fan_percent=21.0)
        heard(house, 90)
        asked = house.is_stable_for(NIGHT)
        assert asked == {(lowest_w,)}


def test_after_the_quiet_hours_it_heats_as_before_and_the_next_night_begins_quietly() -> None:
    house = bedroom(gpu())
    heard(house, 120)
    house.change_room(quiet=None)
    house.pass_minutes(30)
    assert house.heater("rig").power_w == 800.0
    house.change_room(quiet=Quiet(max_fan_percent=LIMIT_PERCENT))
    house.pass_minutes(3)
    assert max(heard(house, 60)) <= LIMIT_PERCENT + 2.0


def test_what_rested_is_heard_again_the_next_night() -> None:
    house = bedroom(gpu(), max_fan_percent=21.0)
    heard(house, 90)
    house.change_room(quiet=None)
    house.pass_minutes(5)
    house.change_room(quiet=Quiet(max_fan_percent=60.0))
    house.pass_minutes(90)
    assert house.heater("rig").power_w >= 200.0


def test_a_heater_that_does_not_tell_its_fan_is_held_by_watts_only() -> None:
    house = bedroom(gpu(), max_w=500.0)
    house.fan = lambda _: None
    house.pass_minutes(60)
    assert house.heater("rig").power_w == 500.0
    free = bedroom(gpu())
    free.fan = lambda _: None
    free.pass_minutes(60)
    assert free.heater("rig").power_w == 800.0


def test_both_limits_hold_and_the_lower_one_binds() -> None:
    house = bedroom(gpu(), max_w=250.0)
    house.pass_minutes(60)
    assert house.heater("rig").power_w == 250.0
    assert "Quiet hours allow 250 W." in sentence(house.heater("rig").limit)


def test_in_a_warm_night_it_goes_up_again_only_a_little_at_a_time() -> None:
    house = bedroom(gpu())
    heard(house, 120)
    house.fan = lambda one: 20.0 + 30.0 * (one.power_w or 0.0) / one.max_w  # colder air
    watts = [house.pass_minutes().heaters[house.seen.heaters[0].key].power_w for _ in range(240)]
    assert watts[-1] > watts[0]
    assert all(b - a <= 0.06 * a + 1.0 for a, b in pairwise(watts))
