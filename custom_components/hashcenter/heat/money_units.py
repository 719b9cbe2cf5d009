"""The units in which entities say money: prices of energy, what hashing earns. Pure.

What is not understood is None: a price that is a hundred times too high decides wrongly all night.
"""

from typing import Final, NamedTuple

_CENTS: Final = frozenset({"c", "ct", "cent", "cents", "¢", "p", "öre", "øre", "gr"})
_PER_KWH: Final = {"kwh": 1.0, "mwh": 1_000.0, "wh": 0.001}
_PER_TH: Final = {"th": 1.0, "ph": 1_000.0, "eh": 1_000_000.0}
_SATOSHIS: Final = {"sat": 1.0, "sats": 1.0, "btc": 1e8}


class HashUnit(NamedTuple):
    """What a figure is multiplied by to be per TH/s and day, in satoshis or in money."""

    factor: float
    satoshis: bool


def price_factor(unit: str) -> float | None:
    """Return what a price in e.g. `EUR/MWh`, `ct/kWh` is multiplied by to be per kWh."""
    money, _, per = _plain(unit).partition("/")
    if not money or per not in _PER_KWH or money in _SATOSHIS:
        return None
    return (0.01 if money in _CENTS else 1.0) / _PER_KWH[per]


def hash_unit(unit: str) -> HashUnit | None:
    """Return how e.g. `USD/TH/day`, `EUR/PH/s/d`, `sat/TH/s/day` becomes per TH/s and day."""
    money, *per = _plain(unit).split("/")
    rates = [_PER_TH[part.removesuffix("s")] for part in per if part.removesuffix("s") in _PER_TH]
    others = {part for part in per if part.removesuffix("s") not in _PER_TH}
    if not money or len(rates) != 1 or not others <= {"s", "d", "day"}:
        return None
    if money in _SATOSHIS:
        return HashUnit(_SATOSHIS[money] / rates[0], satoshis=True)
    return HashUnit((0.01 if money in _CENTS else 1.0) / rates[0], satoshis=False)


def _plain(unit: str) -> str:
    return unit.lower().replace(" ", "")
