"""Whatever a house looks like: what is granted fits every circuit, and nothing is asked in vain."""

import random

from hypothesis import given, settings, strategies as st

from custom_components.hashcenter.control import circuits
from custom_components.hashcenter.control.bounds import ceilings, lease_bound_w
from custom_components.hashcenter.control.circuits import chains
from custom_components.hashcenter.control.decide import decide
from custom_components.hashcenter.control.seen import HouseSeen
from custom_components.hashcenter.control.state import State
from custom_components.hashcenter.control.wanted import Do, HouseWanted
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
