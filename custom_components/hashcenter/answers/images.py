"""Images on their way to a model that sees, as data in the question itself: nothing is fetched.

A model reads a few hundred pixels each way; larger images only take time, so they are made smaller.
A rig takes questions of 2 MiB: several images share what is left of that beside the words.
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
#: One image, and all of them together. In a question their data are longer by a third.
MAX_BYTES: Final = 700_000
WHOLE_BYTES: Final = 1_200_000
#: With more of them there would be nothing left to see.
MAX_IMAGES: Final = 24
_AS_IS: Final = frozenset({"image/jpeg", "image/png"})
#: Pixels of the longer side and JPEG's quality, until an image is small enough.
_SIZES: Final = (
    (MAX_SIDE, 85), (MAX_SIDE, 70), (1120, 80), (784, 80), (560, 75), (392, 70), (280, 60)
)  # fmt: skip


async def async_data_urls(
    hass: HomeAssistant, attachments: Iterable[Attachment]
) -> Mapping[Path, str]:
    """Return the images as data URLs by their path. Raises HomeAssistantError, translated."""
    return await hass.async_add_executor_job(_read_all, list(attachments))


def _read_all(attachments: list[Attachment]) -> dict[Path, str]:
    if len(attachments) > MAX_IMAGES:
        raise error("too_many_images", most=str(MAX_IMAGES))
    most_bytes = min(MAX_BYTES, WHOLE_BYTES // max(1, len(attachments)))
    return {one.path: _read(one, most_bytes) for one in attachments}


def _read(attachment: Attachment, most_bytes: int) -> str:
    name = attachment.path.name
    if not attachment.mime_type.startswith("image/"):
        raise error("attachment_no_image", name=name)
    try:
        data = attachment.path.read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            kind = Image.MIME.get(image.format or "", "")
            if kind in _AS_IS and len(data) <= most_bytes and max(image.size) <= MAX_SIDE:
                return _url(kind, data)
            # The way the camera was held is in the file beside the pixels.
            return _url("image/jpeg", _smaller(ImageOps.exif_transpose(image), most_bytes))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
        raise error("attachment_unreadable", name=name) from err


def _smaller(image: Image.Image, most_bytes: int) -> bytes:
    """Return a JPEG of at most so many bytes, as large as that allows."""
    shown, made = image.convert("RGB"), io.BytesIO()
    for side, quality in _SIZES:
        shown.thumbnail((side, side))
        made = io.BytesIO()
        shown.save(made, "JPEG", quality=quality)
        if made.tell() <= most_bytes:
            break
    return made.getvalue()


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def kind_of(data: bytes) -> str | None:
    """Return the MIME type of an image that can be shown, None if it is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return Image.MIME.get(image.format or "")
    except OSError, ValueError, SyntaxError, Image.DecompressionBombError:
        return None
