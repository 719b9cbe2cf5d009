"""The form of the outdoor thermometer and of the thresholds at which a policy favors a workload."""

from collections.abc import Mapping
from typing import Any, Final

import probatio
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import TimeSelector
from homeassistant.util import dt as dt_util

from ..control.tilt import TiltPlan
from .forms import Answers, Degrees, Mistakes, ThermometerField, folded, number, replaced

_BY_OUTDOOR: Final = ("inference_below_c", "hashing_above_c")
_BY_PRICE: Final = ("inference_above_price", "hashing_below_price")
_BY_SOLAR: Final = ("hashing_above_surplus_w",)
_BY_TIME: Final = ("inference_from", "inference_to")
_TILT: Final = (*_BY_OUTDOOR, *_BY_PRICE, *_BY_SOLAR, *_BY_TIME)


def schema(hass: HomeAssistant, degrees: Degrees) -> probatio.Schema:
    """Return the form's fields."""
    price = number(f"{hass.config.currency}/kWh")
    threshold = degrees.field(-40, 45)
    return probatio.Schema(
        {
            probatio.Optional("outdoor"): ThermometerField(hass, outdoor=True),
            probatio.Required("by_outdoor"): folded(
                {probatio.Optional(name): threshold for name in _BY_OUTDOOR}
            ),
            probatio.Required("by_price"): folded(
                {probatio.Optional(name): price for name in _BY_PRICE}
            ),
            probatio.Required("by_solar"): folded(
                {probatio.Optional(name): number("W", least=0) for name in _BY_SOLAR}
            ),
            probatio.Required("by_time"): folded(
                {probatio.Optional(name): TimeSelector() for name in _BY_TIME}
            ),
        }
    )


def answers(outdoor: str | None, tilt: Answers, degrees: Degrees) -> dict[str, Any]:
    """Return what is kept as the form shows it; what is not set shows its default."""
    usual = TiltPlan()
    by_outdoor = {
        name: degrees.shown(tilt[name]) if name in tilt else degrees.usual(getattr(usual, name))
        for name in _BY_OUTDOOR
    }

    def part(names: tuple[str, ...]) -> dict[str, Any]:
        shown = {one: tilt.get(one, getattr(usual, one)) for one in names}
        return {one: value for one, value in shown.items() if value is not None}

    return {
        **({"outdoor": outdoor} if outdoor else {}),
        "by_outdoor": by_outdoor,
        "by_price": part(_BY_PRICE),
        "by_solar": part(_BY_SOLAR),
        "by_time": part(_BY_TIME),
    }


def read(said: Answers, before: Answers, degrees: Degrees) -> dict[str, Any]:
    """Return what is kept of the answers."""
    by_outdoor: Mapping[str, float] = said["by_outdoor"]
    given = {
        **{name: degrees.kept(value, before.get(name)) for name, value in by_outdoor.items()},
        **said["by_price"],
        **said["by_solar"],
    }
    for name, hour in said["by_time"].items():
        moment = dt_util.parse_time(hour)
        given[name] = moment.isoformat() if moment else None
    return replaced(before, _TILT, given)


def check(tilt: Answers, degrees: Degrees, mistakes: Mistakes) -> None:
    """Note thresholds that contradict each other."""
    plan = TiltPlan(**{name: tilt[name] for name in _TILT if name in tilt})
    if plan.inference_below_c >= plan.hashing_above_c:
        mistakes.add(
            "by_outdoor",
            "outdoor_crossed",
            cold=degrees.said(plan.inference_below_c),
            warm=degrees.said(plan.hashing_above_c),
        )
    dear, cheap = plan.inference_above_price, plan.hashing_below_price
    if dear is not None and cheap is not None and cheap >= dear:
        mistakes.add("by_price", "price_crossed", dear=f"{dear:g}", cheap=f"{cheap:g}")
    if plan.inference_from == plan.inference_to:
        mistakes.add("by_time", "time_never")
