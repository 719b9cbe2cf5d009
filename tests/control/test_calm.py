"""What passes at once, what waits, and how few rows a restless value becomes."""

import random

from custom_components.hashcenter.entities.calm import Calm, Damper

POWER = Calm(deadband=8.0, share=0.05, drift_s=180.0)


def test_the_first_value_passes_and_the_same_value_does_not_again() -> None:
    damper = Damper(POWER)
    assert damper.passes(250.0, 0)
    assert not damper.passes(250.0, 1000)


def test_a_change_beyond_the_deadband_passes_at_once() -> None:
    damper = Damper(POWER)
    damper.passes(250.0, 0)
    assert damper.passes(270.0, 1)


def test_a_change_within_the_deadband_waits_until_the_written_value_is_old() -> None:
    damper = Damper(POWER)
    damper.passes(250.0, 0)
    assert not damper.passes(255.0, 179)
    assert damper.passes(255.0, 180)


def test_the_deadband_grows_with_the_value() -> None:
    damper = Damper(POWER)
    damper.passes(1000.0, 0)
    assert not damper.passes(1040.0, 1)
    assert damper.passes(1060.0, 2)


def test_losing_and_regaining_a_value_pass_at_once() -> None:
    damper = Damper(POWER)
    assert not damper.passes(None, 0)
    assert damper.passes(250.0, 1)
    assert damper.passes(None, 2)
    assert damper.passes(251.0, 3)


def test_texts_pass_when_they_change() -> None:
    damper = Damper(Calm())
    assert damper.passes("hashing", 0)
    assert damper.passes("answering", 1)
    assert not damper.passes("answering", 2)


def test_a_restless_value_is_written_once_in_40_seconds_after_a_burst() -> None:
    damper = Damper(POWER)
    chance = random.Random(1)
    rows = sum(damper.passes(chance.uniform(250, 300), second) for second in range(0, 3600, 5))
    assert rows <= 10 + 3600 / 40 + 1


def test_even_leaps_are_written_once_in_10_seconds_after_a_burst() -> None:
    damper = Damper(POWER)
    chance = random.Random(1)
    rows = sum(damper.passes(chance.uniform(50, 350), second) for second in range(3600))
    assert rows <= 10 + 3600 / 10 + 1


def test_a_leap_is_seen_within_10_seconds_however_restless_it_was_before() -> None:
    damper = Damper(POWER)
    for second in range(0, 60, 2):
        damper.passes(600.0 + second % 4 * 100, second)
    assert any(damper.passes(93.0, second) for second in range(60, 71))


def test_a_quiet_hour_lets_the_next_burst_through() -> None:
    damper = Damper(POWER)
    for second in range(100):
        damper.passes(float(second % 2 * 300), second)
    assert damper.passes(150.0, 5000)
    assert damper.passes(300.0, 5001)


def test_measuring_noise_costs_twenty_rows_an_hour() -> None:
    damper = Damper(POWER)
    chance = random.Random(2)
    rows = sum(damper.passes(chance.gauss(250, 2), second) for second in range(0, 3600, 10))
    assert rows <= 21
