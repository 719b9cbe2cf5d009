"""Sensors that add up the counters of rigs (energy.py) and keep the sum over a restart.

After a power cut the sum that was kept may be older than what was shown last. So nothing is shown
after a start before it has caught up with the counters: to statistics a sum that falls is a new
meter, which is counted from 0.
"""

from types import MappingProxyType
from typing import Any, override

from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)
from homeassistant.util import dt as dt_util

from ..house import House
from ..rigs.energy import Accumulator, Daily, Remainder
from .calm_sensor import HouseSensor, RigSensor
from .sensor_kinds import Value


class HouseEnergy(HouseSensor, RestoreEntity):
    """The house's energy: what its rigs' counters went up by, since the house was set up."""

    _sum = Accumulator()
    _caught_up = False

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            self._sum = accumulator(stored.as_dict())
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData(to_store(self._sum))

    @override
    def read(self) -> Value:
        self._sum = self._sum.add(rig_counters(self.coordinator))
        self._caught_up = self._caught_up or all_heard(self.coordinator)
        return self._sum.total_kwh if self._caught_up else None


class HouseEnergyToday(HouseSensor, RestoreEntity):
    """The house's energy since midnight, where Home Assistant lives."""

    _today = Daily()
    _caught_up = False

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._today = Daily(data["day"], accumulator(data["sum"]))
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData({"day": self._today.day, "sum": to_store(self._today.sum)})

    @override
    def read(self) -> Value:
        today = dt_util.now().date().isoformat()
        self._today = self._today.add(rig_counters(self.coordinator), today)
        self._caught_up = self._caught_up or all_heard(self.coordinator)
        return self._today.sum.total_kwh if self._caught_up else None


class OtherEnergy(RigSensor, RestoreEntity):
    """What a rig used beyond its GPUs and its CPU: the machine itself and its power supply."""

    _rest = Remainder()
    _caught_up = False

    @override
    async def async_added_to_hass(self) -> None:
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._rest = Remainder(
                accumulator(data["whole"]), accumulator(data["parts"]), data["said_kwh"]
            )
        await super().async_added_to_hass()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        rest = self._rest
        return RestoredExtraData(
            {
                "whole": to_store(rest.whole),
                "parts": to_store(rest.parts),
                "said_kwh": rest.said_kwh,
            }
        )

    @override
    def read(self) -> Value:
        rig = self.coordinator.data
        if rig.live is not None and rig.live.energy_kwh is not None:
            parts = {
                uid: state.energy_kwh
                for uid, state in rig.devices.items()
                if state.energy_kwh is not None
            }
            devices = rig.inventory.devices if rig.inventory else ()
            complete = all(
                one.uid in parts for one in devices if "energy_kwh" in one.capabilities.readings
            )
            self._rest = self._rest.add(rig.live.energy_kwh, parts, complete=complete)
            self._caught_up = self._caught_up or complete
        return self._rest.said_kwh if self._caught_up else None


def all_heard(house: House) -> bool:
    """Return whether every rig was heard, or has been away for so long that it may be forgotten."""
    return all(rig.data.live is not None or rig.data.lost for rig in house.rigs.values())


def rig_counters(house: House) -> dict[str, float]:
    """Return the kWh that each live rig has counted, by its id."""
    return {
        rig.rig_id: rig.data.live.energy_kwh
        for rig in house.rigs.values()
        if rig.data.live and rig.data.live.energy_kwh is not None
    }


def to_store(sum_: Accumulator) -> dict[str, Any]:
    """Return a sum as it is kept over a restart."""
    return {"total_kwh": sum_.total_kwh, "counters": dict(sum_.counters)}


def accumulator(stored: dict[str, Any]) -> Accumulator:
    """Return the sum that `to_store` kept."""
    return Accumulator(stored["total_kwh"], MappingProxyType(stored["counters"]))
