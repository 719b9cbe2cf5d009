"""Switches: Stop all for the house; for each heater heat, hands-off, hashing when it pays.

*Heat* is for thermostats that know on and off only: it asks for watts as the heat request does, so
it holds for a time, and whoever wants heat for longer turns it on again (a keep-alive).
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, override

from homeassistant.components.homeassistant.exposed_entities import KNOWN_ASSISTANTS
from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import (
    ExtraStoredData,
    RestoredExtraData,
    RestoreEntity,
)

from .coordinator import RigCoordinator
from .entity import (
    HeaterEntity,
    HouseEntity,
    Makers,
    async_follow,
    heater_owner,
    own_heaters,
    unique_id,
)
from .house import HashcenterConfigEntry

PARALLEL_UPDATES = 0

STOP_ALL: Final = SwitchEntityDescription(key="stop_all")
HEAT: Final = SwitchEntityDescription(key="heat")
HASH_FOR_MONEY: Final = SwitchEntityDescription(
    key="hash_for_money", entity_category=EntityCategory.CONFIG
)
HANDS_OFF: Final = SwitchEntityDescription(key="hands_off", entity_category=EntityCategory.CONFIG)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have Stop all, and the switches of heaters that may be controlled."""
    house = entry.runtime_data
    async_add_entities([StopAllSwitch(house, STOP_ALL)])
    for rig in house.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the switches of the rig's heaters, none where control is not allowed."""
    if not rig.data.allows_control:
        return {}
    makers: dict[str, Callable[[], HeaterEntity]] = {}
    for heater in own_heaters(rig):
        owner = heater_owner(rig, heater)
        makers[unique_id(owner, HEAT.key)] = partial(HeatSwitch, rig, heater, HEAT)
        makers[unique_id(owner, HANDS_OFF.key)] = partial(HandsOffSwitch, rig, heater, HANDS_OFF)
        if heater.can_hash:
            makers[unique_id(owner, HASH_FOR_MONEY.key)] = partial(
                HashForMoneySwitch, rig, heater, HASH_FOR_MONEY
            )
    return makers


class StopAllSwitch(HouseEntity, SwitchEntity):
    """Stops everything that draws watts until a person releases it; on also if a rig is stopped."""

    @override
    def get_initial_entity_options(self) -> er.EntityOptionsType | None:
        """Be exposed to no assistant until a person wants it.

        Switches are by default, and "turn all switches off" would release it.
        """
        return {assistant: {"should_expose": False} for assistant in KNOWN_ASSISTANTS}

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.data.stopped

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.coordinator.heating.async_stop_all(engaged=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.coordinator.heating.async_stop_all(engaged=False)


class HandsOffSwitch(HeaterEntity, SwitchEntity):
    """Leaves a heater to its owner: nothing of ours touches it until this is off again."""

    @property
    @override
    def available(self) -> bool:
        return True

    @property
    @override
    def is_on(self) -> bool:
        return self.key in self.coordinator.house.heating.state.hands_off

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hands_off(self.key, hands_off=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hands_off(self.key, hands_off=False)


class HashForMoneySwitch(HeaterEntity, SwitchEntity):
    """Whether a heater may hash while nobody needs its heat, as long as that pays."""

    @property
    @override
    def available(self) -> bool:
        return True

    @property
    @override
    def is_on(self) -> bool:
        return self.coordinator.house.heating.may_hash_for_money(self.key)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hash_for_money(self.key, allowed=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self.coordinator.house.heating.async_set_hash_for_money(self.key, allowed=False)


class HeatSwitch(HeaterEntity, SwitchEntity, RestoreEntity):
    """Asks a heater for the watts it was asked for last, at first for all it has."""

    _last_w: float | None = None

    @property
    @override
    def is_on(self) -> bool:
        request = self.coordinator.house.heating.request(self.key)
        return request is not None and request.power_w > 0

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        if (stored := await self.async_get_last_extra_data()) is not None:
            self._last_w = stored.as_dict()["last_w"]
        self._note()

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        return RestoredExtraData({"last_w": self._last_w})

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._note()
        super()._handle_coordinator_update()

    def _note(self) -> None:
        request = self.coordinator.house.heating.request(self.key)
        if request is not None and request.power_w > 0:
            self._last_w = request.power_w

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        max_w = self.heater.max_w if self.heater else 0.0
        await self.coordinator.house.heating.async_request_heat(
            self.key, min(self._last_w or max_w, max_w)
        )

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Ask for no heat; a heater in a room of ours is the room's again."""
        house = self.coordinator.house
        if any(self.key in room.heaters for room in house.plan.rooms.values()):
            await house.heating.async_release_heat(self.key)
        else:
            await house.heating.async_request_heat(self.key, 0.0)
