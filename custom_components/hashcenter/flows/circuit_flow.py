"""Adding and changing a circuit: a breaker, the heaters behind it, what else it has to carry.

The answers become the data of a `circuit` subentry, by the keys of plan.py. Heaters that would trip
it after a power cut are said before it is kept: they get no watts until that fits, by the very rule
that decides later (control/circuits.py).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from ..control import bounds, circuits
from ..control.seen import CircuitSeen
from ..heat.plan import SUBENTRY_CIRCUIT, CircuitPlan, HousePlan, heater_id
from ..heat.rig_seen import Places, heaters_seen
from ..house import House
from .forms import (
    MAX_NAME,
    Answers,
    Mistakes,
    check_exists,
    entity,
    exists,
    folded,
    friendly,
    gone_heaters,
    heater_names,
    heaters_field,
    is_read,
    number,
    replaced,
    tidy,
)

_TOP: Final = ("volts", "amps", "heaters", "others_w")
_METER: Final = ("meter", "meter_counts_heaters")
_SUPPLY: Final = ("parent", "tripped")
_NAMES: Final = (*_TOP, *_METER, *_SUPPLY)
#: The id of a circuit that is only being added.
_NEW: Final = "new"


class CircuitFlow(ConfigSubentryFlow):
    """The form of one circuit."""

    def __init__(self) -> None:
        """Know no answers yet."""
        self._said: Answers | None = None
        self._kept: tuple[str, dict[str, Any]] = ("", {})
        self._misfit: dict[str, str] = {}

    async def async_step_user(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Add a circuit."""
        return await self._async_form("user", user_input)

    async def async_step_reconfigure(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Change a circuit."""
        return await self._async_form("reconfigure", user_input)

    async def async_step_misfit(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Say which heaters would trip it, and let the person change it or keep it so."""
        return self.async_show_menu(
            step_id="misfit",
            menu_options=["change", "keep"],
            description_placeholders=self._misfit,
        )

    async def async_step_change(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Show the form with its answers again."""
        step_id = "user" if self._changed is None else "reconfigure"
        return await self._async_form(step_id, None)

    async def async_step_keep(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Keep the circuit as it is in truth."""
        return self._finish()

    @property
    def _changed(self) -> ConfigSubentry | None:
        """The circuit that is changed, None for a new one."""
        return self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None

    async def _async_form(self, step_id: str, answers: Answers | None) -> SubentryFlowResult:
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        house: House = entry.runtime_data
        changed = self._changed
        before = changed.data if changed else {}
        mine = changed.subentry_id if changed else _NEW
        others = {id_: plan for id_, plan in HousePlan.read(entry).circuits.items() if id_ != mine}
        mistakes = Mistakes()
        if answers is not None:
            self._said = answers
            name = tidy(answers["name"])
            data = replaced(before, _NAMES, _flat(answers))
            _check(self.hass, house, name, data, others, mine, mistakes)
            if not mistakes.errors:
                self._kept = (name, data)
                self._misfit = _misfit(house, others, _plan(mine, name, data))
                return await self.async_step_misfit() if self._misfit else self._finish()
        shown = self._said or _answers(self.hass, changed, others)
        carried = _plan(mine, "", _flat(shown))
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                _schema(house, before.get("heaters", ()), _feeders(others, mine)), shown
            ),
            errors=mistakes.errors,
            description_placeholders={
                "volts": f"{carried.volts:g}",
                "amps": f"{carried.amps:g}",
                "limit_w": f"{circuits.limit_w(_seen(carried)):.0f}",
                **mistakes.names,
            },
        )

    def _finish(self) -> SubentryFlowResult:
        name, data = self._kept
        if (changed := self._changed) is not None:
            return self.async_update_and_abort(self._get_entry(), changed, title=name, data=data)
        return self.async_create_entry(title=name, data=data)


def _schema(house: House, stored: list[str], feeders: Mapping[str, str]) -> probatio.Schema:
    supply: dict[Any, Any] = {}
    if feeders:
        options = [SelectOptionDict(value=id_, label=name) for id_, name in feeders.items()]
        supply[probatio.Optional("parent")] = SelectSelector(
            SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN)
        )
    return probatio.Schema(
        {
            probatio.Required("name"): TextSelector(),
            probatio.Required("volts"): number("V", least=48, most=1_000),
            probatio.Required("amps"): number("A", least=1, most=1_000),
            probatio.Optional("heaters"): heaters_field(house, stored),
            probatio.Optional("others_w"): number("W", least=0, most=1_000_000),
            probatio.Required("metering"): folded(
                {
                    probatio.Optional("meter"): entity("sensor", device_class=["power"]),
                    probatio.Optional("meter_counts_heaters"): BooleanSelector(),
                }
            ),
            probatio.Required("supply"): folded(
                {
                    **supply,
                    probatio.Optional("tripped"): entity(
                        "binary_sensor", "switch", "input_boolean"
                    ),
                }
            ),
        }
    )


