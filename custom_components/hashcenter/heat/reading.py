"""Figures of Home Assistant's entities, in the units that the house decides in.

What is unavailable, not a number or in a unit that is not understood is None, never a guess; why
is kept in `problems`, a sentence per entity.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from homeassistant.components.climate import (
    DOMAIN as CLIMATE_DOMAIN,
    ClimateEntityStateAttribute,
)
from homeassistant.components.weather import (
    ATTR_WEATHER_TEMPERATURE,
    ATTR_WEATHER_TEMPERATURE_UNIT,
    DOMAIN as WEATHER_DOMAIN,
)
from homeassistant.const import (
    STATE_CLOSED,
    STATE_OFF,
    STATE_ON,
    STATE_OPEN,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityStateAttribute,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfTemperature,
)
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import (
    EnergyConverter,
    PowerConverter,
    TemperatureConverter,
)

from ..control.seen import Thermometer
from .money_units import hash_unit, price_factor

_SILENT: Final = (STATE_UNAVAILABLE, STATE_UNKNOWN, "")
_ON: Final = (STATE_ON, STATE_OPEN)
_OFF: Final = (STATE_OFF, STATE_CLOSED)
_SATOSHIS_PER_BITCOIN: Final = 1e8
#: Below every place on Earth (-89.2 °C at Vostok): what a sensor without its probe says (-127).
_COLDEST_C: Final = -90.0


class Ages:
    """How old what entities said is, by a clock that nobody sets (seconds of `clock`).

    A state carries the time of the clock on the wall: where that was set back, a word from before
    lies ahead. So each word is known by its time, and its age counts from when it was met first.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        """Know nothing yet."""
        self._clock = clock or time.monotonic
        #: Entity id -> the word's own time, when it was looked at first, and its age then.
        self._met: dict[str, tuple[float, float, float]] = {}

    def age_s(self, state: State, now: float) -> float:
        """Return the age of a state's last word; `now` is the time on the wall."""
        said_at, clock = state.last_reported_timestamp, self._clock()
        known = self._met.get(state.entity_id)
        if known is None or known[0] != said_at:
            known = (said_at, clock, max(0.0, now - said_at))
            self._met[state.entity_id] = known
        _, met_at, age_s = known
        return age_s + max(0.0, clock - met_at)


