"""Adding and changing a room: its thermometer and heaters first, everything else folded away.

The answers become the data of a `room` subentry, by the keys of plan.py; its title is the room's
name. What this form does not show stays as it is.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import BooleanSelector, TextSelector, TimeSelector
from homeassistant.util import dt as dt_util

from ..control.wishes import Preset
from ..heat.plan import (
    DEFAULT_BOOST_S,
    DEFAULT_PRESETS_C,
    SUBENTRY_ROOM,
    HousePlan,
    RoomPlan,
    heater_id,
)
from ..house import House
from .forms import (
    MAX_NAME,
    Answers,
    Degrees,
    Mistakes,
    ThermometerField,
    check_exists,
    check_thermometer,
    entity,
    folded,
    friendly,
    gone_heaters,
    heater_names,
    heaters_field,
    heaters_of,
    is_ours,
    number,
    replaced,
    tidy,
)

_MINUTE_S: Final = 60.0
_PRESETS: Final = tuple(f"{preset}_c" for preset in Preset)
#: Those that stand in the form as they are kept.
_PLAIN: Final = ("thermometer", "heaters")
_AROUND: Final = ("outdoor", "windows", "damper", "backup")
_MORE: Final = ("child", "heat_loss_w_per_k")
_LIMITS: Final = ("frost_c", "high_c", "ceiling_c")
_NAMES: Final = (*_PLAIN, *_AROUND, *_MORE, *_LIMITS, *_PRESETS, "boost_s", "quiet")


class RoomFlow(ConfigSubentryFlow):
    """The form of one room."""

    async def async_step_user(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Add a room."""
        return self._form("user", user_input)

    async def async_step_reconfigure(self, user_input: Answers | None = None) -> SubentryFlowResult:
        """Change a room."""
        return self._form("reconfigure", user_input)

    def _form(self, step_id: str, answers: Answers | None) -> SubentryFlowResult:
        entry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        house: House = entry.runtime_data
        changed = self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None
        before = changed.data if changed else {}
        if not (before or heaters_of(house)):
            return self.async_abort(reason="no_heaters")
        degrees = Degrees(self.hass)
        mistakes = Mistakes()
        if answers is not None:
            others = {
                one.title.casefold()
                for one in entry.get_subentries_of_type(SUBENTRY_ROOM)
                if changed is None or one.subentry_id != changed.subentry_id
            }
            name = tidy(answers["name"])
            data = _data(answers, before, degrees)
            _check(self.hass, house, name, data, others, degrees, mistakes)
            if not mistakes.errors and changed is not None:
                return self.async_update_and_abort(entry, changed, title=name, data=data)
            if not mistakes.errors:
                loose = _on_no_circuit(entry, data["heaters"])
                return self.async_create_entry(
                    title=name,
                    data=data,
                    description="no_circuit" if loose else None,
                    description_placeholders={"heaters": _named(house, loose)},
                )
        shown = answers or _answers(changed.title if changed else "", before, degrees)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                _schema(
                    house,
                    before.get("heaters", ()),
                    degrees,
                    fans=_tells_fans(house, before),
                ),
                shown,
            ),
            errors=mistakes.errors,
            description_placeholders=mistakes.names,
        )


def _on_no_circuit(entry: ConfigEntry, chosen: Iterable[str]) -> list[str]:
    """Return those of the chosen heaters whose breaker nobody has told of."""
    circuits = HousePlan.read(entry).circuits.values()
    known = {heater_id(key) for circuit in circuits for key in circuit.heaters}
    return [one for one in chosen if one not in known]


def _named(house: House, heaters: list[str]) -> str:
    names = heater_names(house, heaters)
    return ", ".join(names[one] for one in heaters)


def _tells_fans(house: House, before: Answers) -> bool:
    """Return whether a device of the house tells how fast its fan turns, or did once."""
    told = any(
        "fan_percent" in device.capabilities.readings
        for rig in house.rigs.values()
        if rig.data.inventory is not None
        for device in rig.data.inventory.devices
    )
    return told or "max_fan_percent" in before.get("quiet", {})


def _schema(
    house: House,
    stored: list[str],
    degrees: Degrees,
    *,
    fans: bool,
) -> probatio.Schema:
    preset = degrees.field(5, 35)
    return probatio.Schema(
        {
            probatio.Required("name"): TextSelector(),
            probatio.Required("thermometer"): ThermometerField(house.hass),
            probatio.Required("heaters"): heaters_field(house, stored),
            probatio.Required("temperatures"): folded(
                {
                    **{probatio.Optional(name): preset for name in _PRESETS},
                    probatio.Optional("boost_minutes"): number("min", least=5, most=720, step=5),
                }
            ),
            probatio.Required("around"): folded(
                {
                    probatio.Optional("outdoor"): ThermometerField(house.hass, outdoor=True),
                    probatio.Optional("windows"): entity(
                        "binary_sensor",
                        device_class=["window", "door", "opening", "garage_door"],
                        many=True,
                    ),
                    probatio.Optional("damper"): entity(
                        "cover", "valve", "switch", "binary_sensor", "input_boolean"
                    ),
                    probatio.Optional("backup"): entity("climate"),
                }
            ),
            probatio.Required("limits"): folded(
                {
                    probatio.Optional("frost_c"): degrees.field(2, 18),
                    probatio.Optional("high_c"): degrees.field(15, 45),
                    probatio.Optional("ceiling_c"): degrees.field(10, 45),
                }
            ),
            probatio.Required("quiet"): folded(
                {
                    probatio.Optional("start"): TimeSelector(),
                    probatio.Optional("end"): TimeSelector(),
                    probatio.Optional("max_w"): number("W", least=0, most=100_000),
                    **(
                        {probatio.Optional("max_fan_percent"): number("%", least=10, most=100)}
                        if fans
                        else {}
                    ),
                }
            ),
            probatio.Required("more"): folded(
                {
                    probatio.Optional("child"): BooleanSelector(),
                    probatio.Optional("heat_loss_w_per_k"): number("W/K", least=1, most=5_000),
                }
            ),
        }
    )


