"""Actions for work that nobody waits for: queue a task, see what became of it, cancel it."""

from datetime import timedelta
from typing import Any, Final

import probatio
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    llm,
    selector,
)

from ..const import DOMAIN
from ..errors import mistake
from ..house import House
from ..rigs.registry import rig_of
from .prompt import Json
from .task_queue import Run, Wish, async_cancel, async_queue, async_result

SERVICE_QUEUE_TASK: Final = "queue_task"
SERVICE_TASK_RESULT: Final = "task_result"
SERVICE_CANCEL_TASK: Final = "cancel_task"

ATTR_ID: Final = "id"
ATTR_INSTRUCTIONS: Final = "instructions"
ATTR_STRUCTURE: Final = "structure"
ATTR_DEADLINE: Final = "deadline"
ATTR_RUN: Final = "run"

_DEADLINE: Final = timedelta(days=1)
_ID: Final = probatio.All(cv.string, probatio.Match(r"^[A-Za-z0-9_-]{1,64}$"))
#: As Home Assistant's own action for data has it.
_FIELD: Final = probatio.Schema(
    {
        probatio.Optional("description"): str,
        probatio.Optional("required"): bool,
        probatio.Required("selector"): selector.validate_selector,
    }
)
_QUEUE: Final = probatio.Schema(
    {
        probatio.Required(ATTR_INSTRUCTIONS): cv.string,
        probatio.Optional(ATTR_STRUCTURE): probatio.Schema({str: _FIELD}),
        probatio.Optional(ATTR_DEADLINE, default=_DEADLINE): probatio.All(
            cv.time_period, probatio.Range(min=timedelta(seconds=1), max=timedelta(days=30))
        ),
        probatio.Optional(ATTR_RUN, default=Run.HEAT): probatio.All(
            probatio.In(list(Run)), probatio.Coerce(Run)
        ),
        probatio.Optional(ATTR_ID): _ID,
        probatio.Optional(ATTR_DEVICE_ID): cv.string,
    }
)
_BY_ID: Final = probatio.Schema({probatio.Required(ATTR_ID): _ID})


@callback
def async_setup_task_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_QUEUE_TASK,
        _async_queue,
        schema=_QUEUE,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.services.async_register(
        DOMAIN,
        SERVICE_TASK_RESULT,
        _async_result,
        schema=_BY_ID,
        supports_response=SupportsResponse.ONLY,
    )
    hass.services.async_register(DOMAIN, SERVICE_CANCEL_TASK, _async_cancel, schema=_BY_ID)


async def _async_queue(call: ServiceCall) -> Json:
    house = _house(call.hass)
    wish = Wish(
        instructions=call.data[ATTR_INSTRUCTIONS],
        deadline_s=call.data[ATTR_DEADLINE].total_seconds(),
        run=call.data[ATTR_RUN],
        task_id=call.data.get(ATTR_ID),
        form=_form(call.data.get(ATTR_STRUCTURE)),
    )
    return await async_queue(house, wish, _rig(call.hass, call.data.get(ATTR_DEVICE_ID)))


async def _async_result(call: ServiceCall) -> Json:
    return await async_result(_house(call.hass), call.data[ATTR_ID])


async def _async_cancel(call: ServiceCall) -> None:
    await async_cancel(_house(call.hass), call.data[ATTR_ID])


def _house(hass: HomeAssistant) -> House:
    """Return the house. Raises ServiceValidationError if it is not there."""
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, DOMAIN)
    if entry is None or entry.state is not ConfigEntryState.LOADED:
        raise mistake("no_house")
    house: House = entry.runtime_data
    return house


def _rig(hass: HomeAssistant, device_id: str | None) -> str | None:
    """Return the rig that a device is. Raises ServiceValidationError if it is none."""
    if device_id is None:
        return None
    device = dr.async_get(hass).async_get(device_id)
    rig_id = rig_of(device) if device else None
    if rig_id is None:
        raise mistake("no_rig", device=device_id)
    return rig_id


def _form(structure: dict[str, Any] | None) -> Json | None:
    """Return the schema of the data that is asked for."""
    if not structure:
        return None
    fields: dict[probatio.Marker, Any] = {}
    for name, field in structure.items():
        marker = probatio.Required if field.get("required") else probatio.Optional
        fields[marker(name, description=field.get("description"))] = selector.selector(
            field["selector"]
        )
    schema: Json = probatio.to_openapi(
        probatio.Schema(fields, extra=probatio.PREVENT_EXTRA),
        custom_serializer=llm.selector_serializer,
        openapi_version="3.1.0",
    )
    return schema
