"""Is this the rig's key? Asked of the rig itself, only ever at an address that a person saw."""

from http import HTTPStatus
from typing import Final

import aiohttp
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..answers.contact import Endpoint, NotProvenError

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


async def async_refusal(hass: HomeAssistant, host: str, key: str) -> str | None:
    """Return why the rig at `host` does not take `key` (an error of the flows), None if it does."""
    session = async_get_clientsession(hass)
    try:
        response = await Endpoint("", host, key).async_request(
            session, "GET", "/v1/models", timeout=_TIMEOUT
        )
    except NotProvenError:
        return "wrong_key"
    except aiohttp.ClientError, TimeoutError, ValueError:
        return "cannot_connect"
    status = response.status
    response.close()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "wrong_key"
    return None if status == HTTPStatus.OK else "cannot_connect"
