"""What the forms of rooms, circuits and money share: degrees, heaters to choose, what is kept.

A form shows temperatures in the house's unit and keeps degrees Celsius. An answer that was not
changed keeps the stored value to the last digit: opening and sending a form changes nothing.
"""

import math
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, override

import probatio
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util.unit_conversion import TemperatureConverter

from ..const import DOMAIN
from ..control.requests import HeaterKey
from ..coordinator import RigCoordinator
from ..entity import asic_of
from ..heat.plan import heater_id, heater_key
from ..heat.reading import Readings
from ..house import House
from ..rigs.registry import rig_identifier
from ..wire.messages import Heater

type Answers = Mapping[str, Any]

_CELSIUS: Final = UnitOfTemperature.CELSIUS
#: Fine enough that no whole tenth of a degree is lost, in either unit.
_KEPT_DIGITS: Final = 4
_SHOWN_DIGITS: Final = 2
#: A device's name; entity ids, which are made of it, may have 255 characters.
MAX_NAME: Final = 80
#: Control characters, and what separates lines and paragraphs.
_UNSEEN: Final = frozenset({"Cc", "Zl", "Zp"})


class ThermometerField(EntitySelector):
    """Chooses a thermometer. What a rig measures of itself is no room's and not even offered."""

    def __init__(self, hass: HomeAssistant, *, outdoor: bool = False) -> None:
        """Offer temperature sensors; outdoors a weather service is one as well."""
        kinds = [EntityWithDeviceFilterSelectorConfig(domain="sensor", device_class="temperature")]
        if outdoor:
            kinds.append(EntityWithDeviceFilterSelectorConfig(domain="weather"))
        super().__init__(EntitySelectorConfig(filter=kinds))
        entities = er.async_get(hass).entities.values()
        self._ours = [one.entity_id for one in entities if one.platform == DOMAIN]

    @override
    def serialize(self) -> dict[str, dict[str, EntitySelectorConfig]]:
        # Only not offered: an answer that names one all the same gets a sentence.
        config = EntitySelectorConfig(**self.config, exclude_entities=self._ours)
        return {"selector": {self.selector_type: config}}


class Figure(NumberSelector):
    """A box for a number. What is none (NaN) is no answer, where limits alone would let it pass."""

    @override
    def __call__(self, data: Any) -> float:
        value = super().__call__(data)
        if not math.isfinite(value):
            raise probatio.Invalid("it has to be a number")
        return value


class KindOfEntity(EntitySelector):
    """Chooses entities, and takes no others: Home Assistant's own only offers the right ones."""

    def __init__(self, config: EntitySelectorConfig, domains: tuple[str, ...]) -> None:
        """Take those of `domains`."""
        super().__init__(config)
        self._domains = domains

    @override
    def __call__(self, data: Any) -> str | list[str]:
        chosen = super().__call__(data)
        for entity_id in [chosen] if isinstance(chosen, str) else chosen:
            if entity_id.partition(".")[0] not in self._domains:
                raise probatio.Invalid(f"{entity_id} does not fit here; choose one that is offered")
        return chosen


class Degrees:
    """The house's unit of temperature."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Take the unit that the house has now."""
        self.unit = hass.config.units.temperature_unit

    def shown(self, celsius: float) -> float:
        """Return degrees Celsius in the house's unit."""
        return round(TemperatureConverter.convert(celsius, _CELSIUS, self.unit), _SHOWN_DIGITS)

    def usual(self, celsius: float) -> float:
        """Return a default as somebody with that unit would say it: whole degrees Fahrenheit."""
        return celsius if self.unit == _CELSIUS else float(round(self.shown(celsius)))

    def kept(self, shown: float, before: float | None) -> float:
        """Return degrees Celsius; `before` is what was kept, and stays if the answer shows it."""
        if before is not None and self.shown(before) == shown:
            return before
        return round(TemperatureConverter.convert(shown, self.unit, _CELSIUS), _KEPT_DIGITS)

    def said(self, celsius: float) -> str:
        """Return the temperature as it stands in a sentence."""
        return f"{self.shown(celsius):g} {self.unit}"

    def field(self, least_c: float, most_c: float) -> NumberSelector:
        """Return a field for a temperature between these."""
        return number(
            self.unit,
            least=round(self.shown(least_c)),
            most=round(self.shown(most_c)),
            step=0.5,
        )


class Mistakes:
    """What is wrong with the answers: a sentence per field or section, and what it names."""

    def __init__(self) -> None:
        """Begin without any."""
        self.errors: dict[str, str] = {}
        self.names: dict[str, str] = {}

    def add(self, where: str, what: str, **names: str) -> None:
        """Note a mistake, unless one of this field, or one about other names, is said already."""
        if where not in self.errors and names.items() <= {**names, **self.names}.items():
            self.errors[where] = what
            self.names |= names


def number(
    unit: str | None = None,
    *,
    least: float | None = None,
    most: float | None = None,
    step: float | None = None,
) -> NumberSelector:
    """Return a box for a number, of any precision unless `step` is given."""
    config = NumberSelectorConfig(mode=NumberSelectorMode.BOX, step=step or "any")
    if unit is not None:
        config["unit_of_measurement"] = unit
    if least is not None:
        config["min"] = least
    if most is not None:
        config["max"] = most
    return Figure(config)


