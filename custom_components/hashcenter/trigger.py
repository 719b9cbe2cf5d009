"""Triggers of our own: a rig is silent, begins to hash, a room needs back-up heat.

Home Assistant finds a trigger's entities by domain; these take ours alone, so that an area may be
the target. What becomes unknown or unavailable triggers nothing: a rig's silence has its own.
"""

from typing import ClassVar, Final, override

from homeassistant.components.binary_sensor import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    EntityOriginStateTriggerBase,
    EntityTargetStateTriggerBase,
    EntityTriggerBase,
    Trigger,
)

from .rigs.registry import ours
from .wire.values import Activity


class OfOurs(EntityTriggerBase):
    """Watches entities of ours with one key, diagnostic ones included."""

    _primary_entities_only = False
    key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return ours(self._hass, super().entity_filter(entities), self.key)


def _becomes(domain: str, of: str, state: str) -> type[OfOurs]:
    """Return the trigger of entities that come to be in a state."""
    specs, states = {domain: DomainSpec()}, {state}

    class Becomes(OfOurs, EntityTargetStateTriggerBase):
        _domain_specs = specs
        key = of
        _to_states = states

    return Becomes


def _ends(domain: str, of: str, state: str) -> type[OfOurs]:
    """Return the trigger of entities that leave a state."""
    specs = {domain: DomainSpec()}

    class Ends(OfOurs, EntityOriginStateTriggerBase):
        _domain_specs = specs
        key = of
        _from_state = state

    return Ends


TRIGGERS: Final[dict[str, type[OfOurs]]] = {
    "backup_became_needed": _becomes(BINARY_SENSOR_DOMAIN, "needs_backup", STATE_ON),
    "backup_no_longer_needed": _becomes(BINARY_SENSOR_DOMAIN, "needs_backup", STATE_OFF),
    "heat_became_cheaper": _becomes(BINARY_SENSOR_DOMAIN, "cheaper_than_alternative", STATE_ON),
    "heat_became_dearer": _becomes(BINARY_SENSOR_DOMAIN, "cheaper_than_alternative", STATE_OFF),
    "inference_became_available": _becomes(BINARY_SENSOR_DOMAIN, "inference_available", STATE_ON),
    "inference_became_unavailable": _becomes(
        BINARY_SENSOR_DOMAIN, "inference_available", STATE_OFF
    ),
    "rig_became_reachable": _becomes(BINARY_SENSOR_DOMAIN, "connectivity", STATE_ON),
    "rig_became_unreachable": _becomes(BINARY_SENSOR_DOMAIN, "connectivity", STATE_OFF),
    "started_answering": _becomes(SENSOR_DOMAIN, "activity", Activity.ANSWERING),
    "started_hashing": _becomes(SENSOR_DOMAIN, "activity", Activity.HASHING),
    "stopped_hashing": _ends(SENSOR_DOMAIN, "activity", Activity.HASHING),
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers by their keys."""
    return {**TRIGGERS}
