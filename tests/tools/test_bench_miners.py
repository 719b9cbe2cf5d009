"""How the bench for miners counts: late looks, starts in a day, demands, dead addresses."""

import asyncio
import itertools
import random

import pytest

from tools.bench.miners import core, fleet
from tools.bench.miners.basement import Machine, dead_addresses


def machine(*requests: float) -> Machine:
    return Machine("127.0.0.9", "axeos", "02:00:00:00:00:01", 18.0, (), requests)


def test_a_look_is_late_by_what_it_comes_after_its_interval() -> None:
    looks = machine(0.0, 0.1, 0.2, 10.1, 10.2, 20.4, 20.5, 30.4)
    assert fleet.lateness_s([looks], 0.0, 100.0) == pytest.approx([0.1, 0.3, 0.0])


def test_looks_outside_the_measurement_do_not_count() -> None:
    assert fleet.lateness_s([machine(0.0, 10.0, 35.0)], 5.0, 30.0) == []


@pytest.mark.parametrize(
    ("hours", "most"), [([], 0), ([1.0], 1), ([0, 10, 20, 30], 3), ([0, 24, 48], 1)]
)
def test_the_most_starts_in_any_day(hours: list[float], most: int) -> None:
    assert core.most_in_a_day([3600 * hour for hour in hours]) == most


def test_demands_stay_within_what_there_is() -> None:
    found = list(itertools.islice(core.demands(random.Random(3), 10_000.0), 5000))
    assert min(found) >= 0
    assert max(found) <= 10_000
    assert max(found) - min(found) > 5000, "they really move"


async def test_a_silent_address_neither_accepts_nor_refuses() -> None:
    with dead_addresses(2) as (silent, refusing):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(refusing, 4028)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.open_connection(silent, 4028)


def test_two_virtual_days_exceed_no_budget() -> None:
    figures = core.measure(2, 1, lambda _: None)
    assert figures["restart_budget_exceeded"] == 0
    assert figures["tracking_error_percent"] < 20
