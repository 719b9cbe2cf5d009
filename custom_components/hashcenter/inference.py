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

from .completion import Endpoint, Patience, AnswerError, stream_completion
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

    rig_id: str
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
        key=lambda rig: (not rig.available, rig.first_token_s, rig.waiting, rig.rig_id),
    )


async def stream_chat(
    house: House, request: dict[str, Any], *, priority: str, rig_id: str | None = None
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of the answer to an OpenAI chat completion `request`.

    `priority` is voice, task or batch; `rig_id` allows this rig only. The model is the rig's own.
    Raises HomeAssistantError, translated: AnswerError where a rig was asked; if several were, that
    of the first.
    """
    rigs = ranked(house, rig_id)
    if not rigs:
        raise _nobody(house, rig_id)
    failure: AnswerError | None = None
    for rig in rigs:
        try:
            async with aclosing(
                _ask(house, rig, request, priority, last=rig is rigs[-1])
            ) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        except AnswerError as err:
            if err.began:
                raise
            failure = failure or err
    assert failure is not None
    raise failure


def _ask(
    house: House, rig: Candidate, request: dict[str, Any], priority: str, *, last: bool
) -> AsyncGenerator[dict[str, Any]]:
    patience = PATIENCE[priority]
    if not last:
        at_most_s = min(patience.first_token_s, rig.first_token_s + DOUBT_S)
        patience = replace(patience, first_token_s=at_most_s)
    session = async_get_clientsession(house.hass)
    return stream_completion(
        session, rig.endpoint, {**request, "model": rig.model, "stream": True}, priority, patience
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
        rig_id=coordinator.rig_id,
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
