"""Which workload is favored: by a person, or by cold, price, sun or the hour, without flapping."""

from dataclasses import dataclass, field, replace
from datetime import time
from typing import Any

import pytest

from custom_components.hashcenter.control.explain import tilt_sentence
from custom_components.hashcenter.control.tilt import (
    Tilt,
    TiltCode,
    TiltMemory,
    TiltPlan,
    TiltReason,
    TiltSeen,
    is_within,
    tilt,
)
from custom_components.hashcenter.wire.values import Favor

from .scene import START


@dataclass
class _House:
    """A house with one policy, looked at every minute."""

    policy: Tilt
    plan: TiltPlan = field(
        default_factory=lambda: TiltPlan(inference_above_price=0.30, hashing_below_price=0.10)
    )
    memory: TiltMemory = field(default_factory=TiltMemory)
    chosen: Favor = Favor.BALANCED
    now: float = START

    def look(self, minutes: int = 1, **seen: Any) -> Favor:
        shown = replace(TiltSeen(time(12)), **seen)
        for _ in range(minutes):
            self.now += 60.0
            args = (self.policy, self.chosen, self.plan, shown, self.now)
            self.memory = tilt(self.memory, *args)
        return self.memory.favor


def test_without_a_policy_a_persons_choice_holds_at_once() -> None:
    house = _House(Tilt.MANUAL)
    for favor in (Favor.HASHING, Favor.INFERENCE, Favor.BALANCED):
        house.chosen = favor
        assert house.look(outdoor_c=-20.0) is favor
        assert house.memory.reason.code is TiltCode.MANUAL


@pytest.mark.parametrize(
    ("outdoor_c", "favor", "code"),
    [
        (-5.0, Favor.INFERENCE, TiltCode.COLD),
        (5.0, Favor.BALANCED, TiltCode.MILD),
        (15.0, Favor.HASHING, TiltCode.WARM),
    ],
)
def test_cold_favors_inference_and_warmth_hashing(
    outdoor_c: float, favor: Favor, code: TiltCode
) -> None:
    house = _House(Tilt.OUTDOOR)
    assert house.look(outdoor_c=outdoor_c) is favor
    assert house.memory.reason.code is code


@pytest.mark.parametrize(
    ("price", "favor"),
    [(0.40, Favor.INFERENCE), (0.20, Favor.BALANCED), (0.05, Favor.HASHING)],
)
def test_dear_power_favors_inference_and_cheap_power_hashing(price: float, favor: Favor) -> None:
    assert _House(Tilt.PRICE).look(price_per_kwh=price) is favor


def test_a_price_without_thresholds_favors_nothing() -> None:
    house = _House(Tilt.PRICE, TiltPlan())
    assert house.look(price_per_kwh=9.0) is Favor.BALANCED


def test_a_negative_price_favors_hashing() -> None:
    house = _House(Tilt.PRICE, TiltPlan(hashing_below_price=0.0))
    assert house.look(price_per_kwh=-0.05) is Favor.HASHING


def test_solar_surplus_favors_hashing_until_none_is_left() -> None:
    house = _House(Tilt.SOLAR)
    assert house.look(surplus_w=400.0) is Favor.BALANCED
    assert house.look(minutes=11, surplus_w=600.0) is Favor.HASHING
    assert house.look(minutes=60, surplus_w=50.0) is Favor.HASHING
    assert house.look(surplus_w=-10.0) is Favor.BALANCED


@pytest.mark.parametrize(
    ("hour", "favor"),
    [
        (16, Favor.BALANCED),
        (17, Favor.INFERENCE),
        (22, Favor.INFERENCE),
        (23, Favor.BALANCED),
    ],
)
def test_in_its_hours_inference_is_favored(hour: int, favor: Favor) -> None:
    assert _House(Tilt.TIME).look(local_time=time(hour)) is favor


def test_hours_go_over_midnight() -> None:
    begins, ends = time(22), time(6)
    assert [is_within(time(hour), begins, ends) for hour in (21, 22, 2, 6)] == [
        False,
        True,
        True,
        False,
    ]
    assert is_within(time(3), time(0), time(0))


def test_a_temperature_at_the_threshold_does_not_flap() -> None:
    house = _House(Tilt.OUTDOOR)
    found = {house.look(minutes=15, outdoor_c=-0.1 if turn % 2 else 0.3) for turn in range(1, 30)}
    assert found == {Favor.INFERENCE}
    assert house.look(minutes=15, outdoor_c=1.2) is Favor.BALANCED


def test_a_cloudy_sky_changes_the_favor_at_most_every_ten_minutes() -> None:
    house = _House(Tilt.SOLAR)
    changes = 0
    before = house.look(surplus_w=2000.0)
    for minute in range(120):
        favor = house.look(surplus_w=2000.0 if minute % 2 else -500.0)
        changes += favor is not before
        before = favor
    assert 6 <= changes <= 12


def test_a_figure_that_is_not_known_changes_nothing_for_an_hour() -> None:
    house = _House(Tilt.OUTDOOR)
    house.look(outdoor_c=-5.0)
    assert house.look(minutes=59) is Favor.INFERENCE
    assert house.look(minutes=3) is Favor.BALANCED
    assert house.memory.reason.code is TiltCode.UNKNOWN


def test_another_policy_holds_at_once() -> None:
    house = _House(Tilt.OUTDOOR)
    assert house.look(outdoor_c=-5.0) is Favor.INFERENCE
    house.policy = Tilt.PRICE
    assert house.look(outdoor_c=-5.0, price_per_kwh=0.05) is Favor.HASHING
    house.policy = Tilt.SOLAR
    assert house.look() is Favor.BALANCED


def test_a_restart_flips_no_favor() -> None:
    house = _House(Tilt.OUTDOOR, memory=TiltMemory(Favor.INFERENCE))
    assert house.look(outdoor_c=0.5) is Favor.INFERENCE
    assert _House(Tilt.OUTDOOR).look(outdoor_c=0.5) is Favor.BALANCED


def test_a_clock_that_went_back_holds_nothing_up() -> None:
    house = _House(Tilt.OUTDOOR)
    house.look(outdoor_c=-5.0)
    house.now -= 86_400.0
    assert house.look(outdoor_c=15.0) is Favor.HASHING


@pytest.mark.parametrize("policy", [one for one in Tilt if one is not Tilt.MANUAL])
def test_every_reason_reads_as_a_sentence(policy: Tilt) -> None:
    house = _House(policy)
    for shown in ({}, {"outdoor_c": -9.0, "price_per_kwh": 0.5, "surplus_w": 900.0}):
        house.look(minutes=70, **shown)
        assert tilt_sentence(house.memory.reason).endswith(".")
    for code in TiltCode:
        assert "{" not in tilt_sentence(TiltReason(code))
