"""Update: whether a rig's bridge is as new as this integration. Nothing is installed from here."""

from functools import partial
from typing import Final, override

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.update import (
    UpdateDeviceClass,
    UpdateEntity,
    UpdateEntityDescription,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import BRIDGE_VERSION, RELEASES_URL
from .coordinator import RigCoordinator
from .entity import Makers, RigEntity, async_follow, rig_owner, unique_id
from .house import HashcenterConfigEntry

PARALLEL_UPDATES = 0

BRIDGE: Final = UpdateEntityDescription(key="bridge", device_class=UpdateDeviceClass.FIRMWARE)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the update of each rig."""
    for rig in entry.runtime_data.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the rig's update."""
    return {unique_id(rig_owner(rig), BRIDGE.key): partial(BridgeUpdate, rig, BRIDGE)}


class BridgeUpdate(RigEntity, UpdateEntity):
    """The bridge's version beside the one this integration was made for."""

    _attr_release_url = RELEASES_URL

    @property
    @override
    def installed_version(self) -> str | None:
        return self.coordinator.data.version

    @property
    @override
    def latest_version(self) -> str | None:
        """A bridge newer than this integration is up to date."""
        installed = self.installed_version
        try:
            newer = installed is not None and AwesomeVersion(installed) > BRIDGE_VERSION
        except AwesomeVersionException:
            return installed
        return installed if newer else BRIDGE_VERSION