def entity(
    *domains: str, device_class: list[str] | None = None, many: bool = False
) -> EntitySelector:
    """Return a field for an entity of these domains."""
    filters = [EntityWithDeviceFilterSelectorConfig(domain=list(domains))]
    if device_class is not None:
        filters[0]["device_class"] = device_class
    return KindOfEntity(EntitySelectorConfig(filter=filters, multiple=many), domains)


def folded(fields: Mapping[Any, Any]) -> section:
    """Return a section that is closed until somebody opens it."""
    return section(probatio.Schema(dict(fields)), {"collapsed": True})


def replaced(before: Answers, names: Iterable[str], answers: Answers) -> dict[str, Any]:
    """Return the data with the named keys as answered; what a form does not show stays.

    An empty answer (None, nothing chosen, no) is left out: its default then holds.
    """
    names = frozenset(names)
    others = {name: value for name, value in before.items() if name not in names}
    given = {
        name: value
        for name, value in answers.items()
        if value is not None and value is not False and value not in ("", [], {})
    }
    return others | given


def heater_name(rig: RigCoordinator, heater: Heater) -> str:
    """Return what people call the heater: the ASIC's name, or the machine's."""
    asic = asic_of(rig, heater)
    identifier = (DOMAIN, asic.uid) if asic else rig_identifier(rig.rig_id)
    device = dr.async_get(rig.hass).async_get_device_by_identifier(
        identifier, rig.config_entry.entry_id
    )
    if device is not None and device.name_by_user:
        return device.name_by_user
    return asic.name if asic else rig.name


def heaters_of(house: House) -> dict[HeaterKey, tuple[RigCoordinator, Heater]]:
    """Return the heaters of the accepted rigs, as far as the rigs have ever told of them."""
    measured = house.heating.deciding.measured
    return {
        key: (rig, heater)
        for rig in house.rigs.values()
        for key, heater in measured.facts(rig.rig_id).items()
    }


def heater_names(house: House, stored: Iterable[str] = ()) -> dict[str, str]:
    """Return what the heaters are called, by stored id; `stored` ones may be gone by now."""
    known = heaters_of(house)
    names = {heater_id(key): heater_name(*one) for key, one in known.items()}
    alike = [name for name in names.values() if list(names.values()).count(name) > 1]
    for key, (rig, heater) in known.items():
        if names[heater_id(key)] in alike:
            names[heater_id(key)] = f"{heater.name} ({rig.name})"
    for one in stored:
        key = heater_key(one)
        rig_name = house.rigs[key.rig].name if key.rig in house.rigs else key.rig
        names.setdefault(one, f"{key.heater} ({rig_name})")
    return names


def heaters_field(house: House, stored: Iterable[str]) -> SelectSelector:
    """Return the field that chooses heaters, each with its watts."""
    watts = {
        heater_id(key): f" · {heater.min_w:.0f}-{heater.max_w:.0f} W"
        for key, (_, heater) in heaters_of(house).items()
    }
    options = [
        SelectOptionDict(value=one, label=name + watts.get(one, ""))
        for one, name in sorted(heater_names(house, stored).items(), key=lambda pair: pair[1])
    ]
    return SelectSelector(
        SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
    )


def gone_heaters(house: House, chosen: Iterable[str]) -> list[str]:
    """Return those of the chosen heaters that no accepted rig has (any more).

    A rig that has not told of its heaters yet is given the benefit of the doubt.
    """
    known = heaters_of(house)
    silent = house.rigs.keys() - {key.rig for key in known}
    return [
        one for one in chosen if (key := heater_key(one)) not in known and key.rig not in silent
    ]


def exists(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether there is such an entity, now or as soon as its integration has started."""
    return hass.states.get(entity_id) is not None or entity_id in er.async_get(hass).entities


def check_exists(
    hass: HomeAssistant, where: str, mistakes: Mistakes, *entities: str | None
) -> None:
    """Note the first of the entities that is not there; None is none that was chosen."""
    for entity_id in entities:
        if entity_id is not None and not exists(hass, entity_id):
            mistakes.add(where, "entity_unknown", entity=entity_id)


def tidy(name: str) -> str:
    """Return a name in one line, without what nobody can see."""
    seen = (" " if unicodedata.category(one) in _UNSEEN else one for one in name)
    return " ".join("".join(seen).split())


def is_ours(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether the entity is one of this integration's."""
    registered = er.async_get(hass).async_get(entity_id)
    return registered is not None and registered.platform == DOMAIN


def is_read(hass: HomeAssistant, entity_id: str, read: Callable[[Readings], object]) -> bool:
    """Return whether the house understands what the entity says, as far as it says anything now.

    `read` is the look that the house takes at it for its decisions.
    """
    readings = Readings(hass, time.time())
    read(readings)
    return hass.states.get(entity_id) is None or entity_id not in readings.problems


def friendly(hass: HomeAssistant, entity_id: str) -> str:
    """Return what people call an entity."""
    state = hass.states.get(entity_id)
    return state.name if state else entity_id


def check_thermometer(hass: HomeAssistant, entity_id: str, where: str, mistakes: Mistakes) -> None:
    """Note a thermometer that is none, or that says how warm a rig is."""
    if not exists(hass, entity_id):
        mistakes.add(where, "entity_unknown", entity=entity_id)
    elif is_ours(hass, entity_id):
        mistakes.add(where, "thermometer_ours", entity=friendly(hass, entity_id))
    elif not is_read(hass, entity_id, lambda readings: readings.thermometer(entity_id)):
        mistakes.add(where, "no_temperature", entity=friendly(hass, entity_id))
