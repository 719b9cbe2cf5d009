"""Conditions of our own, for the same entities as the triggers: ours alone, also by area."""

from typing import ClassVar, Final, override

from homeassistant.components.binary_sensor import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .rigs.registry import ours
from .wire.values import Activity


class OfOurs(EntityStateConditionBase):
    """Looks at entities of ours with one key, diagnostic ones included."""

    _primary_entities_only = False
    key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return ours(self._hass, super().entity_filter(entities), self.key)


def _is(domain: str, of: str, state: str) -> type[OfOurs]:
    """Return the condition that entities are in a state."""
    specs = {domain: DomainSpec()}
    states: set[str | bool] = {state}

    class Is(OfOurs):
        _domain_specs = specs
        _states = states
        key = of

    return Is


CONDITIONS: Final[dict[str, type[OfOurs]]] = {
    "is_answering": _is(SENSOR_DOMAIN, "activity", Activity.ANSWERING),
    "is_backup_needed": _is(BINARY_SENSOR_DOMAIN, "needs_backup", STATE_ON),
    "is_hashing": _is(SENSOR_DOMAIN, "activity", Activity.HASHING),
    "is_heat_cheaper": _is(BINARY_SENSOR_DOMAIN, "cheaper_than_alternative", STATE_ON),
    "is_inference_available": _is(BINARY_SENSOR_DOMAIN, "inference_available", STATE_ON),
    "is_reachable": _is(BINARY_SENSOR_DOMAIN, "connectivity", STATE_ON),
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions by their keys."""
    return {**CONDITIONS}
