"""Whatever a house looks like: what is granted fits every circuit, and nothing is asked in vain."""

import random
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from custom_components.hashcenter.control import circuits
from custom_components.hashcenter.control.bounds import ceilings, lease_bound_w
from custom_components.hashcenter.control.circuits import chains
from custom_components.hashcenter.control.decide import decide
from custom_components.hashcenter.control.seen import HouseSeen
from custom_components.hashcenter.control.state import State
from custom_components.hashcenter.control.wanted import Do, HouseWanted, LimitCode
from tools.bench.heating.timing import random_house

_NOW = 1_700_000_000.0


def _raised_beyond_the_limit(
    state: State, seen: HouseSeen, wanted: HouseWanted, now: float
) -> list[str]:
    """Return the circuits on which something was raised although it does not fit."""
    heaters = {one.key: one for one in seen.heaters}
    breakers = {one.id: one for one in seen.circuits}
    before = ceilings(heaters, state.heaters, now)
    found = []
    for name, breaker in breakers.items():
        behind = [key for key, chain in chains(seen.heaters, breakers).items() if name in chain]
        new = {}
        for key in behind:
            want = wanted.heaters[key]
            new[key] = before[key]
            if want.do is Do.LEASE:
                bound_w = lease_bound_w(heaters[key], want.power_w, want.cap_w)
                new[key] = max(before[key], bound_w)
        raised = sum(new.values()) > sum(before.values()) + 1.0
        others_w = max(breaker.others_w, wanted.circuits[name].others_w)
        if raised and sum(new.values()) + others_w > circuits.limit_w(breaker) + 1.0:
            found.append(name)
    return found


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_nothing_is_raised_on_a_circuit_that_has_no_room_for_it(seed: int) -> None:
    rng = random.Random(seed)
    state = State()
    for minute in range(4):
        seen = random_house(rng)
        now = _NOW + 60.0 * minute
        before = state
        state, wanted = decide(state, seen, now)
        assert _raised_beyond_the_limit(before, seen, wanted, now) == []


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_every_heater_gets_one_word_and_watts_it_can_draw(seed: int) -> None:
    rng = random.Random(seed)
    state = State()
    for minute in range(3):
        seen = random_house(rng)
        state, wanted = decide(state, seen, _NOW + 60.0 * minute)
        assert set(wanted.heaters) == {one.key for one in seen.heaters}
        for heater in seen.heaters:
            want = wanted.heaters[heater.key]
            assert 0 <= want.power_w <= heater.max_w
            if want.do is Do.LEASE and want.cap_w is not None:
                assert want.power_w <= want.cap_w <= heater.max_w
            if not heater.online:
                assert want.do is Do.NOTHING


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_on_a_generator_only_frost_is_heated_against(seed: int) -> None:
    rng = random.Random(seed)
    state = State()
    for minute in range(3):
        seen = random_house(rng)
        seen = replace(seen, money=replace(seen.money, on_generator=True))
        state, wanted = decide(state, seen, _NOW + 60.0 * minute)
        freezing = {name for name, one in wanted.rooms.items() if one.limit.code is LimitCode.FROST}
        for heater in seen.heaters:
            if wanted.heaters[heater.key].power_w > 0:
                assert state.heaters[heater.key].room in freezing


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_behind_a_tripped_breaker_nothing_is_asked_for(seed: int) -> None:
    rng = random.Random(seed)
    state = State()
    for minute in range(3):
        seen = random_house(rng)
        state, wanted = decide(state, seen, _NOW + 60.0 * minute)
        tripped = {one.id for one in seen.circuits if one.tripped}
        for heater in seen.heaters:
            if heater.circuit in tripped:
                assert wanted.heaters[heater.key].power_w == 0


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_a_room_above_its_high_limit_gets_no_heat(seed: int) -> None:
    rng = random.Random(seed)
    state = State()
    for minute in range(3):
        seen = random_house(rng)
        state, wanted = decide(state, seen, _NOW + 60.0 * minute)
        hot = {name for name, one in wanted.rooms.items() if one.limit.code is LimitCode.HIGH_LIMIT}
        for key, want in wanted.heaters.items():
            assert want.power_w == 0 or state.heaters[key].room not in hot
