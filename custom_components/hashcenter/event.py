"""Events: what a rig says has happened: faults, pre-emptions, refusals, safety actions.

Nothing is kept at the broker, so an event is shown once, when it is said. Its kind is the event's
type; the rig's own code and sentence are in the attributes, also those of a newer bridge.
"""

from enum import StrEnum
from functools import partial
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import RigCoordinator
from .entity import Makers, RigEntity, async_follow, rig_owner, unique_id
from .house import HashcenterConfigEntry
from .wire.messages import Event
from .wire.values import Severity

PARALLEL_UPDATES = 0


class Kind(StrEnum):
    """What sort of thing happened."""

    FAULT = "fault"
    RECOVERED = "recovered"
    PREEMPTED = "preempted"
    REFUSED = "refused"
    STOP_ALL = "stop_all"
    PAIRED = "paired"
    TASK_DONE = "task_done"
    TASK_FAILED = "task_failed"
    TASK = "task"
    OTHER = "other"


_BY_CODE: Final = {
    **{kind.value: kind for kind in (Kind.PREEMPTED, Kind.REFUSED, Kind.STOP_ALL, Kind.PAIRED)},
    "task_done": Kind.TASK_DONE,
    "task_failed": Kind.TASK_FAILED,
    "task_expired": Kind.TASK_FAILED,
    "task_running": Kind.TASK,
    "task_cancelled": Kind.TASK,
}
#: How the code of a fault ends once the fault is over.
_OVER: Final = "_over"

EVENTS: Final = EventEntityDescription(key="events", event_types=list(Kind))


def kind_of(event: Event) -> Kind:
    """Return the kind of an event; a code that is not known is judged by its severity."""
    if event.code in _BY_CODE:
        return _BY_CODE[event.code]
    if event.code.endswith(_OVER):
        return Kind.RECOVERED
    return Kind.OTHER if event.severity == Severity.INFO else Kind.FAULT


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HashcenterConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Have the events of each rig."""
    for rig in entry.runtime_data.rigs.values():
        async_follow(rig, async_add_entities, partial(_wanted, rig))


def _wanted(rig: RigCoordinator) -> Makers:
    """Return the rig's events."""
    return {unique_id(rig_owner(rig), EVENTS.key): partial(RigEvents, rig, EVENTS)}


class RigEvents(RigEntity, EventEntity):
    """What happens on a rig."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.async_add_event_listener(self._happened))

    @callback
    def _happened(self, event: Event) -> None:
        device = self.coordinator.data.described(event.uid) if event.uid else None
        said: dict[str, str] = {
            "code": event.code,
            "text": event.text,
            "severity": event.severity,
        }
        if device is not None:
            said["device"] = device.name
        if event.task is not None:
            said["task"] = event.task
        self._trigger_event(kind_of(event), said)
        self.async_write_ha_state()
