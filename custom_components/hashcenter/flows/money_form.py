"""The form of what watts cost and what work earns: its fields, what is kept, what cannot be."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import probatio
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import BooleanSelector, ObjectSelector, ObjectSelectorConfig

from ..control.tiers import TierPlan
from ..heat.reading import Readings
from .forms import (
    Answers,
    Mistakes,
    entity,
    exists,
    folded,
    friendly,
    is_read,
    number,
    replaced,
)

_PRICE: Final = ("price_entity", "price_per_kwh")
_TARIFF: Final = ("tiers", "energy_entity", "peak_entity")
_SUPPLY: Final = ("surplus_entity", "generator_entity")
_WORK: Final = (
    "hash_value_entity",
    "bitcoin_price_entity",
    "hash_value_per_th_day",
    "solo",
    "gpu_hash_value_per_kwh",
    "inference_value_per_mtoken",
)
_ALTERNATIVE: Final = ("alternative_cop", "alternative_price_per_kwh")
_MONEY: Final = (*_PRICE, *_TARIFF, *_SUPPLY, *_WORK, *_ALTERNATIVE)
#: How the house reads entities that say a figure, and what is said of one that does not.
_READ: Final[Mapping[str, tuple[str, Callable[..., object]]]] = {
    "price_entity": ("no_price", Readings.price_per_kwh),
    "energy_entity": ("no_energy", Readings.kwh),
    "surplus_entity": ("no_power", Readings.watts),
    "hash_value_entity": ("no_hash_value", Readings.value_per_th_day),
    "bitcoin_price_entity": ("no_bitcoin_price", Readings.bitcoin_price),
}


def schema(currency: str) -> probatio.Schema:
    """Return the form's fields."""
    price = number(f"{currency}/kWh")
    figure = entity("sensor", "input_number", "number")
    is_on = ("binary_sensor", "input_boolean", "switch")
    return probatio.Schema(
        {
            probatio.Optional("price_entity"): figure,
            probatio.Optional("price_per_kwh"): price,
            probatio.Required("tariff"): folded(
                {
                    probatio.Optional("tiers"): _tiers_field(currency),
                    probatio.Optional("energy_entity"): entity("sensor", device_class=["energy"]),
                    probatio.Optional("peak_entity"): entity(
                        "binary_sensor", "calendar", "input_boolean", "schedule", "sensor"
                    ),
                }
            ),
            probatio.Required("supply"): folded(
                {
                    probatio.Optional("surplus_entity"): entity("sensor", device_class=["power"]),
                    probatio.Optional("generator_entity"): entity(*is_on),
                }
            ),
            probatio.Required("work"): folded(
                {
                    probatio.Optional("hash_value_entity"): figure,
                    probatio.Optional("bitcoin_price_entity"): figure,
                    probatio.Optional("hash_value_per_th_day"): number(f"{currency}/TH/d", least=0),
                    probatio.Optional("solo"): BooleanSelector(),
                    probatio.Optional("gpu_hash_value_per_kwh"): number(f"{currency}/kWh", least=0),
                    probatio.Optional("inference_value_per_mtoken"): number(currency, least=0),
                }
            ),
            probatio.Required("alternative"): folded(
                {
                    probatio.Optional("alternative_cop"): number(least=0.1, most=10),
                    probatio.Optional("alternative_price_per_kwh"): price,
                }
            ),
        }
    )


def _tiers_field(currency: str) -> ObjectSelector:
    return ObjectSelector(
        ObjectSelectorConfig(
            multiple=True,
            translation_key="tiers",
            label_field="from_kwh",
            description_field="price_per_kwh",
            fields={
                "from_kwh": {"required": True, "selector": number("kWh", least=0)},
                "price_per_kwh": {"required": True, "selector": number(f"{currency}/kWh")},
            },
        )
    )


def answers(money: Answers) -> dict[str, Any]:
    """Return what is kept as the form shows it."""

    def part(names: tuple[str, ...]) -> dict[str, Any]:
        return {one: money[one] for one in names if one in money}

    return {
        **part(_PRICE),
        "tariff": part(_TARIFF),
        "supply": part(_SUPPLY),
        "work": part(_WORK),
        "alternative": part(_ALTERNATIVE),
    }


def read(said: Answers, before: Answers) -> dict[str, Any]:
    """Return what is kept of the answers."""
    flat = {**said}
    for name in ("tariff", "supply", "work", "alternative"):
        flat |= flat.pop(name)
    if "tiers" in flat:
        flat["tiers"] = sorted(flat["tiers"], key=lambda tier: float(tier["from_kwh"]))
    return replaced(before, _MONEY, flat)


def check(hass: HomeAssistant, money: Answers, mistakes: Mistakes) -> None:
    """Note what is wrong with the figures and their entities."""
    sections = {"tariff": _TARIFF, "supply": _SUPPLY, "work": _WORK}
    where = {name: part for part, names in sections.items() for name in names}
    for name, entity_id in money.items():
        if not name.endswith("_entity"):
            continue
        what, read = _READ.get(name, ("", None))
        if not exists(hass, entity_id):
            mistakes.add(where.get(name, name), "entity_unknown", entity=entity_id)
        elif read is not None and not is_read(hass, entity_id, partial(read, entity_id=entity_id)):
            mistakes.add(where.get(name, name), what, entity=friendly(hass, entity_id))
    hash_value: str | None = money.get("hash_value_entity")
    satoshis = Readings(hass, 0.0).sats_per_th_day(hash_value) if hash_value else None
    if satoshis is not None and not {"bitcoin_price_entity", "hash_value_per_th_day"} & set(money):
        mistakes.add("work", "satoshis", entity=friendly(hass, hash_value or ""))
    tiers = [TierPlan(**one) for one in money.get("tiers", ())]
    starts = [tier.from_kwh for tier in tiers]
    if len(set(starts)) < len(starts):
        mistakes.add("tariff", "tiers_twice")
    elif starts and min(starts) > 0 and "price_per_kwh" not in money:
        mistakes.add("tariff", "tiers_start", start=f"{min(starts):g} kWh")
