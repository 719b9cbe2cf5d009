"""Images drawn by a rig that runs an image server: OpenAI's images API, one image at a time.

A rig that fails is passed over for the next one that draws; nobody has seen anything of the image.

Source: OpenAI API reference, `POST /v1/images/generations` with `response_format: b64_json`, as
stable-diffusion.cpp's server and LocalAI speak it.
"""

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..errors import reason
from .completion import AnswerError, refused
from .images import kind_of
from .inference import Artist

_LOGGER = logging.getLogger(__name__)

#: A picture takes minutes on a small card, and its rig may have to make room for it first.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=900, sock_connect=3)
MAX_ANSWER_BYTES: Final = 48 << 20


@dataclass(frozen=True)
class Drawing:
    """An image. `revised` is what was drawn, where the server changed what was asked."""

    data: bytes
    mime_type: str
    model: str
    revised: str | None


async def async_draw(hass: HomeAssistant, artists: Sequence[Artist], wish: str) -> Drawing:
    """Return an image of `wish` by the first of the rigs that can. Raises AnswerError."""
    failure: AnswerError | None = None
    for artist in artists:
        try:
            return await _draw(hass, artist, wish)
        except AnswerError as err:
            # The next one would let somebody wait for as long once more.
            if err.translation_key == "rig_too_slow":
                raise
            failure = failure or err
    assert failure is not None
    raise failure


async def _draw(hass: HomeAssistant, artist: Artist, wish: str) -> Drawing:
    name = artist.endpoint.name
    body = {"model": artist.model, "prompt": wish, "n": 1, "response_format": "b64_json"}
    try:
        async with await artist.endpoint.async_request(
            async_get_clientsession(hass),
            "POST",
            "/v1/images/generations",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "X-Hashcenter-Priority": "task"},
            timeout=_TIMEOUT,
        ) as response:
            if response.status != HTTPStatus.OK:
                raise await refused(response, name)
            answer = await _limited(response)
    except TimeoutError as err:
        raise AnswerError("rig_too_slow", name) from err
    except aiohttp.ClientError as err:
        _LOGGER.debug("No image from %s: %s", name, reason(err))
        raise AnswerError("rig_unreachable", name) from err
    if (drawing := _drawing(answer, artist.model)) is None:
        raise AnswerError("answer_broken", name)
    return drawing


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    while piece := await response.content.readany():
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("the image is too large")
    return bytes(data)


def _drawing(answer: bytes, model: str) -> Drawing | None:
    """Return the image in an answer, None if there is none."""
    try:
        one = json.loads(answer)["data"][0]
        data = base64.b64decode(one["b64_json"], validate=True)
        revised = one.get("revised_prompt")
    except ValueError, LookupError, TypeError, AttributeError, RecursionError:
        return None
    kind = kind_of(data)
    if kind is None:
        return None
    return Drawing(data, kind, model, revised if isinstance(revised, str) else None)
