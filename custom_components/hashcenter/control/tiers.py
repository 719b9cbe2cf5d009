"""A tariff in daily steps: what the next kWh costs after what was used since local midnight.

The price that counts for heat is the marginal one: not the day's mean, but what one more kWh costs
now. Use is counted from any energy counter (kWh that only grow): a counter that starts anew, as
after a meter's change, adds nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TierPlan:
    """A step of a daily tariff: from so many kWh of a day on, a kWh costs this."""

    from_kwh: float
    price_per_kwh: float


@dataclass(frozen=True)
class Today:
    """What was used since `midnight` (the local one, in seconds since 1970).

    `counter_kwh` is the counter's last word, None before the first.
    """

    midnight: float = 0.0
    kwh: float = 0.0
    counter_kwh: float | None = None


def count(today: Today, counter_kwh: float | None, midnight: float) -> Today:
    """Return the day's use with the counter's present word; None is unknown and adds nothing.

    `midnight` is when the local day of now began. What was used over it counts for the new day.
    """
    used_kwh = today.kwh if midnight == today.midnight else 0.0
    if counter_kwh is None:
        return Today(midnight, used_kwh, today.counter_kwh)
    before_kwh = counter_kwh if today.counter_kwh is None else today.counter_kwh
    return Today(midnight, used_kwh + max(0.0, counter_kwh - before_kwh), counter_kwh)


def price_per_kwh(
    tiers: Iterable[TierPlan],
    used_kwh: float,
    *,
    entity: float | None = None,
    figure: float | None = None,
) -> float | None:
    """Return the marginal price: an entity's, else the step's that the day is in, else the figure.

    Below the first step (if that does not begin at 0) the figure holds. None is unknown.
    """
    if entity is not None:
        return entity
    reached = [tier for tier in tiers if tier.from_kwh <= used_kwh]
    if not reached:
        return figure
    return max(reached, key=lambda tier: tier.from_kwh).price_per_kwh
