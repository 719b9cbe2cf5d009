"""The way to a rig's API: its key goes only to a server that has proven that it knows it.

A rig beyond its own machine speaks HTTPS with a certificate of its own making. Before the first
contact the certificate that the connection shows is looked at, and the rig is asked for its proof:
an HMAC with the key over a fresh nonce and that certificate (the bridge's certificate.py). It is
pinned then, for as long as the house lives; another certificate has to prove itself anew.
"""

import asyncio
import hashlib
import hmac
import secrets
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from yarl import URL

_CONTEXT: Final = b"hashcenter proof v1\0"
_PROVE_S: Final = 10.0
_LOOK = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# Nothing is said on the connection that looks; the one that asks is bound to what was seen.
_LOOK.check_hostname, _LOOK.verify_mode = False, ssl.CERT_NONE


class NotProvenError(aiohttp.ClientError):
    """A server answers at the rig's address and does not know the rig's key."""


class Pin:
    """The certificate that proved itself, by address and key."""

    def __init__(self) -> None:
        """Know none yet."""
        self._proven: dict[tuple[str, str], aiohttp.Fingerprint] = {}

    async def async_ssl(
        self, session: aiohttp.ClientSession, url: str, key: str
    ) -> aiohttp.Fingerprint | bool:
        """Return what to trust at `url`; plain HTTP has nothing to prove.

        Raises NotProvenError, aiohttp.ClientError or TimeoutError.
        """
        if URL(url).scheme != "https":
            return True
        if (url, key) not in self._proven:
            async with asyncio.timeout(_PROVE_S):
                self._proven[url, key] = await _prove(session, url, key)
        return self._proven[url, key]

    def forget(self) -> None:
        """Have every server prove itself again."""
        self._proven.clear()


@dataclass(frozen=True)
class Endpoint:
    """Where a rig answers: its name for people, its URL and its key."""

    name: str
    url: str
    key: str = field(repr=False)
    pin: Pin = field(default_factory=Pin, repr=False, compare=False)

    async def async_request(
        self, session: aiohttp.ClientSession, method: str, path: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask the rig with its key; a redirect is not followed, the key would go with it.

        Raises NotProvenError, aiohttp.ClientError or TimeoutError.
        """
        options["headers"] = {
            **options.get("headers", {}),
            "Authorization": f"Bearer {self.key}",
        }
        url = f"{self.url.rstrip('/')}{path}"
        trusted = await self.pin.async_ssl(session, self.url, self.key)
        with suppress(aiohttp.ServerFingerprintMismatch):
            return await session.request(method, url, ssl=trusted, allow_redirects=False, **options)
        # A rig that was set up anew has another certificate, and still the key.
        self.pin.forget()
        trusted = await self.pin.async_ssl(session, self.url, self.key)
        return await session.request(method, url, ssl=trusted, allow_redirects=False, **options)


async def _prove(session: aiohttp.ClientSession, url: str, key: str) -> aiohttp.Fingerprint:
    """Return the certificate of the server at `url`, which knows `key`."""
    fingerprint = await _shown(URL(url))
    pinned = aiohttp.Fingerprint(fingerprint)
    nonce = secrets.token_bytes(32)
    async with session.get(
        f"{url.rstrip('/')}/hashcenter/proof",
        params={"nonce": nonce.hex()},
        ssl=pinned,
        allow_redirects=False,
    ) as response:
        proofs: object = None
        if response.status == HTTPStatus.OK:
            with suppress(ValueError):
                said = await response.json()
                proofs = said.get("proofs") if isinstance(said, dict) else None
    ours = hmac.new(key.encode(), _CONTEXT + nonce + fingerprint, hashlib.sha256).hexdigest()
    shown = [one for one in proofs if isinstance(one, str)] if isinstance(proofs, list) else []
    if not any(hmac.compare_digest(ours.encode(), one.encode()) for one in shown):
        raise NotProvenError("the server does not know the key")
    return pinned


async def _shown(url: URL) -> bytes:
    """Return the fingerprint of the certificate that a server shows. Raises aiohttp.ClientError."""
    try:
        _, line = await asyncio.open_connection(url.host, url.port, ssl=_LOOK)
    except OSError as err:
        raise aiohttp.ClientConnectionError(str(err)) from err
    try:
        der = line.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        line.close()
    return hashlib.sha256(der or b"").digest()
