"""How figures of money are read from entities: prices in the house's currency per kWh.

A price of power comes in many units (EUR/kWh, EUR/MWh, ct/kWh). What is not understood is no price:
a price that is a hundred times too high would decide wrongly all night.
"""

from typing import Final

#: How many kWh are in the unit that a price is per.
_PER: Final = {"kwh": 1.0, "mwh": 1_000.0, "wh": 0.001}
#: Hundredths of the currencies, as integrations write them.
_HUNDREDTHS: Final = frozenset({"c", "¢", "ct", "cent", "cents", "p", "pence", "öre", "øre", "ore"})


def factor(unit: str | None) -> float | None:
    """Return what a price in `unit` is multiplied by for a price per kWh; None: not understood.

    An entity without a unit (a helper) is taken for a price per kWh.
    """
    if not unit:
        return 1.0
    money, _, per = unit.casefold().replace(" ", "").rpartition("/")
    if per not in _PER or not money:
        return None
    return (0.01 if money in _HUNDREDTHS else 1.0) / _PER[per]