def _answers(name: str, data: Answers, degrees: Degrees) -> dict[str, Any]:
    """Return the room as the form shows it; what is not set shows its default."""

    def part(*names: str) -> dict[str, Any]:
        return {one: data[one] for one in names if one in data}

    temperatures: dict[str, float] = {
        f"{preset}_c": _shown(data, f"{preset}_c", usual, degrees)
        for preset, usual in DEFAULT_PRESETS_C.items()
    }
    limits = {
        "frost_c": _shown(data, "frost_c", RoomPlan.frost_c, degrees),
        "high_c": _shown(data, "high_c", RoomPlan.high_c, degrees),
    }
    if "ceiling_c" in data:
        limits["ceiling_c"] = degrees.shown(data["ceiling_c"])
    temperatures["boost_minutes"] = data.get("boost_s", DEFAULT_BOOST_S) / _MINUTE_S
    return {
        "name": name,
        **part(*_PLAIN),
        "temperatures": temperatures,
        "around": part(*_AROUND),
        "limits": limits,
        "quiet": data.get("quiet", {}),
        "more": part(*_MORE),
    }


def _shown(data: Answers, name: str, usual_c: float, degrees: Degrees) -> float:
    return degrees.shown(data[name]) if name in data else degrees.usual(usual_c)


def _data(answers: Answers, before: Answers, degrees: Degrees) -> dict[str, Any]:
    """Return the subentry's data."""
    temperatures = {**answers["temperatures"], **answers["limits"]}
    boost_minutes = temperatures.pop("boost_minutes", None)
    kept = {name: degrees.kept(value, before.get(name)) for name, value in temperatures.items()}
    quiet = dict(answers["quiet"])
    for edge in ("start", "end"):
        if (moment := dt_util.parse_time(quiet.get(edge, ""))) is not None:
            quiet[edge] = moment.isoformat()
    given = {
        **{name: answers[name] for name in _PLAIN},
        **answers["around"],
        **answers["more"],
        **kept,
        "boost_s": None if boost_minutes is None else boost_minutes * _MINUTE_S,
        "quiet": quiet,
    }
    return replaced(before, _NAMES, given)


def _check(
    hass: HomeAssistant,
    house: House,
    name: str,
    data: Answers,
    others: set[str],
    degrees: Degrees,
    mistakes: Mistakes,
) -> None:
    """Note what is wrong with the room; `others` are the names of the other rooms."""
    if not name:
        mistakes.add("name", "name_missing")
    elif name.casefold() in others:
        mistakes.add("name", "name_taken", room=name)
    elif len(name) > MAX_NAME:
        mistakes.add("name", "name_too_long", most=str(MAX_NAME))
    check_thermometer(hass, data["thermometer"], "thermometer", mistakes)
    if not data.get("heaters"):
        mistakes.add("heaters", "heaters_missing")
    for gone in gone_heaters(house, data.get("heaters", ())):
        mistakes.add("heaters", "heater_unknown", heater=heater_names(house, [gone])[gone])
    outdoor: str | None = data.get("outdoor")
    if outdoor == data["thermometer"]:
        mistakes.add("around", "outdoor_is_thermometer")
    elif outdoor is not None:
        check_thermometer(hass, outdoor, "around", mistakes)
    around = (*data.get("windows", ()), data.get("damper"), data.get("backup"))
    check_exists(hass, "around", mistakes, *around)
    if "backup" in data and is_ours(hass, data["backup"]):
        mistakes.add("around", "backup_is_ours", backup=friendly(hass, data["backup"]))
    _check_degrees(data, degrees, mistakes)
    quiet: Mapping[str, Any] = data.get("quiet", {})
    when, how = {"start", "end"}, {"max_w", "max_fan_percent"}
    if quiet and not (when <= set(quiet) and how & set(quiet)):
        mistakes.add("quiet", "quiet_incomplete")
    elif quiet and quiet["start"] == quiet["end"]:
        mistakes.add("quiet", "quiet_never")


def _check_degrees(data: Answers, degrees: Degrees, mistakes: Mistakes) -> None:
    """Note presets, frost limit, high limit and ceiling that contradict each other."""
    presets = [data.get(f"{preset}_c", usual) for preset, usual in DEFAULT_PRESETS_C.items()]
    frost_c: float = data.get("frost_c", RoomPlan.frost_c)
    high_c: float = data.get("high_c", RoomPlan.high_c)
    if frost_c >= min(presets):
        mistakes.add(
            "limits",
            "frost_too_high",
            frost=degrees.said(frost_c),
            lowest=degrees.said(min(presets)),
        )
    if high_c <= max(presets):
        mistakes.add(
            "limits", "high_too_low", high=degrees.said(high_c), highest=degrees.said(max(presets))
        )
    ceiling_c: float | None = data.get("ceiling_c")
    if ceiling_c is not None and not frost_c < ceiling_c <= high_c:
        mistakes.add(
            "limits",
            "ceiling_out_of_limits",
            ceiling=degrees.said(ceiling_c),
            frost=degrees.said(frost_c),
            high=degrees.said(high_c),
        )
