"""Work that nobody waits for: queued on a rig, run when its heat is wanted, fetched by its id.

The rig keeps tasks over restarts and never runs one twice; so that this holds here as well, a task
goes to another rig only if the first one cannot have heard of it.
"""

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..coordinator import RigCoordinator
from ..errors import error
from ..house import House
from ..wire.values import Favor
from .completion import AnswerError, refused
from .contact import Endpoint
from .inference import endpoint_of, nobody
from .prompt import Json
from .tool_calls import json_object

_LOGGER = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=3)
_INSTRUCTIONS: Final = "You work on tasks for a home. Do what is asked and nothing else."
_MAX_TOKENS: Final = 8192


class Run(StrEnum):
    """When a task runs: when the house wants the heat of it, or as soon as possible."""

    HEAT = "heat"
    NOW = "now"


@dataclass(frozen=True)
class Wish:
    """A task as somebody wants it. `form` is the schema of data, if it shall be data."""

    instructions: str
    deadline_s: float
    run: Run = Run.HEAT
    task_id: str | None = None
    form: Json | None = None


async def async_queue(house: House, wish: Wish, rig_id: str | None = None) -> Json:
    """Queue a task and return its outline; `rig_id` names the only rig that may have it.

    Raises HomeAssistantError, translated.
    """
    request: Json = {
        "messages": [
            {"role": "system", "content": _INSTRUCTIONS},
            {"role": "user", "content": wish.instructions},
        ],
        "max_tokens": _MAX_TOKENS,
    }
    if wish.form is not None:
        form = {"name": "answer", "strict": True, "schema": wish.form}
        request["response_format"] = {"type": "json_schema", "json_schema": form}
    body = {
        "id": wish.task_id or secrets.token_hex(8),
        "request": request,
        "deadline_s": wish.deadline_s,
        "run": wish.run,
    }
    order = _order(house, rig_id)
    if not order:
        raise nobody(house, rig_id)
    for rig, endpoint in order:
        try:
            return {"rig": rig.name, **await _ask(house, endpoint, "POST", "", body)}
        except AnswerError as err:
            last = endpoint is order[-1][1]
            if last or err.translation_key not in ("rig_unreachable", "rig_busy"):
                raise
            _LOGGER.debug("The task goes to another rig: %s", err)
    raise AssertionError  # the last one was returned or raised


async def async_result(house: House, task_id: str) -> Json:
    """Return what became of a task, with its answer if it has one. Raises HomeAssistantError."""
    rig, found = await _find(house, "GET", task_id)
    text = _text(found.pop("answer", None))
    failure = found.pop("error", None)
    return {
        "rig": rig.name,
        **found,
        "text": text,
        "data": json_object(text) if text else None,
        "error": str(failure.get("message", "")) if isinstance(failure, dict) else None,
    }


async def async_cancel(house: House, task_id: str) -> None:
    """Cancel a task, and have its words deleted. Raises HomeAssistantError."""
    await _find(house, "DELETE", task_id)


async def _find(house: House, method: str, task_id: str) -> tuple[RigCoordinator, Json]:
    """Ask the rigs for a task until one knows it."""
    failure: HomeAssistantError = error("task_not_found", task=task_id)
    for rig in house.rigs.values():
        if (endpoint := endpoint_of(rig)) is None:
            continue
        try:
            return rig, await _ask(house, endpoint, method, f"/{task_id}")
        except AnswerError as err:
            if err.translation_key != "task_not_found":
                # It may be the one that has it.
                failure = err
    raise failure


async def _ask(
    house: House, endpoint: Endpoint, method: str, path: str, body: Json | None = None
) -> Json:
    try:
        async with await endpoint.async_request(
            async_get_clientsession(house.hass),
            method,
            f"/hashcenter/tasks{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            timeout=_TIMEOUT,
        ) as response:
            if response.status == HTTPStatus.NO_CONTENT:
                return {}
            if response.status == HTTPStatus.NOT_FOUND:
                raise AnswerError("task_not_found", endpoint.name)
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise await refused(response, endpoint.name)
            said = await response.json()
    except aiohttp.ClientConnectorError as err:
        raise AnswerError("rig_unreachable", endpoint.name) from err
    except (TimeoutError, aiohttp.ClientError, ValueError) as err:
        raise AnswerError("answer_broken", endpoint.name) from err
    return said if isinstance(said, dict) else {}


def _order(house: House, rig_id: str | None) -> list[tuple[RigCoordinator, Endpoint]]:
    """Return the rigs that can take a task: those whose heat is wanted first."""
    found = [
        (rig, endpoint)
        for rig in house.rigs.values()
        if rig_id in (None, rig.rig_id)
        if (endpoint := endpoint_of(rig)) is not None
        if rig.data.live is not None and rig.data.live.inference is not None
        if not rig.data.live.stopped
    ]
    return sorted(found, key=lambda one: (not _wants_heat(one[0]), one[0].rig_id))


def _wants_heat(rig: RigCoordinator) -> bool:
    """Return whether the house leases the rig more than it draws idle, for anything but hashing."""
    live, inventory = rig.data.live, rig.data.inventory
    idle_w = {heater.id: heater.idle_w for heater in (inventory.heaters if inventory else ())}
    return any(
        heater.lease is not None
        and heater.lease.favor != Favor.HASHING
        and heater.lease.power_w > idle_w.get(heater.id, 0.0)
        for heater in (live.heaters if live else ())
    )


def _text(answer: object) -> str | None:
    """Return the words of a chat completion."""
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    content: Any = message.get("content") if isinstance(message, Mapping) else None
    return content if isinstance(content, str) else None