def _answers(
    hass: HomeAssistant, changed: ConfigSubentry | None, others: Mapping[str, CircuitPlan]
) -> dict[str, Any]:
    """Return the circuit as the form shows it; a new one is like the last, or usual there."""
    if changed is None:
        last = next(reversed(list(others.values())), None)
        american = hass.config.units is US_CUSTOMARY_SYSTEM
        volts, amps = (120.0, 20.0) if american else (230.0, 16.0)
        data: Answers = {
            "volts": last.volts if last else volts,
            "amps": last.amps if last else amps,
        }
    else:
        data = changed.data

    def part(names: tuple[str, ...]) -> dict[str, Any]:
        return {one: data[one] for one in names if one in data}

    return {
        "name": changed.title if changed else "",
        **part(_TOP),
        "metering": part(_METER),
        "supply": {
            name: value
            for name, value in part(_SUPPLY).items()
            if name != "parent" or value in others
        },
    }


def _flat(answers: Answers) -> dict[str, Any]:
    """Return the answers without their sections and without the name."""
    flat = {**answers, **answers["metering"], **answers["supply"]}
    return {name: flat[name] for name in _NAMES if name in flat}


def _check(
    hass: HomeAssistant,
    house: House,
    name: str,
    data: Answers,
    others: Mapping[str, CircuitPlan],
    mine: str,
    mistakes: Mistakes,
) -> None:
    """Note what is wrong with the circuit."""
    if not name:
        mistakes.add("name", "name_missing")
    elif name.casefold() in {other.name.casefold() for other in others.values()}:
        mistakes.add("name", "name_taken", circuit=name)
    elif len(name) > MAX_NAME:
        mistakes.add("name", "name_too_long", most=str(MAX_NAME))
    chosen = data.get("heaters", ())
    for gone in gone_heaters(house, chosen):
        mistakes.add("heaters", "heater_unknown", heater=heater_names(house, [gone])[gone])
    for other in others.values():
        for taken in (one for one in map(heater_id, other.heaters) if one in chosen):
            heater = heater_names(house, [taken])[taken]
            mistakes.add("heaters", "heater_taken", heater=heater, other=other.name)
    if "parent" in data and data["parent"] not in others:
        mistakes.add("supply", "parent_gone")
    elif "parent" in data and data["parent"] not in _feeders(others, mine):
        mistakes.add("supply", "parent_loop")
    check_exists(hass, "supply", mistakes, data.get("tripped"))
    meter: str | None = data.get("meter")
    if meter is None and "meter_counts_heaters" in data:
        mistakes.add("metering", "meter_missing")
    elif meter is not None and not exists(hass, meter):
        mistakes.add("metering", "entity_unknown", entity=meter)
    elif meter is not None and not is_read(hass, meter, lambda look: look.watts(meter)):
        mistakes.add("metering", "no_power", entity=friendly(hass, meter))


def _feeders(others: Mapping[str, CircuitPlan], mine: str) -> dict[str, str]:
    """Return the names of the circuits that may feed this one: those it does not feed itself."""
    seen = {id_: _seen(plan) for id_, plan in others.items()}
    return {id_: plan.name for id_, plan in others.items() if not _is_fed_by(id_, seen, mine)}


def _is_fed_by(circuit: str, seen: Mapping[str, CircuitSeen], mine: str) -> bool:
    """Return whether the circuit's way to the main goes through `mine`."""
    return mine != _NEW and any(seen[one].parent == mine for one in circuits.chain(circuit, seen))


def _plan(mine: str, name: str, data: Answers) -> CircuitPlan:
    subentry = ConfigSubentry(
        data=MappingProxyType(dict(data)),
        subentry_id=mine,
        subentry_type=SUBENTRY_CIRCUIT,
        title=name,
        unique_id=None,
    )
    return CircuitPlan.read(subentry)


def _seen(plan: CircuitPlan) -> CircuitSeen:
    return CircuitSeen(
        id=plan.id,
        name=plan.name,
        volts=plan.volts,
        amps=plan.amps,
        parent=plan.parent,
        others_w=plan.others_w,
    )


def _misfit(house: House, others: Mapping[str, CircuitPlan], mine: CircuitPlan) -> dict[str, str]:
    """Return what the sentence about heaters that would trip it names; empty if all fits."""
    plans = {**others, mine.id: mine}
    seen = {id_: _seen(plan) for id_, plan in plans.items()}
    circuit_of = {key: plan.id for plan in plans.values() for key in plan.heaters}
    places, measured = Places(circuits=circuit_of), house.heating.deciding.measured
    loads = [
        heater
        for rig in house.rigs.values()
        for heater in heaters_seen(rig.data, places, measured, house.controller)
    ]
    chains = circuits.chains(loads, seen)
    alone = {load.key: bounds.unattended_w(load) for load in loads}
    refused = circuits.refused(loads, circuits.opened(chains, seen, {}), alone)
    struck = {key: full for key, full in refused.items() if mine.id in chains[key]}
    if not struck:
        return {}
    full = next(iter(struck.values()))
    names = heater_names(house)
    return {
        "circuit": plans[full].name,
        "heaters": ", ".join(names[heater_id(key)] for key, one in struck.items() if one == full),
        "alone_w": f"{sum(alone[key] for key, chain in chains.items() if full in chain):.0f}",
        "others_w": f"{plans[full].others_w:.0f}",
        "limit_w": f"{circuits.limit_w(seen[full]):.0f}",
    }
