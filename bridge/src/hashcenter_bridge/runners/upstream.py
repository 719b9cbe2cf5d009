"""How the bridge speaks to a runner: one HTTP session per upstream, and no proxies, ever.

A connection serves one request: over a UNIX socket a new one costs a tenth of a millisecond, a
runner closes idle ones whenever it likes, and closing it is how an answer is called off.
"""

import aiohttp

from . import Upstream

CONNECT_WITHIN_S = 5.0


def session(upstream: Upstream) -> aiohttp.ClientSession:
    """Return a session for `upstream`; its requests have no time limit of their own."""
    connector: aiohttp.BaseConnector
    if upstream.unix_socket is not None:
        connector = aiohttp.UnixConnector(str(upstream.unix_socket), force_close=True, limit=0)
    else:
        trusted = aiohttp.Fingerprint(upstream.fingerprint) if upstream.fingerprint else True
        connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=trusted)
    headers = {"Accept-Encoding": "identity"}
    if upstream.api_key is not None:
        headers["Authorization"] = f"Bearer {upstream.api_key}"
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN_S),
    )
