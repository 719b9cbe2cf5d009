"""Words to the rigs: chooses the rig that answers soonest and streams its answer.

`ranked` orders the accepted rigs by what their last `state` says; `stream_chat` asks them in that
order. A rig that fails before its first token is passed over for the next one; after that the
answer stays with its rig. Keys go only to the host that a person confirmed. There is no cloud: when
no rig can answer, that is said at once, from what is already known.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from . import issues
from .completion import AnswerError, Endpoint, Patience, stream_completion
from .const import DOMAIN
from .coordinator import RigCoordinator
from .house import House

#: How late beyond its own prediction a rig may be while another one could answer, in seconds.
DOUBT_S = 10.0

PATIENCE: Mapping[str, Patience] = {
    "voice": Patience(),
    "task": Patience(first_token_s=600.0, stall_s=60.0, whole_s=3600.0),
    "batch": Patience(first_token_s=3600.0, stall_s=120.0, whole_s=7200.0),
}


@dataclass(frozen=True)
class Candidate:
    """A rig that can be asked now. `first_token_s` is its own prediction."""

    rig: RigCoordinator
    endpoint: Endpoint
    model: str
    available: bool
    first_token_s: float
    waiting: int


def ranked(house: House, rig_id: str | None = None) -> list[Candidate]:
    """Return the rigs that can answer, or are about to, soonest first; `rig_id` fixes the rig."""
    candidates = [
        candidate
        for coordinator in house.rigs.values()
        if rig_id in (None, coordinator.rig_id)
        if (candidate := _candidate(coordinator)) is not None
    ]
    return sorted(
        candidates,
        key=lambda one: (not one.available, one.first_token_s, one.waiting, one.rig.rig_id),
    )


async def stream_chat(
    house: House, request: dict[str, Any], *, priority: str, rig_id: str | None = None
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of the answer to an OpenAI chat completion `request`.

    `priority` is voice, task or batch; `rig_id` allows this rig only. The model is the rig's own.
    Raises HomeAssistantError, translated: AnswerError where a rig was asked; if several were, that
    of the first.
    """
    candidates = ranked(house, rig_id)
    if not candidates:
        raise _nobody(house, rig_id)
    failure: AnswerError | None = None
    for candidate in candidates:
        last = candidate is candidates[-1]
        try:
            async with aclosing(_ask(house, candidate, request, priority, last=last)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        except AnswerError as err:
            if err.translation_key == issues.WRONG_KEY:
                issues.async_raise_wrong_key(house.hass, house.config_entry, candidate.rig)
            if err.began:
                raise
            failure = failure or err
    assert failure is not None
    raise failure


def _ask(
    house: House, candidate: Candidate, request: dict[str, Any], priority: str, *, last: bool
) -> AsyncGenerator[dict[str, Any]]:
    patience = PATIENCE[priority]
    if not last:
        at_most_s = min(patience.first_token_s, candidate.first_token_s + DOUBT_S)
        patience = replace(patience, first_token_s=at_most_s)
    return stream_completion(
        async_get_clientsession(house.hass),
        candidate.endpoint,
        {**request, "model": candidate.model, "stream": True},
        priority,
        patience,
    )


def _candidate(coordinator: RigCoordinator) -> Candidate | None:
    """Return the rig as somebody to ask; None if it cannot answer, or may not be contacted."""
    rig, key = coordinator.data, coordinator.key
    inference = rig.live and rig.live.inference
    if not (rig.live and rig.inventory and rig.endpoint_url and inference and key):
        return None
    if rig.live.stopped or rig.endpoint_url != coordinator.host:
        return None
    if not inference.available and inference.first_token_s is None:
        return None
    models = [model.id for runner in rig.inventory.runners for model in runner.models]
    return Candidate(
        rig=coordinator,
        endpoint=Endpoint(coordinator.name, rig.endpoint_url, key),
        model=inference.model or next(iter(models), ""),
        available=inference.available,
        first_token_s=math.inf if inference.first_token_s is None else inference.first_token_s,
        waiting=inference.waiting,
    )


def _nobody(house: House, rig_id: str | None) -> HomeAssistantError:
    """Return why no rig can be asked."""
    rigs = [rig for rig in house.rigs.values() if rig_id in (None, rig.rig_id)]
    if not any(rig.key for rig in rigs):
        why = "no_rig_with_key"
    elif any(rig.data.live and rig.data.live.stopped for rig in rigs):
        why = "everything_stopped"
    else:
        why = "no_rig_available"
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=why)
