"""`GET /hashcenter/proof?nonce=...`: the rig shows that it knows its key, before anybody sends it.

The answer holds one proof per key that is taken now, over the caller's nonce and this server's
certificate; see certificate.py. It says nothing to who does not know the key already.
"""

import re
from collections.abc import Callable
from typing import Final

from aiohttp import web

from .api_error import bad_request
from .certificate import proof

PATH: Final = "/hashcenter/proof"
#: 16 to 64 bytes in hexadecimal.
_NONCE: Final = re.compile(r"(?:[0-9a-f]{2}){16,64}")


def add_proof(
    app: web.Application, keys: Callable[[], tuple[str, ...]], fingerprint: bytes
) -> None:
    """Let `app` prove itself, served with the certificate of this fingerprint."""

    async def answer(request: web.Request) -> web.Response:
        nonce = request.query.get("nonce", "")
        if not _NONCE.fullmatch(nonce):
            raise bad_request("nonce must be 16 to 64 bytes in small hexadecimal digits")
        proofs = [proof(key, bytes.fromhex(nonce), fingerprint) for key in keys()]
        return web.json_response({"proofs": proofs})

    app.router.add_get(PATH, answer)
