"""What a kWh of heat costs: the electricity, less what the work done with it earns.

Hashing earns `value per TH/s and day * 1000 / 24 / (J/TH)` per kWh, answering `tokens per joule *
3.6` million tokens per kWh at what those are worth, and only while somebody asks. Solo mining is
credited 0. Every joule counts once: prices are weighted by measured watts of whole machines.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .requests import HeaterKey
from .seen import HeaterSeen, MoneySeen
from .wanted import MoneyWanted, Price

_KWH_J: Final = 3.6e6
_HOURS: Final = 24.0
_EVEN_SHARE: Final = 0.05


def known(money: MoneySeen, *, on_generator: bool | None) -> MoneySeen:
    """Return it with the supply as it was while nobody can say; one nobody ever heard of runs.

    `on_generator` is the last word.
    """
    if money.on_generator is not None:
        return money
    return replace(money, on_generator=on_generator is not False)


def hash_value_per_kwh(per_th_day: float, j_per_th: float) -> float:
    """Return what a kWh of hashing earns; a TH/s for a day takes `j_per_th` W for 24 h."""
    return per_th_day * 1_000.0 / (_HOURS * j_per_th)


def hashing_value_per_kwh(heater: HeaterSeen, money: MoneySeen) -> float | None:
    """Return what a kWh of hashing in this heater earns, None if unknown."""
    if not heater.can_hash:
        return 0.0
    if heater.hash_value_per_kwh is not None:
        return heater.hash_value_per_kwh
    if money.solo:
        return 0.0
    if money.hash_value_per_th_day is None or not heater.j_per_th:
        return None
    return hash_value_per_kwh(money.hash_value_per_th_day, heater.j_per_th)


def answering_value_per_kwh(heater: HeaterSeen, money: MoneySeen) -> float:
    """Return what a kWh of answering is worth now: nothing while nobody asks."""
    if not heater.questions or money.inference_value_per_mtoken is None:
        return 0.0
    return (heater.tokens_per_joule or 0.0) * _KWH_J / 1e6 * money.inference_value_per_mtoken


def work_value_per_kwh(heater: HeaterSeen, money: MoneySeen) -> float | None:
    """Return what a kWh in this heater earns now, None if unknown."""
    hashing = hashing_value_per_kwh(heater, money)
    answering = answering_value_per_kwh(heater, money)
    return answering if answering > (hashing or 0.0) else hashing


def alternative_per_kwh(money: MoneySeen) -> float | None:
    """Return what a kWh of heat of the alternative (furnace, heat pump) costs."""
    fuel = money.alternative_price_per_kwh
    if fuel is None:
        fuel = money.price_per_kwh if money.alternative_cop is not None else None
    return None if fuel is None else fuel / (money.alternative_cop or 1.0)


def net_per_kwh(heater: HeaterSeen, money: MoneySeen) -> float | None:
    """Return what a kWh of heat from this heater costs, None without a price or a value."""
    value = work_value_per_kwh(heater, money)
    if money.price_per_kwh is None or value is None:
        return None
    return money.price_per_kwh - value


def pays(heater: HeaterSeen, money: MoneySeen, *, runs: bool = False) -> bool:
    """Return whether hashing earns more than its electricity costs; what runs, runs on for even."""
    value, price = hashing_value_per_kwh(heater, money), money.price_per_kwh
    if value is None or price is None:
        return False
    return value > price - (_EVEN_SHARE * abs(price) if runs else 0.0)


def prices(heaters: Iterable[HeaterSeen], money: MoneySeen) -> MoneyWanted:
    """Return the price of heat by heater and of the house's present mix."""
    alternative = alternative_per_kwh(money)
    found: dict[HeaterKey, Price] = {}
    known_w = earned = total_w = 0.0
    for heater in heaters:
        value, net = work_value_per_kwh(heater, money), net_per_kwh(heater, money)
        cheaper = None if net is None or alternative is None else net < alternative
        found[heater.key] = Price(value, net, cheaper)
        power_w = heater.power_w or 0.0
        total_w += power_w
        # Idle watts earn nothing; of a heater that works all of them count as work.
        works = heater.hashing or heater.questions > 0
        if value is not None:
            known_w += power_w
            earned += power_w * value if works else 0.0
    mix = earned / known_w if known_w > 0 else None
    price = money.price_per_kwh
    net = None if mix is None or price is None else price - mix
    cheaper = None if net is None or alternative is None else net < alternative
    cost = None if price is None else total_w / 1_000.0 * price - earned / 1_000.0
    return MoneyWanted(found, Price(mix, net, cheaper), alternative, cost)
