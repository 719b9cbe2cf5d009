"""The house's money: what a kWh of heat costs now, and what the day came to.

A sensor exists where its owner said enough for it: without a price there is none of heat, without a
value of work nothing is earned, and satoshis are estimated only from a hash value in satoshis.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorStateClass
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)
from homeassistant.util import dt as dt_util

from ..control.seen import HouseSeen
from ..control.wanted import HouseWanted
from ..entity import HouseEntity
from ..heat.plan import MoneyPlan
from ..house import House
from .calm import Calm
from .calm_sensor import CalmSensor
from .energy_sensors import rig_counters
from .heater_sensors import price
from .sensor_kinds import SensorDescription, Value, energy, measured
from .today import Tally
from .worth import earned, indoors

#: Only time lets these through.
DAILY: Final = Calm(deadband=float("inf"), drift_s=300.0)


@dataclass(frozen=True)
class Decided:
    """What the last decision was shown and what it said."""

    seen: HouseSeen
    wanted: HouseWanted


def house_sensors(house: House) -> list[SensorEntity]:
    """Return the sensors of the house's money and heat."""
    plan, currency = house.plan, house.hass.config.currency
    found: list[SensorEntity] = [
        DecidedSensor(house, one) for one in _decided(plan.money, currency)
    ]
    if plan.money.has_price:
        found.append(CostToday(house, today("cost_today", currency)))
        if plan.money.has_value:
            found.append(EarnedToday(house, today("earned_today", currency)))
    if plan.rooms:
        found.append(HeatToday(house, energy("heat_today_kwh", calm=DAILY)))
    return found


def _decided(money: MoneyPlan, currency: str) -> list[SensorDescription]:
    found: list[SensorDescription] = []
    if money.has_price:
        found += [
            price("price_per_kwh", currency, lambda now: now.seen.money.price_per_kwh),
            price("net_price_per_kwh", currency, lambda now: now.wanted.money.house.net_per_kwh),
            measured(
                "net_cost_per_hour",
                f"{currency}/h",
                precision=3,
                calm=Calm(deadband=0.02, share=0.2),
                value_fn=_cost_per_hour,
            ),
        ]
    if money.has_alternative:
        found.append(
            price(
                "alternative_per_kwh",
                currency,
                lambda now: now.wanted.money.alternative_per_kwh,
            )
        )
    return found


def _cost_per_hour(now: Decided) -> float | None:
    """Return what the watts of now cost; unknown while nobody's are known."""
    measured_w = [one.power_w for one in now.seen.heaters if one.power_w is not None]
    return now.wanted.money.cost_per_hour if measured_w else None


def today(key: str, currency: str) -> SensorDescription:
    """Describe the money of a day."""
    return SensorDescription(
        key=key,
        device_class=SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=currency,
        suggested_display_precision=2,
        calm=DAILY,
        value_fn=lambda amount: amount,
    )


class DecidedSensor(CalmSensor[House], HouseEntity):
    """A sensor of what the house decided; unknown before the first decision."""

    @override
    def read(self) -> Value:
        seen, wanted = self.coordinator.heating.seen, self.coordinator.heating.wanted
        if seen is None or wanted is None:
            return None
        return self.entity_description.value_fn(Decided(seen, wanted))


class TodaySensor(CalmSensor[House], HouseEntity, RestoreEntity):
    """What today's kWh come to; kept over a restart, and 0 again at midnight."""

    _tally = Tally()

    def worth(self, decided: Decided) -> Mapping[str, float | None]:
        """Return what a kWh of each rig is worth now."""
        raise NotImplementedError

    @property
    @override
    def last_reset(self) -> datetime | None:
        """When today began; only a total that is no counter may say so."""
        if self.entity_description.state_class is not SensorStateClass.TOTAL or not self._tally.day:
            return None
        return dt_util.start_of_local_day(date.fromisoformat(self._tally.day))

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            self._tally = Tally.restored(stored.as_dict())
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData(self._tally.stored())

    @override
    def read(self) -> Value:
        seen, wanted = self.coordinator.heating.seen, self.coordinator.heating.wanted
        worth = self.worth(Decided(seen, wanted)) if seen and wanted else {}
        day = dt_util.now().date().isoformat()
        self._tally = self._tally.add(rig_counters(self.coordinator), worth, day)
        return self._tally.amount if self._tally.counters else None


class CostToday(TodaySensor):
    """What today's electricity of all rigs cost, at the price of each moment."""

    @override
    def worth(self, decided: Decided) -> Mapping[str, float | None]:
        return dict.fromkeys(self.coordinator.rigs, decided.seen.money.price_per_kwh)


class EarnedToday(TodaySensor):
    """What today's hashing and answering were worth, estimated from the owner's figures."""

    @override
    def worth(self, decided: Decided) -> Mapping[str, float | None]:
        return earned(decided.seen.heaters, decided.wanted.money.heaters)


class HeatToday(TodaySensor):
    """The heat that went to rooms today: what was used there is heat, to the last joule."""

    @override
    def worth(self, decided: Decided) -> Mapping[str, float | None]:
        return indoors(decided.seen.heaters)
