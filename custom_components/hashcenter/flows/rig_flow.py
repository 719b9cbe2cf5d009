"""The form for a rig's key: used by discovery, by hand, to reconfigure and to repair.

The form says where the key will go. The key is checked there, and bound to that address.
"""

from collections.abc import Mapping
from typing import Any, Final

import probatio
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigSubentryData,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..const import CONF_HOST, CONF_KEY, CONF_RIG, DOMAIN, SUBENTRY_RIG
from ..coordinator import Found, async_listen, async_wait_for_mqtt
from ..rigs.rig import Rig
from .access import async_refusal

type Input = Mapping[str, Any] | None

KEY_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(probatio.Secret(CONF_KEY)): TextSelector(
            TextSelectorConfig(type=TextSelectorType.PASSWORD)
        )
    }
)


def placeholders(name: str, host: str | None) -> dict[str, str]:
    """Return what the form says about the rig."""
    return {"name": name, "host": host or "(not known yet)"}


def key_in(user_input: Mapping[str, Any]) -> str | None:
    """Return the key that was typed in."""
    return str(user_input.get(CONF_KEY, "")).strip() or None


async def async_check(hass: HomeAssistant, rig: Rig, key: str | None) -> dict[str, str]:
    """Return the form's errors; without a key there is nothing to check.

    A rig that only heats answers nowhere; where it wants signed requests, its own word tells.
    """
    if key is None:
        return {}
    if rig.endpoint_url is None:
        is_wanted = rig.inventory is not None and rig.inventory.signed_requests
        return {} if is_wanted else {CONF_KEY: "no_endpoint"}
    if (error := await async_refusal(hass, rig.endpoint_url, key)) is None:
        return {}
    return {CONF_KEY if error == "wrong_key" else "base": error}


def subentry_data(found: Found, key: str | None) -> ConfigSubentryData:
    """Return the subentry of an accepted rig."""
    rig_id = found.announce.rig
    return ConfigSubentryData(
        subentry_type=SUBENTRY_RIG,
        unique_id=rig_id,
        title=found.announce.name,
        data={CONF_RIG: rig_id, CONF_KEY: key, CONF_HOST: found.rig.endpoint_url},
    )


def what_next(rig: Rig) -> str | None:
    """Return which advice the last page of a flow gives about an accepted rig."""
    return "heats" if rig.inventory and rig.inventory.heaters else None


def known_rigs(entry: ConfigEntry | None) -> set[str]:
    """Return the ids of the rigs that the house has accepted."""
    subentries = entry.get_subentries_of_type(SUBENTRY_RIG) if entry else []
    return {subentry.data[CONF_RIG] for subentry in subentries}


def choice_schema(found: Mapping[str, Found]) -> probatio.Schema:
    """Return the list of rigs that were heard."""
    options = [
        SelectOptionDict(value=rig_id, label=f"{one.announce.name} ({rig_id})")
        for rig_id, one in sorted(found.items())
    ]
    return probatio.Schema(
        {probatio.Required(CONF_RIG): SelectSelector(SelectSelectorConfig(options=options))}
    )


def discovery_id(rig_id: str) -> str:
    """Return the unique id of a rig's discovery; no rig's name makes it the house's."""
    return f"rig/{rig_id}"


async def async_settle(hass: HomeAssistant, rig_id: str, flow_id: str) -> None:
    """End what else is open about a rig that is accepted: its tile, and that it is ignored."""
    about = {"unique_id": discovery_id(rig_id)}
    flows = hass.config_entries.flow
    for flow in flows.async_progress_by_handler(DOMAIN, match_context=about):
        if flow["flow_id"] != flow_id:
            flows.async_abort(flow["flow_id"])
    ignored = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, about["unique_id"])
    if ignored is not None:
        await hass.config_entries.async_remove(ignored.entry_id)


async def async_unknown(hass: HomeAssistant, entry: ConfigEntry | None) -> dict[str, Found]:
    """Listen, and return the rigs that the house has not accepted yet."""
    known = known_rigs(entry)
    heard = await async_listen(hass)
    return {rig_id: one for rig_id, one in heard.items() if rig_id not in known}


class RigFlow(ConfigSubentryFlow):
    """Adds a rig by hand; changes a rig's key, or says yes to its new address."""

    def __init__(self) -> None:
        """Know no rig yet."""
        self._heard: dict[str, Found] = {}
        self._found: Found | None = None

    async def async_step_user(self, user_input: Input = None) -> SubentryFlowResult:
        """Offer the rigs that can be heard."""
        if not await async_wait_for_mqtt(self.hass):
            return self.async_abort(reason="mqtt_unavailable")
        if user_input is not None:
            self._found = self._heard[user_input[CONF_RIG]]
            return await self.async_step_key()
        self._heard = await async_unknown(self.hass, self._get_entry())
        if not self._heard:
            return self.async_abort(reason="no_rigs")
        return self.async_show_form(step_id="user", data_schema=choice_schema(self._heard))

    async def async_step_key(self, user_input: Input = None) -> SubentryFlowResult:
        """Ask for the key of the rig that was chosen."""
        found = self._found
        assert found is not None  # set by the step before
        errors: dict[str, str] = {}
        if user_input is not None:
            key = key_in(user_input)
            if not (errors := await async_check(self.hass, found.rig, key)):
                made = subentry_data(found, key)
                await async_settle(self.hass, found.announce.rig, self.flow_id)
                return self.async_create_entry(
                    title=made["title"],
                    data=made["data"],
                    unique_id=made["unique_id"],
                    description=what_next(found.rig),
                )
        return self.async_show_form(
            step_id="key",
            data_schema=KEY_SCHEMA,
            errors=errors,
            description_placeholders=placeholders(found.announce.name, found.rig.endpoint_url),
        )

    async def async_step_reconfigure(self, user_input: Input = None) -> SubentryFlowResult:
        """Ask for a new key, or for a yes to the address where the rig answers now."""
        subentry = self._get_reconfigure_subentry()
        if self._found is None:
            heard = await async_listen(self.hass, subentry.data[CONF_RIG])
            if (found := heard.get(subentry.data[CONF_RIG])) is None:
                return self.async_abort(reason="rig_not_heard")
            self._found = found
        rig = self._found.rig
        errors: dict[str, str] = {}
        if user_input is not None:
            key = key_in(user_input) or subentry.data[CONF_KEY]
            if not (errors := await async_check(self.hass, rig, key)):
                return self.async_update_and_abort(
                    self._get_entry(),
                    subentry,
                    data_updates={CONF_KEY: key, CONF_HOST: rig.endpoint_url},
                )
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=KEY_SCHEMA,
            errors=errors,
            description_placeholders=placeholders(subentry.title, rig.endpoint_url),
        )
