"""Fixes what a key or a yes fixes: a missing or refused key, a rig at another address."""

from typing import Any

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant

from .const import CONF_HOST, CONF_KEY, CONF_RIG, DOMAIN
from .flows.rig_flow import KEY_SCHEMA, async_check, key_in, placeholders
from .house import HashcenterConfigEntry, House
from .rigs.rig import Rig


class RigAccessFlow(RepairsFlow):
    """Asks for a rig's key, and for a yes to the address where it will be sent."""

    def __init__(self, entry: HashcenterConfigEntry, subentry: ConfigSubentry) -> None:
        """Fix the access to the rig of `subentry`."""
        self._entry = entry
        self._subentry = subentry

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start."""
        return await self.async_step_key()

    async def async_step_key(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask; a key that is left out stays as it is."""
        house: House = self._entry.runtime_data
        rig: Rig = house.rigs[self._subentry.data[CONF_RIG]].data
        errors: dict[str, str] = {}
        if user_input is not None:
            key = key_in(user_input) or self._subentry.data[CONF_KEY]
            if not (errors := await async_check(self.hass, rig, key)):
                self.hass.config_entries.async_update_subentry(
                    self._entry,
                    self._subentry,
                    data={**self._subentry.data, CONF_KEY: key, CONF_HOST: rig.endpoint_url},
                )
                return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="key",
            data_schema=KEY_SCHEMA,
            errors=errors,
            description_placeholders=placeholders(self._subentry.title, rig.endpoint_url),
        )


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that fixes an issue; what is gone meanwhile needs no more than a yes."""
    house = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, DOMAIN)
    subentry_id = str((data or {}).get("subentry_id"))
    if (
        house is None
        or house.state is not ConfigEntryState.LOADED
        or subentry_id not in house.subentries
    ):
        return ConfirmRepairFlow()
    return RigAccessFlow(house, house.subentries[subentry_id])
