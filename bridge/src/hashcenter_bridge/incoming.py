"""What every request to the HTTP API brings: a body that comes in time, and how urgent it is."""

import asyncio
from typing import Final

from aiohttp import web

from .api_error import ApiError, bad_request
from .tickets import Priority

BODY_WITHIN_S: Final = 30.0
#: Names a question's priority, also to a runner: that may be another rig's bridge.
PRIORITY_HEADER: Final = "X-Hashcenter-Priority"
_PRIORITIES: Final = {priority.name.lower(): priority for priority in Priority}


async def body(request: web.Request) -> bytes:
    """Return the whole body. Raises ApiError when it does not come."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await request.read()
    except TimeoutError:
        text = f"the body did not come within {BODY_WITHIN_S:.0f} s"
        raise ApiError(408, "too_slow", text, headers={"Connection": "close"}) from None
    except web.RequestPayloadError:
        raise bad_request("the body cannot be read") from None


def priority(request: web.Request) -> Priority:
    """Return how urgent a question is; a client that does not say is nobody who speaks."""
    name = request.headers.get(PRIORITY_HEADER, "task").lower()
    if name not in _PRIORITIES:
        raise bad_request(f"{PRIORITY_HEADER} must be one of {', '.join(_PRIORITIES)}")
    return _PRIORITIES[name]