class Readings:
    """One look at entities, at `now` (seconds since 1970); `ages` outlives it."""

    def __init__(self, hass: HomeAssistant, now: float, ages: Ages | None = None) -> None:
        """Look at the states of `hass`."""
        self._hass = hass
        self._ages = ages or Ages()
        self.now = now
        #: What is wrong with entities that were looked at: a sentence by entity id.
        self.problems: dict[str, str] = {}

    def thermometer(self, entity_id: str) -> Thermometer:
        """Return the temperature that a sensor, a weather or a climate entity says."""
        if (state := self._state(entity_id)) is None:
            return Thermometer(None)
        text: object = state.state
        unit = state.attributes.get(EntityStateAttribute.UNIT_OF_MEASUREMENT)
        if state.domain == WEATHER_DOMAIN:
            text = state.attributes.get(ATTR_WEATHER_TEMPERATURE)
            unit = state.attributes.get(ATTR_WEATHER_TEMPERATURE_UNIT)
        elif state.domain == CLIMATE_DOMAIN:
            text = state.attributes.get(ClimateEntityStateAttribute.CURRENT_TEMPERATURE)
            unit = self._hass.config.units.temperature_unit
        value = self._number(state, text)
        if value is None:
            return Thermometer(None)
        if not isinstance(unit, str) or unit not in TemperatureConverter.VALID_UNITS:
            self._note(state, f"is in {_named(unit)}, which is no unit of temperature")
            return Thermometer(None)
        temp_c = TemperatureConverter.convert(value, unit, UnitOfTemperature.CELSIUS)
        if temp_c < _COLDEST_C:
            self._note(state, f"says {text!r}, which is colder than anywhere")
            return Thermometer(None)
        return Thermometer(temp_c, self._age_s(state))

    def watts(self, entity_id: str) -> tuple[float | None, float]:
        """Return a power sensor's watts and their age in seconds."""
        return self._converted(entity_id, PowerConverter, UnitOfPower.WATT, "power")

    def kwh(self, entity_id: str) -> float | None:
        """Return an energy counter's kWh."""
        return self._converted(entity_id, EnergyConverter, UnitOfEnergy.KILO_WATT_HOUR, "energy")[0]

    def price_per_kwh(self, entity_id: str) -> float | None:
        """Return a price per kWh in the house's currency; also said per MWh or in cents."""
        return self._per(entity_id, price_factor, "no price of energy")

    def value_per_th_day(self, entity_id: str, bitcoin: str | None = None) -> float | None:
        """Return what 1 TH/s earns in a day in the house's currency; also said per PH/s.

        `bitcoin` is an entity with a bitcoin's price: without it satoshis are worth nothing known.
        """
        if (sats := self.sats_per_th_day(entity_id)) is None:
            return self._per(entity_id, _money_factor, "no money per hash rate")
        price = None if bitcoin is None else self.bitcoin_price(bitcoin)
        return None if price is None else sats * price / _SATOSHIS_PER_BITCOIN

    def sats_per_th_day(self, entity_id: str) -> float | None:
        """Return what 1 TH/s earns in a day in satoshis; None where it is not said in bitcoin."""
        state = self._hass.states.get(entity_id)
        said = state.attributes.get(EntityStateAttribute.UNIT_OF_MEASUREMENT) if state else None
        unit = hash_unit(str(said)) if said is not None else None
        if state is None or unit is None or not unit.satoshis:
            return None
        value = self._number(state, state.state)
        return None if value is None else value * unit.factor

    def bitcoin_price(self, entity_id: str) -> float | None:
        """Return what a bitcoin costs in the house's currency."""
        currency = self._hass.config.currency
        understood = {currency, f"{currency}/BTC"}
        return self._per(
            entity_id, lambda unit: 1.0 if unit.upper() in understood else None, f"not {currency}"
        )

    def is_on(self, entity_id: str) -> bool | None:
        """Return whether something is on (or open), None if nobody knows."""
        state = self._state(entity_id)
        if state is None or state.state in _SILENT:
            return None
        return False if state.state in _OFF else state.state in _ON or None

    def starts_at(self, entity_id: str) -> datetime | None:
        """Return when something is to begin: the `start_time` attribute, or a state that is a time.

        A time without a zone, as a calendar says it, is local.
        """
        if (state := self._state(entity_id)) is None:
            return None
        said = state.attributes.get("start_time", state.state)
        try:
            moment = said if isinstance(said, datetime) else dt_util.parse_datetime(str(said))
            return None if moment is None else dt_util.as_utc(moment)
        except ValueError, OverflowError:
            self._note(state, f"says {str(said)!r}, which is no time")
            return None

    def note(self, entity_id: str, text: str) -> None:
        """Keep what is wrong with an entity: a sentence's end that follows its name."""
        state = self._hass.states.get(entity_id)
        name = entity_id if state is None else state.name
        self.problems[entity_id] = f"{name} ({entity_id}) {text}."

    def _state(self, entity_id: str) -> State | None:
        if (state := self._hass.states.get(entity_id)) is None:
            self.problems[entity_id] = f"{entity_id} does not exist."
        return state

    def _age_s(self, state: State) -> float:
        return self._ages.age_s(state, self.now)

    def _number(self, state: State, text: object) -> float | None:
        if text is None or text in _SILENT:
            return None
        try:
            value = float(str(text))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self._note(state, f"says {text!r}, which is no number")
            return None
        return value

    def _converted(
        self,
        entity_id: str,
        converter: type[PowerConverter | EnergyConverter],
        unit: str,
        of: str,
    ) -> tuple[float | None, float]:
        if (state := self._state(entity_id)) is None:
            return None, 0.0
        if (value := self._number(state, state.state)) is None:
            return None, 0.0
        said = state.attributes.get(EntityStateAttribute.UNIT_OF_MEASUREMENT)
        if not isinstance(said, str) or said not in converter.VALID_UNITS:
            self._note(state, f"is in {_named(said)}, which is no unit of {of}")
            return None, 0.0
        if not math.isfinite(converted := converter.convert(value, said, unit)):
            self._note(state, f"says {state.state!r}, which is no number")
            return None, 0.0
        return converted, self._age_s(state)

    def _per(
        self, entity_id: str, factor: Callable[[str], float | None], otherwise: str
    ) -> float | None:
        if (state := self._state(entity_id)) is None:
            return None
        if (value := self._number(state, state.state)) is None:
            return None
        said = state.attributes.get(EntityStateAttribute.UNIT_OF_MEASUREMENT)
        # A figure without a unit is what its owner was asked for.
        times = 1.0 if said is None else factor(str(said))
        if times is None:
            self._note(state, f"is in {_named(said)}, which is {otherwise}")
            return None
        return value * times

    def _note(self, state: State, text: str) -> None:
        self.note(state.entity_id, text)


def _money_factor(unit: str) -> float | None:
    found = hash_unit(unit)
    return None if found is None or found.satoshis else found.factor


def _named(unit: object) -> str:
    return "no unit" if unit is None else repr(unit)
