"""Which slow heaters run: enough of them, and hardly ever a start.

A miner boots for minutes and wears with every start, so a demand has to last. What the running set
leaves undone (or does too much) is summed up as heat; another set is due once that sum would warm
the room noticeably, three times as much for each start of the last day. A miner that the others can
do without goes after the first such sum. A room that is really off its target does not wait; a room
whose rules forbid heat stops at once.
"""

from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from .requests import HeaterKey
from .seen import HeaterSeen

_DAY_S: Final = 86_400.0
#: Heat in units of the heat-loss coefficient: what a kelvin's loss is in an hour.
_PATIENCE_S: Final = 3_600.0
_PER_START: Final = 3.0
_MOST_STARTS: Final = 4
#: Off target by more than this, patience ends.
_URGENT_K: Final = 0.6
_LEAST_RUN_S: Final = 900.0
_WORTH_STARTING_W: Final = 50.0
#: A set that can carry so much more than the demand does not need one more miner.
_CARRIES: Final = 1.1

Capacity = Callable[[frozenset[HeaterKey]], float]


@dataclass(frozen=True)
class Chosen:
    """The slow heaters to run, and the heat that waits for another choice.

    `waits_s` is how long the present demand has to last until then, None if nothing waits.
    """

    running: frozenset[HeaterKey]
    missing_j: float
    surplus_j: float
    waits_s: float | None = None


@dataclass(frozen=True)
class Need:
    """What a room needs now. `error_k` is positive in a cold room."""

    demand_w: float
    error_k: float
    heat_loss_w_per_k: float
    forbidden: bool
    dt_s: float


def choose(
    ranked: Sequence[HeaterSeen],
    running: AbstractSet[HeaterKey],
    most_w: Mapping[HeaterKey, float],
    started_at: Mapping[HeaterKey, tuple[float, ...]],
    capacity_w: Capacity,
    need: Need,
    missing_j: float,
    surplus_j: float,
    now: float,
) -> Chosen:
    """Return the set to run.

    `most_w` is what each could draw at most, 0 where it cannot; `capacity_w` what a set could with
    the fast heaters together.
    """
    able = [heater for heater in ranked if most_w[heater.key] >= heater.min_w > 0]
    kept = frozenset(heater.key for heater in able if heater.key in running)
    if need.forbidden:
        return Chosen(frozenset(), 0.0, 0.0)
    wanted_w = max(0.0, need.demand_w)
    lowest_w = sum(heater.min_w for heater in able if heater.key in kept)
    highest_w = capacity_w(kept)
    missing_j = max(0.0, missing_j + (wanted_w - highest_w) * need.dt_s)
    surplus_j = max(0.0, surplus_j + (lowest_w - wanted_w) * need.dt_s)
    if wanted_w > highest_w:
        idle = [
            heater
            for heater in able
            if heater.key not in kept
            and capacity_w(kept | {heater.key}) > highest_w + _WORTH_STARTING_W
        ]
        return _start(idle, kept, started_at, need, missing_j, surplus_j, lowest_w, highest_w, now)
    if wanted_w < lowest_w:
        on = [heater for heater in reversed(able) if heater.key in kept]
        spare = [
            heater
            for heater in on
            if capacity_w(kept - {heater.key}) >= _CARRIES * wanted_w + _WORTH_STARTING_W
        ]
        return _stop(on, spare, kept, started_at, need, missing_j, surplus_j, lowest_w, now)
    return Chosen(kept, missing_j, surplus_j)


def _start(
    idle: Sequence[HeaterSeen],
    kept: frozenset[HeaterKey],
    started_at: Mapping[HeaterKey, tuple[float, ...]],
    need: Need,
    missing_j: float,
    surplus_j: float,
    lowest_w: float,
    highest_w: float,
    now: float,
) -> Chosen:
    if not idle:
        return Chosen(kept, 0.0, surplus_j)
    fits = [heater for heater in idle if lowest_w + heater.min_w <= need.demand_w]
    next_one = fits[0] if fits else min(idle, key=lambda heater: heater.min_w)
    due_j = _patience_j(started_at.get(next_one.key, ()), need, now)
    if missing_j >= due_j or need.error_k > _URGENT_K:
        return Chosen(kept | {next_one.key}, 0.0, 0.0)
    waits_s = (due_j - missing_j) / max(1.0, need.demand_w - highest_w)
    return Chosen(kept, missing_j, surplus_j, waits_s)


def _stop(
    on: Sequence[HeaterSeen],
    spare: Sequence[HeaterSeen],
    kept: frozenset[HeaterKey],
    started_at: Mapping[HeaterKey, tuple[float, ...]],
    need: Need,
    missing_j: float,
    surplus_j: float,
    lowest_w: float,
    now: float,
) -> Chosen:
    excess_w = lowest_w - max(0.0, need.demand_w)
    # One that the others can do without; else the one whose end leaves the least undone.
    last = spare[0] if spare else min(on, key=lambda heater: abs(heater.min_w - excess_w))
    starts = started_at.get(last.key, ())
    if starts and now - starts[-1] < _LEAST_RUN_S:
        return Chosen(kept, missing_j, surplus_j, _LEAST_RUN_S - (now - starts[-1]))
    due_j = _patience_j(() if spare else starts, need, now)
    if surplus_j >= due_j or need.error_k < -_URGENT_K:
        return Chosen(kept - {last.key}, 0.0, 0.0)
    return Chosen(kept, missing_j, surplus_j, (due_j - surplus_j) / max(1.0, excess_w))


def _patience_j(starts: tuple[float, ...], need: Need, now: float) -> float:
    lately = sum(now - at < _DAY_S for at in starts)
    factor = _PER_START ** min(lately, _MOST_STARTS)
    return need.heat_loss_w_per_k * _PATIENCE_S * factor
