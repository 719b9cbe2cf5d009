"""The form of what watts cost and what work earns: its fields, what is kept, what cannot be."""

from typing import Any, Final

import probatio
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import BooleanSelector, ObjectSelector, ObjectSelectorConfig

from . import tariff
from .control.tiers import TierPlan
from .forms import (
    Answers,
    Mistakes,
    entity,
    exists,
    folded,
    friendly,
    is_power,
    number,
    replaced,
)

_PRICE: Final = ("price_entity", "price_per_kwh")
_TARIFF: Final = ("tiers", "energy_entity", "peak_entity")
_SUPPLY: Final = ("surplus_entity", "generator_entity")
_WORK: Final = (
    "hash_value_entity",
    "hash_value_per_th_day",
    "solo",
    "gpu_hash_value_per_kwh",
    "inference_value_per_mtoken",
)
_ALTERNATIVE: Final = ("alternative_cop", "alternative_price_per_kwh")
_MONEY: Final = (*_PRICE, *_TARIFF, *_SUPPLY, *_WORK, *_ALTERNATIVE)
#: Entities whose state is a figure.
_NUMBERS: Final = ("price_entity", "energy_entity", "surplus_entity", "hash_value_entity")


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
    sections = {
        name: part
        for part, names in (
            ("tariff", _TARIFF),
            ("supply", _SUPPLY),
            ("work", _WORK),
        )
        for name in names
    }
    for name, value in money.items():
        if name.endswith("_entity"):
            where = sections.get(name, name)
            if not exists(hass, value):
                mistakes.add(where, "entity_unknown", entity=value)
            elif name in _NUMBERS and not _is_number(hass, value):
                mistakes.add(where, "no_number", entity=friendly(hass, value))
    _check_units(hass, money, mistakes)
    tiers = [TierPlan(**one) for one in money.get("tiers", ())]
    starts = [tier.from_kwh for tier in tiers]
    if len(set(starts)) < len(starts):
        mistakes.add("tariff", "tiers_twice")
    elif starts and min(starts) > 0 and "price_per_kwh" not in money:
        mistakes.add("tariff", "tiers_start", start=f"{min(starts):g} kWh")


def _check_units(hass: HomeAssistant, money: Answers, mistakes: Mistakes) -> None:
    price: str | None = money.get("price_entity")
    if price is not None and tariff.factor(_unit(hass, price)) is None:
        names = {"entity": friendly(hass, price), "unit": _unit(hass, price) or ""}
        mistakes.add("price_entity", "no_price", **names)
    surplus: str | None = money.get("surplus_entity")
    if surplus is not None and not is_power(hass, surplus):
        mistakes.add("supply", "no_power", entity=friendly(hass, surplus))


def _unit(hass: HomeAssistant, entity_id: str) -> str | None:
    state = hass.states.get(entity_id)
    return state.attributes.get(ATTR_UNIT_OF_MEASUREMENT) if state else None


def _is_number(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether the entity says a number, as far as it says anything now."""
    state = hass.states.get(entity_id)
    if state is None or state.state in (STATE_UNKNOWN, STATE_UNAVAILABLE):
        return True
    try:
        float(state.state)
    except ValueError:
        return False
    return True
