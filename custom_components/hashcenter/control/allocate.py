"""Spreads a room's demand over its heaters, inside what each and its circuits can do now.

Heaters are ranked by what a kWh in them earns, with the house's favor as bias. Slow heaters take
the base: the set of `slow.py`, re-set seldom and only when the fast ones leave the middle of their
range. Fast heaters trim the rest every time, also while a miner boots or a question is answered.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from ..wire.values import Favor
from .bounds import boot_w, lease_bound_w, within_tolerance_w
from .circuits import Books
from .requests import HeaterKey
from .seen import HeaterSeen, Pace
from .slow import Chosen, Need, choose
from .state import HeaterMemory, RoomState
from .wanted import Limit, LimitCode, Price

#: A slow heater is re-set at most this often, unless it has to come down.
_HOLD_S: Final = 600.0
_LEAST_CHANGE_W: Final = 60.0
_LEAST_CHANGE_SHARE: Final = 0.03
#: Fast heaters outside this part of their range let the slow ones move.
_TRIM_LOW: Final = 0.1
_TRIM_HIGH: Final = 0.9
_STAYS_ON: Final = 0.7
#: A heater that runs keeps its rank against one that is worth up to this much more.
_INCUMBENT: Final = 1.2
_TRIM_AT: Final[Mapping[Favor, float]] = {
    Favor.INFERENCE: 0.7,
    Favor.BALANCED: 0.5,
    Favor.HASHING: 0.3,
}


@dataclass(frozen=True)
class Bound:
    """The most a heater can be asked for, and what says so."""

    most_w: float
    limit: Limit


@dataclass
class Plan:
    """What is planned so far, over all rooms. A scratch value of one decision.

    `least` holds what each heater counts in the books with 0 W asked of it; those in `boots` count
    with their boot peak if they get any.
    """

    books: Books
    least: Mapping[HeaterKey, float]
    boots: frozenset[HeaterKey] = frozenset()
    power_w: dict[HeaterKey, float] = field(default_factory=dict)
    limits: dict[HeaterKey, Limit] = field(default_factory=dict)

    def most_w(self, heater: HeaterSeen, bound: Bound, books: Books) -> float:
        """Return what the heater's circuits leave of its bound; 0 if it could not even start."""
        room_w = self.least[heater.key] + books.room_w(heater.key)
        if heater.key in self.boots and boot_w(heater) > room_w + 0.5:
            return 0.0
        most_w = min(bound.most_w, within_tolerance_w(room_w))
        return most_w if most_w >= heater.min_w else 0.0

    def extra_w(self, heater: HeaterSeen, power_w: float) -> float:
        """Return what `power_w` counts in the books beyond what is counted anyhow."""
        bound_w = lease_bound_w(heater, power_w, power_w)
        if power_w > 0 and heater.key in self.boots:
            bound_w = max(bound_w, boot_w(heater))
        return max(0.0, bound_w - self.least[heater.key])

    def grant(self, heater: HeaterSeen, power_w: float, limit: Limit) -> None:
        """Write the heater's watts into the books."""
        self.books.take(heater.key, self.extra_w(heater, power_w))
        self.power_w[heater.key] = power_w
        self.limits[heater.key] = limit


def ranked(
    heaters: Sequence[HeaterSeen],
    memories: Mapping[HeaterKey, HeaterMemory],
    prices: Mapping[HeaterKey, Price],
    favor: Favor,
) -> list[HeaterSeen]:
    """Return the heaters, the one worth most per kWh first; equals stay in the house's order."""

    def worth(heater: HeaterSeen) -> tuple[int, float]:
        value = prices[heater.key].work_value_per_kwh or 0.0
        memory = memories.get(heater.key)
        if memory is not None and memory.said_w > 0:
            value *= _INCUMBENT
        liked = (favor is Favor.INFERENCE and heater.can_answer) or (
            favor is Favor.HASHING and not heater.can_answer
        )
        return (int(liked), value)

    return sorted(heaters, key=worth, reverse=True)


