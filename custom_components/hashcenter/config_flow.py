"""How rigs come into the house: discovered by their announcement, or found by hand.

The first rig makes the house entry, with itself as the first `rig` subentry; every other rig is
added to it, which ends with `rig_added`. A discovered rig's flow has a unique id of its own, so
that one rig can be ignored as everything else can. What else can be set up has forms of its own.
"""

from types import MappingProxyType
from typing import override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentry,
    ConfigSubentryFlow,
)
from homeassistant.core import callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from .const import CONF_RIG, DOMAIN, SUBENTRY_AI_TASK, SUBENTRY_CONVERSATION, SUBENTRY_RIG
from .coordinator import Found, async_listen, async_wait_for_mqtt
from .flows import ai_task_flow, conversation_flow
from .flows.ai_task_flow import AITaskSubentryFlow
from .flows.circuit_flow import CircuitFlow
from .flows.conversation_flow import ConversationSubentryFlow
from .flows.options_flow import HouseOptionsFlow
from .flows.rig_flow import (
    KEY_SCHEMA,
    Input,
    RigFlow,
    async_check,
    async_settle,
    async_unknown,
    choice_schema,
    discovery_id,
    key_in,
    known_rigs,
    placeholders,
    subentry_data,
    what_next,
)
from .flows.room_flow import RoomFlow
from .heat.plan import SUBENTRY_CIRCUIT, SUBENTRY_ROOM
from .wire import topics
from .wire.codec import WireError, decode
from .wire.messages import Announce


class HashcenterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Makes the house, or adds a rig to it."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Know no rig yet."""
        self._heard: dict[str, Found] = {}
        self._found: Found | None = None

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        return {
            SUBENTRY_RIG: RigFlow,
            SUBENTRY_ROOM: RoomFlow,
            SUBENTRY_CIRCUIT: CircuitFlow,
            SUBENTRY_CONVERSATION: ConversationSubentryFlow,
            SUBENTRY_AI_TASK: AITaskSubentryFlow,
        }

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> HouseOptionsFlow:
        return HouseOptionsFlow()

    @override
    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """Take an announcement that Home Assistant heard."""
        address = topics.parse(discovery_info.topic)
        payload = discovery_info.payload
        try:
            announce = decode(Announce, payload if isinstance(payload, str) else bytes(payload))
        except WireError:
            announce = None
        if announce is None or address is None or announce.rig != address.rig:
            return self.async_abort(reason="invalid_discovery_info")
        await self.async_set_unique_id(discovery_id(announce.rig))
        self._abort_if_unique_id_configured()
        if announce.rig in known_rigs(self._house()):
            return self.async_abort(reason="already_configured")
        self.context["title_placeholders"] = {"name": announce.name}
        heard = await async_listen(self.hass, announce.rig)
        self._found = heard.get(announce.rig, Found(announce))
        return await self.async_step_rig()

    @override
    async def async_step_user(self, user_input: Input = None) -> ConfigFlowResult:
        """Offer the rigs that can be heard, or say what to do."""
        if not await async_wait_for_mqtt(self.hass):
            return self.async_abort(reason="mqtt_unavailable")
        if user_input is not None and CONF_RIG in user_input:
            self._found = self._heard[user_input[CONF_RIG]]
            return await self.async_step_rig()
        self._heard = await async_unknown(self.hass, self._house())
        if not self._heard:
            return self.async_show_form(step_id="none_heard", errors={})
        return self.async_show_form(step_id="user", data_schema=choice_schema(self._heard))

    async def async_step_none_heard(self, user_input: Input = None) -> ConfigFlowResult:
        """Listen again after the person did something about it."""
        return await self.async_step_user()

    async def async_step_rig(self, user_input: Input = None) -> ConfigFlowResult:
        """Ask for the rig's key and take the rig in."""
        found = self._found
        assert found is not None  # set by every step that leads here
        errors: dict[str, str] = {}
        if user_input is not None:
            key = key_in(user_input)
            if not (errors := await async_check(self.hass, found.rig, key)):
                return await self._async_take_in(found, key)
        return self.async_show_form(
            step_id="rig",
            data_schema=KEY_SCHEMA,
            errors=errors,
            description_placeholders=placeholders(found.announce.name, found.rig.endpoint_url),
        )

    async def _async_take_in(self, found: Found, key: str | None) -> ConfigFlowResult:
        """Make the house with this rig, or add the rig to it."""
        made = subentry_data(found, key)
        house = self._house()
        await async_settle(self.hass, found.announce.rig, self.flow_id)
        # The house keeps the discovery key: were it deleted, its rigs would be discovered again.
        await self.async_set_unique_id(DOMAIN, raise_on_progress=False)
        if house is None:
            # A rig that can answer brings an agent along, and somebody for tasks.
            minds = [
                conversation_flow.default_subentry_data(),
                ai_task_flow.default_subentry_data(),
            ]
            agents = minds if found.rig.endpoint_url else []
            return self.async_create_entry(
                title="Hashcenter",
                data={},
                subentries=[made, *agents],
                description=what_next(found.rig),
            )
        self.hass.config_entries.async_add_subentry(
            house,
            ConfigSubentry(
                subentry_type=made["subentry_type"],
                unique_id=made["unique_id"],
                title=made["title"],
                data=MappingProxyType(dict(made["data"])),
            ),
        )
        return self.async_abort(
            reason="rig_added", description_placeholders={"name": made["title"]}
        )

    def _house(self) -> ConfigEntry | None:
        """Return the house entry."""
        return self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, DOMAIN)
