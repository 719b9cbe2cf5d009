"""Images on their way to a model that sees, as data in the question itself: nothing is fetched.

A model reads a few hundred pixels each way; larger images only take time, so they are made smaller.
"""

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from homeassistant.components.conversation import Attachment
from homeassistant.core import HomeAssistant
from PIL import Image, ImageOps

from ..errors import error

#: What models that see are made for, in pixels of the longer side.
MAX_SIDE: Final = 1568
#: A smaller file goes as it is, if its side does.
MAX_BYTES: Final = 700_000
_AS_IS: Final = frozenset({"image/jpeg", "image/png"})
_QUALITY: Final = 85


async def async_data_urls(
    hass: HomeAssistant, attachments: Iterable[Attachment]
) -> Mapping[Path, str]:
    """Return the images as data URLs by their path. Raises HomeAssistantError, translated."""
    return await hass.async_add_executor_job(_read_all, list(attachments))


def _read_all(attachments: list[Attachment]) -> dict[Path, str]:
    return {one.path: _read(one) for one in attachments}


def _read(attachment: Attachment) -> str:
    name = attachment.path.name
    if not attachment.mime_type.startswith("image/"):
        raise error("attachment_no_image", name=name)
    try:
        data = attachment.path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            kind = Image.MIME.get(image.format or "", "")
            if kind in _AS_IS and len(data) <= MAX_BYTES and max(image.size) <= MAX_SIDE:
                return _url(kind, data)
            # The way the camera was held is in the file beside the pixels.
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((MAX_SIDE, MAX_SIDE))
            made = io.BytesIO()
            upright.save(made, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
        raise error("attachment_unreadable", name=name) from err
    return _url("image/jpeg", made.getvalue())


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def kind_of(data: bytes) -> str | None:
    """Return the MIME type of an image that can be shown, None if it is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return Image.MIME.get(image.format or "")
    except OSError, ValueError, SyntaxError, Image.DecompressionBombError:
        return None