def allocate(
    plan: Plan,
    heaters: Sequence[HeaterSeen],
    bounds: Mapping[HeaterKey, Bound],
    memories: Mapping[HeaterKey, HeaterMemory],
    room: RoomState,
    need: Need,
    favor: Favor,
    now: float,
) -> Chosen:
    """Plan the room's heaters (ranked) and return the choice among the slow ones."""
    none = HeaterMemory()
    said = {heater.key: memories.get(heater.key, none).said_w for heater in heaters}
    slow = [heater for heater in heaters if heater.pace is Pace.SLOW]
    fast = [heater for heater in heaters if heater.pace is Pace.FAST]
    running = {heater.key for heater in slow if said[heater.key] > 0}
    reach = _Reach(plan, slow, fast, bounds)
    most = reach.each_w(running)
    idle_w = sum(heater.idle_w for heater in slow if heater.key not in running)
    chosen = choose(
        slow,
        running,
        most,
        {heater.key: memories.get(heater.key, none).started_at for heater in slow},
        reach.together_w,
        replace(need, demand_w=need.demand_w - idle_w),
        room.missing_j,
        room.surplus_j,
        now,
    )
    fast_w = reach.fast_w(chosen.running)
    on = [heater for heater in slow if heater.key in chosen.running]
    for heater, power_w in _slow_watts(plan, on, bounds, memories, said, need, fast_w, favor, now):
        plan.grant(heater, power_w, _why(heater, power_w, bounds, need, plan))
    off = [heater for heater in slow if heater.key not in chosen.running]
    _trim(plan, on, fast, bounds, said, need, chosen, off)
    left_w = need.demand_w - reach.together_w(chosen.running)
    for heater in off:
        plan.grant(heater, 0.0, _why_not(heater, bounds, left_w, chosen, plan))
    return chosen


@dataclass(frozen=True)
class _Reach:
    """What heaters could draw at most inside their bounds and circuits."""

    plan: Plan
    slow: Sequence[HeaterSeen]
    fast: Sequence[HeaterSeen]
    bounds: Mapping[HeaterKey, Bound]

    def each_w(self, running: AbstractSet[HeaterKey]) -> dict[HeaterKey, float]:
        """Return what each could draw if those that run were at their lowest step."""
        books = self.plan.books.copy()
        most: dict[HeaterKey, float] = {}
        for heater in sorted(self.slow, key=lambda one: one.key not in running):
            most_w = self.plan.most_w(heater, self.bounds[heater.key], books)
            most[heater.key] = most_w
            if heater.key in running and most_w > 0:
                books.take(heater.key, self.plan.extra_w(heater, heater.min_w))
        for heater in self.fast:
            most[heater.key] = self.plan.most_w(heater, self.bounds[heater.key], books)
        return most

    def together_w(self, running: AbstractSet[HeaterKey]) -> float:
        """Return what these slow heaters and all fast ones could draw together."""
        books = self.plan.books.copy()
        slow_w = self._slow_w(running, books)
        return slow_w + self._fast_w(books)

    def fast_w(self, running: AbstractSet[HeaterKey]) -> float:
        """Return what the fast heaters could draw beside these slow ones at their lowest step."""
        books = self.plan.books.copy()
        for heater in self.slow:
            if heater.key in running:
                books.take(heater.key, self.plan.extra_w(heater, heater.min_w))
        return self._fast_w(books)

    def _slow_w(self, running: AbstractSet[HeaterKey], books: Books) -> float:
        on = [heater for heater in self.slow if heater.key in running]
        for heater in on:
            books.take(heater.key, self._settled_w(heater, heater.min_w))
        total_w = 0.0
        for heater in on:
            least_w = self._settled_w(heater, heater.min_w)
            room_w = self.plan.least[heater.key] + least_w + max(0.0, books.room_w(heater.key))
            most_w = min(self.bounds[heater.key].most_w, within_tolerance_w(room_w))
            most_w = max(heater.min_w, most_w)
            books.take(heater.key, self._settled_w(heater, most_w) - least_w)
            total_w += most_w
        return total_w

    def _fast_w(self, books: Books) -> float:
        total_w = 0.0
        for heater in self.fast:
            most_w = self.plan.most_w(heater, self.bounds[heater.key], books)
            books.take(heater.key, self.plan.extra_w(heater, most_w))
            total_w += max(most_w, heater.idle_w)
        return total_w

    def _settled_w(self, heater: HeaterSeen, power_w: float) -> float:
        """Return what it counts once it has booted."""
        return max(0.0, lease_bound_w(heater, power_w, power_w) - self.plan.least[heater.key])


def _slow_watts(
    plan: Plan,
    on: Sequence[HeaterSeen],
    bounds: Mapping[HeaterKey, Bound],
    memories: Mapping[HeaterKey, HeaterMemory],
    said: Mapping[HeaterKey, float],
    need: Need,
    fast_w: float,
    favor: Favor,
    now: float,
) -> list[tuple[HeaterSeen, float]]:
    """Return the watts of the slow heaters that run: as before, unless they have to move."""
    before_w = sum(min(said[heater.key], bounds[heater.key].most_w) for heater in on)
    changed_at = max((memories[one.key].said_at for one in on if one.key in memories), default=0.0)
    new = any(said[heater.key] <= 0 for heater in on)
    rest_w = need.demand_w - before_w
    slack_w = max(_LEAST_CHANGE_W, _LEAST_CHANGE_SHARE * need.demand_w)
    in_reach = (
        _TRIM_LOW * fast_w <= rest_w <= _TRIM_HIGH * fast_w if fast_w else abs(rest_w) <= slack_w
    )
    if not new and (in_reach or now - changed_at < _HOLD_S):
        total_w = before_w
    else:
        total_w = need.demand_w - fast_w * _TRIM_AT[favor]
    watts: list[tuple[HeaterSeen, float]] = []
    books = plan.books.copy()
    for heater in on:
        books.take(heater.key, plan.extra_w(heater, heater.min_w))
    spare_w = total_w - sum(heater.min_w for heater in on)
    for heater in on:
        books.take(heater.key, -plan.extra_w(heater, heater.min_w))
        most_w = plan.most_w(heater, bounds[heater.key], books)
        power_w = min(heater.min_w + max(0.0, spare_w), most_w)
        if most_w > 0:
            power_w = max(power_w, heater.min_w)
            steps = int((power_w - heater.min_w) / heater.step_w + 1e-6)
            power_w = heater.min_w + steps * heater.step_w
            if total_w == before_w:
                power_w = min(said[heater.key], most_w)
        spare_w -= max(0.0, power_w - heater.min_w)
        books.take(heater.key, plan.extra_w(heater, power_w))
        watts.append((heater, power_w))
    return watts


