"""Has a rig get ready before the words end, and read a changed prompt before anybody asks.

    satellite listens -> the rig that would answer is told, every few seconds until it is asked
    satellite is done, whoever was asked -> the rig may let go
    something exposed got another name -> a moment later the rigs are told the new prompt

A rig that is told has hashing give way and its cache made ready; it lets go by itself after 10 s
without a word. Everything here is for speed only.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from homeassistant.components.conversation import DOMAIN as CONVERSATION_DOMAIN
from homeassistant.components.homeassistant.exposed_entities import async_listen_entity_updates
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.event import async_track_time_interval

from ..const import DOMAIN
from ..house import House
from .contact import Endpoint
from .inference import candidates, prompt_id
from .prompt import SATELLITE_DOMAIN, Json
from .rig_api import async_let_go, async_warm

_LOGGER = logging.getLogger(__name__)

LISTENING: Final = "listening"
PROCESSING: Final = "processing"
#: How often a rig is told again; it lets go after 10 s.
RENEW: Final = timedelta(seconds=5)
#: Nobody speaks for longer: the satellite is stuck.
MOST_RENEWALS: Final = 12
#: How long the house has to stay as it is before its new prompt is told.
SETTLE_S: Final = 5.0

_CHANGES: Final = (
    er.EVENT_ENTITY_REGISTRY_UPDATED,
    dr.EVENT_DEVICE_REGISTRY_UPDATED,
    ar.EVENT_AREA_REGISTRY_UPDATED,
    fr.EVENT_FLOOR_REGISTRY_UPDATED,
)


class Agent(Protocol):
    """An agent as far as it can be prepared for."""

    @property
    def entity_id(self) -> str:
        """Its name in pipelines."""
        ...

    @property
    def rig_id(self) -> str | None:
        """The only rig that may answer."""
        ...

    async def async_beginning(self, device_id: str | None, language: str | None) -> Json | None:
        """Return what a question from this device begins with, None if it cannot be told."""
        ...


@dataclass
class _Announced:
    """A satellite that somebody speaks to, and the rig that was told."""

    agent: Agent
    body: Json
    endpoint: Endpoint | None = None
    renewals: int = 0
    asked: bool = False


class Prewarm:
    """Follows the satellites and the registries for the agents of a house."""

    def __init__(self, hass: HomeAssistant, house: House) -> None:
        self._hass = hass
        self._house = house
        self._agents: dict[str, Agent] = {}
        self._announced: dict[str, _Announced] = {}
        #: The prompt that each agent's rigs were told, or asked with, last.
        self._told: dict[str, str] = {}
        self._settled = Debouncer(
            hass, _LOGGER, cooldown=SETTLE_S, immediate=False, function=self._async_read_anew
        )

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Follow; returns the undo."""
        undo = [
            self._hass.bus.async_listen(
                EVENT_STATE_CHANGED, self._satellite_changed, event_filter=_is_satellite
            ),
            async_track_time_interval(self._hass, self._renew, RENEW, cancel_on_shutdown=True),
            async_listen_entity_updates(self._hass, CONVERSATION_DOMAIN, self._house_changed),
            *(self._hass.bus.async_listen(kind, self._house_changed) for kind in _CHANGES),
            self._settled.async_shutdown,
        ]

        @callback
        def stop() -> None:
            for one in undo:
                one()

        return stop

    @callback
    def async_add(self, agent: Agent) -> CALLBACK_TYPE:
        """Prepare for questions to `agent`, too; returns the undo."""
        self._agents[agent.entity_id] = agent

        @callback
        def remove() -> None:
            self._agents.pop(agent.entity_id, None)

        return remove

    @callback
    def async_asked(self, agent: Agent, satellite_id: str | None, request: Json) -> None:
        """Note that the question came; `satellite_id` is whose."""
        self._told[agent.entity_id] = prompt_id(request)
        if satellite_id is not None and (known := self._announced.get(satellite_id)) is not None:
            known.asked = True

    async def async_read_ahead(self, agent: Agent, request: Json) -> None:
        """Have the prompt read that kept somebody waiting for too long: their next try succeeds."""
        for candidate in candidates(self._house, agent.rig_id)[:1]:
            told = {**request, "model": candidate.model, "background": True}
            await async_warm(self._hass, candidate.endpoint, told)

    @callback
    def _satellite_changed(self, event: Event[EventStateChangedData]) -> None:
        satellite_id = event.data["entity_id"]
        new, old = event.data["new_state"], event.data["old_state"]
        state, before = new and new.state, old and old.state
        if state == LISTENING:
            if before != LISTENING:
                self._in_background(self._async_announce(satellite_id), "announce")
        elif state != PROCESSING:
            done = self._announced.pop(satellite_id, None)
            if done is not None and done.endpoint is not None:
                self._in_background(async_let_go(self._hass, done.endpoint, satellite_id), "let go")

    async def _async_announce(self, satellite_id: str) -> None:
        engine, language = _pipeline_of(self._hass, satellite_id)
        agent = self._agents.get(engine or "")
        if agent is None or not candidates(self._house, agent.rig_id):
            return
        entity = er.async_get(self._hass).async_get(satellite_id)
        device_id = entity.device_id if entity else None
        if (body := await agent.async_beginning(device_id, language)) is None:
            return
        state = self._hass.states.get(satellite_id)
        if state is None or state.state not in (LISTENING, PROCESSING):
            return
        self._announced[satellite_id] = known = _Announced(agent, {**body, "id": satellite_id})
        await self._async_tell(known)

    @callback
    def _renew(self, _now: datetime) -> None:
        for known in self._announced.values():
            known.renewals += 1
            if not known.asked and known.renewals <= MOST_RENEWALS:
                self._in_background(self._async_tell(known), "renew")

    async def _async_tell(self, known: _Announced) -> None:
        order = candidates(self._house, known.agent.rig_id, prompt_id(known.body))
        if not order:
            return
        body = {**known.body, "model": order[0].model}
        if await async_warm(self._hass, order[0].endpoint, body):
            known.endpoint = order[0].endpoint

    @callback
    def _house_changed(self, _event: Event[Any] | None = None) -> None:
        if self._told:
            self._settled.async_schedule_call()

    async def _async_read_anew(self) -> None:
        """Tell the rigs that have read an agent's prompt what it is now, if it is another."""
        for agent in list(self._agents.values()):
            before = self._told.get(agent.entity_id)
            if before is None or (body := await agent.async_beginning(None, None)) is None:
                continue
            if (now := prompt_id(body)) == before:
                continue
            self._told[agent.entity_id] = now
            for candidate in candidates(self._house, agent.rig_id):
                rig_id, boot_id = candidate.rig.rig_id, candidate.boot_id
                if not self._house.asked.has_read(rig_id, boot_id, before):
                    continue
                told = {**body, "model": candidate.model, "background": True}
                if await async_warm(self._hass, candidate.endpoint, told):
                    self._house.asked = self._house.asked.read(rig_id, boot_id, now)

    def _in_background(self, work: Any, what: str) -> None:
        self._house.config_entry.async_create_background_task(
            self._hass, work, f"{DOMAIN} prewarm: {what}"
        )


@callback
def _is_satellite(data: Mapping[str, Any]) -> bool:
    entity_id: str = data["entity_id"]
    return entity_id.startswith(f"{SATELLITE_DOMAIN}.")


@callback
def _pipeline_of(hass: HomeAssistant, satellite_id: str) -> tuple[str | None, str | None]:
    """Return the agent and the language of the pipeline that a satellite uses next."""
    # Only where satellites are is it sure that pipelines can be imported.
    from homeassistant.components.assist_pipeline import (  # noqa: PLC0415
        PipelineNotFound,
        async_get_pipeline,
        async_get_pipelines,
    )

    satellite = hass.data[SATELLITE_DOMAIN].get_entity(satellite_id)
    chosen = satellite.pipeline_entity_id if satellite else None
    named = hass.states.get(chosen) if chosen else None
    found = (one.id for one in async_get_pipelines(hass) if named and one.name == named.state)
    try:
        pipeline = async_get_pipeline(hass, next(found, None))
    except PipelineNotFound:
        return None, None
    return pipeline.conversation_engine, pipeline.conversation_language
