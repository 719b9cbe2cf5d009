"""What is asked of a rig over HTTP besides answers: to get ready, to let go again.

All of it is for speed only. A rig that does not know a request, or does not answer, is let be.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..errors import reason
from .contact import Endpoint

_LOGGER = logging.getLogger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def async_warm(hass: HomeAssistant, endpoint: Endpoint, body: dict[str, Any]) -> bool:
    """Say that the question that begins with `body` is about to come; return whether it is heard.

    `id` in it names who is about to ask; with `background` nobody is, the prompt has changed.
    """
    return await _async_say(hass, endpoint, "POST", "/hashcenter/warm", body)


async def async_let_go(hass: HomeAssistant, endpoint: Endpoint, who: str) -> None:
    """Say that no question comes from `who` after all."""
    await _async_say(hass, endpoint, "DELETE", f"/hashcenter/warm?id={quote(who, safe='')}")


async def _async_say(
    hass: HomeAssistant,
    endpoint: Endpoint,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
) -> bool:
    try:
        async with await endpoint.async_request(
            async_get_clientsession(hass),
            method,
            path,
            # One way to write it, so that equal prompts are equal bytes.
            data=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json"},
            timeout=_TIMEOUT,
        ) as response:
            return response.status < HTTPStatus.MULTIPLE_CHOICES
    except (aiohttp.ClientError, TimeoutError) as err:
        _LOGGER.debug("%s did not hear %s %s: %s", endpoint.name, method, path, reason(err))
        return False