def _trim(
    plan: Plan,
    on: Sequence[HeaterSeen],
    fast: Sequence[HeaterSeen],
    bounds: Mapping[HeaterKey, Bound],
    said: Mapping[HeaterKey, float],
    need: Need,
    chosen: Chosen,
    off: Sequence[HeaterSeen],
) -> None:
    """Give the fast heaters what the slow ones do not deliver now."""
    heavy_w = sum(_draws_w(heater, plan.power_w[heater.key]) for heater in on)
    heavy_w += sum(_draws_w(heater, 0.0) for heater in off)
    rest_w = need.demand_w - heavy_w - sum(heater.idle_w for heater in fast)
    for heater in fast:
        if heater.questions and heater.power_w is not None:
            rest_w -= max(0.0, max(heater.power_w, said[heater.key]) - heater.idle_w)
    for heater in fast:
        bound = bounds[heater.key]
        most_w = plan.most_w(heater, bound, plan.books)
        least_w = max(0.0, heater.min_w - heater.idle_w)
        was_on = said[heater.key] > 0
        if need.forbidden or most_w <= 0:
            power_w = 0.0
        elif heater.questions and heater.power_w is not None:
            # Its watts are people's now; afterwards it goes on as before.
            power_w = min(said[heater.key], most_w)
        elif rest_w >= least_w * (_STAYS_ON if was_on else 1.0) and rest_w > 0:
            power_w = min(max(heater.idle_w + rest_w, heater.min_w), most_w)
            rest_w -= power_w - heater.idle_w
        else:
            power_w = 0.0
        limit = (
            _why(heater, power_w, bounds, need, plan)
            if power_w > 0
            else _why_not(heater, bounds, rest_w, chosen, plan)
        )
        plan.grant(heater, power_w, limit)


def _draws_w(heater: HeaterSeen, asked_w: float) -> float:
    """Return what a slow heater delivers now, as far as it is measured."""
    if heater.power_w is not None:
        return heater.power_w
    return max(asked_w, heater.idle_w)


def _why(
    heater: HeaterSeen, power_w: float, bounds: Mapping[HeaterKey, Bound], need: Need, plan: Plan
) -> Limit:
    """Return the limit of a heater that gets watts."""
    bound = bounds[heater.key]
    if power_w < bound.most_w - heater.step_w - 0.5:
        room_w = plan.least[heater.key] + plan.books.room_w(heater.key)
        if within_tolerance_w(room_w) <= power_w + heater.step_w:
            return Limit(LimitCode.CIRCUIT, {"circuit": plan.books.tightest(heater.key) or ""})
        return Limit(LimitCode.DEMAND, {"power_w": need.demand_w})
    if bound.limit.code is LimitCode.DEMAND:
        return Limit(LimitCode.CAPACITY, {"max_w": heater.max_w})
    return bound.limit


def _why_not(
    heater: HeaterSeen,
    bounds: Mapping[HeaterKey, Bound],
    rest_w: float,
    chosen: Chosen,
    plan: Plan,
) -> Limit:
    """Return the limit of a heater that gets nothing; `rest_w` is what the others leave undone."""
    bound = bounds[heater.key]
    if bound.most_w < heater.min_w:
        return bound.limit
    if heater.pace is Pace.SLOW and chosen.waits_s is not None:
        return Limit(LimitCode.PATIENCE, {"remaining_s": chosen.waits_s})
    if rest_w <= _LEAST_CHANGE_W:
        return Limit(LimitCode.NO_DEMAND)
    if plan.most_w(heater, bound, plan.books) <= 0:
        return Limit(LimitCode.CIRCUIT, {"circuit": plan.books.tightest(heater.key) or ""})
    return Limit(LimitCode.BELOW_STEP, {"power_w": max(0.0, rest_w), "min_w": heater.min_w})
