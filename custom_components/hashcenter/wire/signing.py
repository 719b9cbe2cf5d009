"""Signed requests: a house proves that it knows the rig's key, and the key never travels.

Canonical source: bridge/src/hashcenter_bridge/wire. The signature is the last member of the JSON
object, `"signature"`: HMAC-SHA256, in small hexadecimal digits, with the rig's key, over the rig's
id and the very bytes of the object without that member. What is executed are these bytes, so there
is nothing to bring into a canonical form. Replay is not its business: boot_id, tick and seq are
under it.
"""

import hashlib
import hmac
import re
from typing import Final

_CONTEXT: Final = "hashcenter request v1"
_SIGNED: Final = re.compile(rb'(?s)(\{.*),"signature":"([0-9a-f]{64})"\}\s*')


def signature(body: bytes, rig: str, key: str) -> str:
    """Return what only somebody who knows `key` can say of the request `body` to `rig`."""
    said = f"{_CONTEXT}\0{rig}\0".encode() + body
    return hmac.new(key.encode(), said, hashlib.sha256).hexdigest()


def signed(request: str, rig: str, key: str) -> str:
    """Return the JSON object `request` with its signature."""
    return f'{request[:-1]},"signature":"{signature(request.encode(), rig, key)}"}}'


def opened(payload: bytes) -> tuple[bytes, str | None]:
    """Return the request that was signed, and its signature; None if there is none."""
    if (found := _SIGNED.fullmatch(payload)) is None:
        return payload, None
    return found[1] + b"}", found[2].decode()
