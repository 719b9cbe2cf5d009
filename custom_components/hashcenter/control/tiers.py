"""A tariff in daily steps: what the next kWh costs after what was used since local midnight.

The price that counts for heat is the marginal one: not the day's mean, but what one more kWh costs
now. What a day used is counted by `energy.Daily`.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TierPlan:
    """A step of a daily tariff: from so many kWh of a day on, a kWh costs this."""

    from_kwh: float
    price_per_kwh: float


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
