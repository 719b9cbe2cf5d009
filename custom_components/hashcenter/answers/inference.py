"""Words to the rigs: asks the rig that answers soonest and streams its answer.

`candidates` orders the accepted rigs by what their last `state` says and what happened before
(rig_choice.py); `stream_chat` asks them in that order. A rig that fails before its first token is
passed over for the next one; after that the answer stays with its rig. Keys go only to the host
that a person confirmed. There is no cloud: when no rig can answer, that is said at once, from what
is already known.
"""

import hashlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .. import issues
from ..coordinator import RigCoordinator
from ..errors import error
from ..house import House
from ..wire.messages import Model
from ..wire.values import Activity, Favor
from .chat import carries_token
from .completion import AnswerError, Patience, stream_completion
from .contact import Endpoint
from .rig_choice import Offer, ranked

_LOGGER = logging.getLogger(__name__)

#: How late beyond its own prediction a rig may be while another one could answer, in seconds.
DOUBT_S: Final = 10.0

PATIENCE: Mapping[str, Patience] = {
    "voice": Patience(),
    "task": Patience(first_token_s=600.0, stall_s=60.0, whole_s=3600.0),
    "batch": Patience(first_token_s=3600.0, stall_s=120.0, whole_s=7200.0),
}

#: What is wrong with the question, or was a refusal that the rig's next word will tell about too.
_NO_FAILURE: Final = frozenset(
    {"conversation_too_long", "question_too_large", "rig_busy", "rig_loading", "rig_stopped"}
)


@dataclass(frozen=True)
class Candidate:
    """A rig that can be asked now. `wait_s` is how long its first token may be expected to take."""

    rig: RigCoordinator
    boot_id: str
    endpoint: Endpoint
    model: str
    wait_s: float
    reason: str


def prompt_id(request: Mapping[str, Any]) -> str:
    """Return the hash of what questions share: the instructions and the tools of a request."""
    shared: list[Any] = [request.get("tools")]
    for message in request.get("messages", []):
        if message.get("role") != "system":
            break
        shared.append(message)
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Artist:
    """A rig with a model that draws."""

    endpoint: Endpoint
    model: str


def candidates(
    house: House, rig_id: str | None = None, prompt: str = "", *, sees: bool = False
) -> list[Candidate]:
    """Return the rigs that can answer, or are about to, in the order in which to ask them.

    `rig_id` fixes the rig; `prompt` is what `prompt_id` says of the question; `sees` asks for a
    model that sees images.
    """
    found = {
        coordinator.rig_id: (coordinator, offer, endpoint)
        for coordinator in house.rigs.values()
        if rig_id in (None, coordinator.rig_id)
        if (endpoint := endpoint_of(coordinator)) is not None
        if (offer := _offer(coordinator)) is not None
        if not sees or _model(coordinator, sees=True)
    }
    offers = [offer for _, offer, _ in found.values()]
    listed: list[Candidate] = []
    for choice in ranked(offers, house.asked, prompt, time.monotonic()):
        coordinator, offer, endpoint = found[choice.rig_id]
        listed.append(
            Candidate(
                rig=coordinator,
                boot_id=offer.boot_id,
                endpoint=endpoint,
                model=_model(coordinator, sees=sees),
                wait_s=choice.wait_s,
                reason=choice.reason,
            )
        )
    return listed


def endpoint_of(coordinator: RigCoordinator) -> Endpoint | None:
    """Return where words to the rig go; None without a key, or at an address nobody confirmed."""
    url = coordinator.data.endpoint_url
    if not url or not coordinator.key or url != coordinator.host:
        return None
    return Endpoint(coordinator.name, url, coordinator.key, coordinator.pin)


def artists(house: House, rig_id: str | None = None) -> list[Artist]:
    """Return the rigs that can draw, those that do not hash first; `rig_id` fixes the rig."""
    found: list[tuple[bool, str, Artist]] = []
    for coordinator in house.rigs.values():
        rig, endpoint = coordinator.data, endpoint_of(coordinator)
        model = next((model.id for model in _models(coordinator) if model.draws), None)
        if rig_id not in (None, coordinator.rig_id) or endpoint is None or model is None:
            continue
        if rig.live is not None and not rig.live.stopped:
            hashing = rig.live.activity == Activity.HASHING
            found.append((hashing, coordinator.rig_id, Artist(endpoint, model)))
    return [artist for _, _, artist in sorted(found, key=lambda one: one[:2])]


