"""What a hash value in satoshis tells: those of the day, or a solo miner's odds.

Both are estimates from the miners' hash rate; what a pool really pays is not known here. Who mines
solo earns nothing on most days, so no satoshis are counted, but the wait for a block is shown.
"""

import time
from datetime import date, datetime
from typing import Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorStateClass,
)
from homeassistant.const import UnitOfTime
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..entity import HouseEntity, unique_id
from ..heat.reading import Readings
from ..house import House
from .calm import Calm
from .calm_sensor import CalmSensor
from .money_sensors import DAILY
from .sensor_kinds import SensorDescription, Value, measured
from .today import Flow
from .worth import hash_rate_ths

SATS_TODAY: Final = SensorDescription(
    key="sats_today",
    state_class=SensorStateClass.TOTAL,
    native_unit_of_measurement="sat",
    suggested_display_precision=0,
    calm=DAILY,
    value_fn=lambda amount: amount,
)
SOLO_ODDS: Final = measured(
    "solo_days_per_block", UnitOfTime.DAYS, SensorDeviceClass.DURATION, calm=Calm(share=0.1)
)
#: The subsidy until the halving of 2028; the fees of a block, a percent or so, are left out.
BLOCK_SATS: Final = 312_500_000.0


@callback
def sats_sensors(house: House, add: AddConfigEntryEntitiesCallback) -> list[SensorEntity]:
    """Return the sensor if there is one yet; else it comes once the hash value is in satoshis."""
    hass, entry, money = house.hass, house.config_entry, house.plan.money
    if (entity_id := money.hash_value_entity) is None:
        return []
    one, key = (SoloOdds, SOLO_ODDS.key) if money.solo else (SatsToday, SATS_TODAY.key)
    known = er.async_get(hass).async_get_entity_id(
        SENSOR_DOMAIN, DOMAIN, unique_id(entry.entry_id, key)
    )
    if known or hash_value(hass, entity_id) is not None:
        return [one(house, entity_id)]

    @callback
    def heard(_: Event[EventStateChangedData]) -> None:
        if undo and hash_value(hass, entity_id) is not None:
            undo.pop()()
            add([one(house, entity_id)])

    @callback
    def stop() -> None:
        while undo:
            undo.pop()()

    undo = [async_track_state_change_event(hass, [entity_id], heard)]
    entry.async_on_unload(stop)
    return []


def hash_value(hass: HomeAssistant, entity_id: str) -> float | None:
    """Return what 1 TH/s earns in a day in satoshis, None if the entity does not say it so."""
    return Readings(hass, time.time()).sats_per_th_day(entity_id)


class _ByHashValue(CalmSensor[House], HouseEntity):
    """A sensor of what the miners' hash rate brings at the hash value of an entity."""

    def __init__(self, house: House, entity_id: str, description: SensorDescription) -> None:
        """Belong to the house and follow the hash value of `entity_id`."""
        super().__init__(house, description)
        self._hash_value = entity_id

    def per_day(self) -> float | None:
        """Return the satoshis that a day at the present rate brings on average, None if unknown."""
        value = hash_value(self.hass, self._hash_value)
        rate_ths = hash_rate_ths(rig.data for rig in self.coordinator.rigs.values())
        return None if value is None or rate_ths is None else value * rate_ths


class SoloOdds(_ByHashValue):
    """How many days a solo miner waits for a block on average; unknown while nothing hashes."""

    def __init__(self, house: House, entity_id: str) -> None:
        """Belong to the house and follow the hash value of `entity_id`."""
        super().__init__(house, entity_id, SOLO_ODDS)

    @override
    def read(self) -> Value:
        per_day = self.per_day()
        return BLOCK_SATS / per_day if per_day else None


class SatsToday(_ByHashValue, RestoreEntity):
    """The satoshis that today's hashing should bring on average."""

    _flow = Flow()

    def __init__(self, house: House, entity_id: str) -> None:
        """Belong to the house and follow the hash value of `entity_id`."""
        super().__init__(house, entity_id, SATS_TODAY)

    @property
    @override
    def last_reset(self) -> datetime | None:
        day = self._flow.day
        return dt_util.start_of_local_day(date.fromisoformat(day)) if day else None

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._flow = Flow(data["day"], data["amount"])
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData({"day": self._flow.day, "amount": self._flow.amount})

    @override
    def read(self) -> Value:
        day = dt_util.now().date().isoformat()
        self._flow = self._flow.add(self.per_day(), day, time.monotonic())
        known = self._flow.at is not None or self._flow.amount > 0
        return self._flow.amount if known else None
