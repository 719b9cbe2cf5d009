"""Is this the rig's key? Asked of the rig itself, only ever at an address that a person saw.

A redirect is not followed: the key would go with it.
"""

from http import HTTPStatus
from typing import Final

import aiohttp
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


async def async_refusal(hass: HomeAssistant, host: str, key: str) -> str | None:
    """Return why the rig at `host` does not take `key` (an error of the flows), None if it does."""
    try:
        async with async_get_clientsession(hass).get(
            f"{host}/v1/models",
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT,
            allow_redirects=False,
        ) as response:
            status = response.status
    except aiohttp.ClientError, TimeoutError, ValueError:
        return "cannot_connect"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return "wrong_key"
    return None if status == HTTPStatus.OK else "cannot_connect"