async def stream_chat(
    house: House,
    request: dict[str, Any],
    *,
    priority: str,
    rig_id: str | None = None,
    sees: bool = False,
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the chunks of the answer to an OpenAI chat completion `request`.

    `priority` is voice, task or batch; `rig_id` allows this rig only; `sees` asks for a model that
    sees images. The model is the rig's own.
    Raises HomeAssistantError, translated: AnswerError where a rig was asked; if several were, that
    of the first.
    """
    prompt = prompt_id(request)
    order = candidates(house, rig_id, prompt, sees=sees)
    if not order:
        raise error("no_rig_sees") if candidates(house, rig_id) else nobody(house, rig_id)
    failure: AnswerError | None = None
    for candidate in order:
        _LOGGER.debug("%s is asked: %s", candidate.rig.name, candidate.reason)
        last, began = candidate is order[-1], False
        try:
            async with aclosing(_ask(house, candidate, request, priority, last=last)) as chunks:
                async for chunk in chunks:
                    if not began and (began := carries_token(chunk)):
                        issues.async_answered(house.hass, candidate.rig)
                        house.asked = house.asked.read(
                            candidate.rig.rig_id, candidate.boot_id, prompt
                        )
                    yield chunk
        except AnswerError as err:
            err.rig_id = candidate.rig.rig_id
            if err.translation_key == issues.WRONG_KEY:
                issues.async_raise_wrong_key(house.hass, house.config_entry, candidate.rig)
            if err.translation_key not in _NO_FAILURE:
                house.asked = house.asked.failed(
                    candidate.rig.rig_id, candidate.boot_id, time.monotonic()
                )
            if err.began:
                raise
            failure = failure or err
        else:
            return
    assert failure is not None
    raise failure


def _ask(
    house: House, candidate: Candidate, request: dict[str, Any], priority: str, *, last: bool
) -> AsyncGenerator[dict[str, Any]]:
    patience = PATIENCE[priority]
    if not last:
        at_most_s = min(patience.first_token_s, candidate.wait_s + DOUBT_S)
        patience = replace(patience, first_token_s=at_most_s)
    return stream_completion(
        async_get_clientsession(house.hass),
        candidate.endpoint,
        {**request, "model": candidate.model, "stream": True},
        priority,
        patience,
    )


def _offer(coordinator: RigCoordinator) -> Offer | None:
    """Return what the rig offers, None if it cannot answer."""
    rig, live = coordinator.data, coordinator.data.live
    inference = live and live.inference
    if not (live and rig.inventory and inference) or live.stopped:
        return None
    if not inference.available and inference.first_token_s is None:
        return None
    answering = {heater.id for heater in rig.inventory.heaters if heater.can_answer}
    favors = [one.lease.favor for one in live.heaters if one.lease and one.id in answering]
    return Offer(
        rig_id=coordinator.rig_id,
        boot_id=live.boot_id,
        available=inference.available,
        first_token_s=inference.first_token_s,
        waiting=inference.waiting,
        hashing=live.activity == Activity.HASHING,
        favor=next(iter(favors), Favor.BALANCED),
        prompt_warm=inference.prompt_warm,
    )


def _models(coordinator: RigCoordinator) -> list[Model]:
    inventory = coordinator.data.inventory
    return [model for runner in (inventory.runners if inventory else ()) for model in runner.models]


def _model(coordinator: RigCoordinator, *, sees: bool) -> str:
    """Return the model that the rig has loaded, or its first; empty if none of them sees."""
    rig = coordinator.data
    models = [model for model in _models(coordinator) if not model.draws]
    if sees:
        models = [model for model in models if model.sees]
    loaded = rig.live.inference.model if rig.live and rig.live.inference else None
    if loaded and (not sees or loaded in [model.id for model in models]):
        return loaded
    return next((model.id for model in models), "")


def nobody(house: House, rig_id: str | None) -> HomeAssistantError:
    """Return why no rig can be asked."""
    rigs = [rig for rig in house.rigs.values() if rig_id in (None, rig.rig_id)]
    if not any(rig.key for rig in rigs):
        why = "no_rig_with_key"
    elif any(rig.data.live and rig.data.live.stopped for rig in rigs):
        why = "everything_stopped"
    else:
        why = "no_rig_available"
    return error(why)
