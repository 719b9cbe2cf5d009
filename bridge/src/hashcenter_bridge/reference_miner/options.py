"""The miner's command line, read into values or refused with a sentence.

Names follow xmrig where xmrig has one (`--http-port`, `--http-access-token`, `--threads`). There is
no default pool, and a pool beyond this machine needs its owner's `--user` as well.
"""

import argparse
import ipaddress
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from .. import __version__
from ..errors import BridgeError
from .http_api import Access
from .miner import Settings
from .pool_client import PoolAddress

TOKEN_VARIABLE = "HASHCENTER_MINER_TOKEN"  # noqa: S105 - the name of a variable, not a token
_LOOPBACK_USER = "hashcenter"
NumberT = TypeVar("NumberT", int, float)


class OptionError(BridgeError):
    """An option that cannot work; the miner prints it and exits 2."""


@dataclass(frozen=True)
class Options:
    """Everything the command line says."""

    settings: Settings
    access: Access
    http_host: str
    http_port: int
    verbose: bool


def read_options(argv: Sequence[str] | None, environment: Mapping[str, str]) -> Options:
    """Read the command line (None: this process's). Raises OptionError."""
    given = _parser().parse_args(argv)
    token = given.http_access_token or environment.get(TOKEN_VARIABLE) or None
    if given.http_no_restricted and token is None:
        raise OptionError(
            "--http-no-restricted lets everybody on this machine command the miner and needs a "
            f"token: set {TOKEN_VARIABLE} or give --http-access-token."
        )
    if not _is_loopback(given.http_host) and token is None:
        raise OptionError(
            f"--http-host {given.http_host} opens the API to the network and needs a token: "
            f"set {TOKEN_VARIABLE} or give --http-access-token."
        )
    return Options(
        settings=Settings(
            pool=_read_pool(given.pool, given.user, given.password),
            worker_id=given.api_worker_id or platform.node() or "miner",
            user_agent=f"hashcenter-miner/{__version__}",
            threads=_within("--threads", given.threads, 1, 256),
            cpu_percent=_within("--cpu-percent", given.cpu_percent, 1, 100),
            nice=_within("--nice", given.nice, 0, 19),
        ),
        access=Access(token, restricted=not given.http_no_restricted),
        http_host=given.http_host,
        http_port=_within("--http-port", given.http_port, 0, 65535),
        verbose=given.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hashcenter-miner",
        description="A small sha256d worker for a Stratum v1 pool, driven like xmrig.",
        epilog="It connects to the pool you name and to nothing else. Its first line on stdout is "
        "JSON with the API's port.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--pool", metavar="HOST:PORT", required=True, help="the pool, also stratum+tcp://HOST:PORT")
    add("--user", help="user or address at the pool; required unless the pool is on this machine")
    add("--password", default="x", help="password at the pool (default: x)")
    add("--threads", type=int, default=1, help="hashing processes (default: 1)")
    add("--cpu-percent", type=float, default=100.0, help="share of a core each may use (100)")
    add("--nice", type=int, default=19, help="niceness of the hashing processes (default: 19)")
    add("--http-host", default="127.0.0.1", help="where the API listens (default: 127.0.0.1)")
    add("--http-port", type=int, default=0, help="its port (default: 0, any free one)")
    add("--http-access-token", metavar="TOKEN", help=f"bearer token (better: {TOKEN_VARIABLE})")
    add("--http-no-restricted", action="store_true", help="allow pause, resume and stop")
    add("--api-worker-id", metavar="NAME", help="the miner's name (default: this host's)")
    add("--verbose", action="store_true", help="log what the pool says")
    return parser


def _read_pool(text: str, user: str | None, password: str) -> PoolAddress:
    try:
        url = urlsplit(text if "://" in text else f"stratum+tcp://{text}")
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
    if host is None or port is None or url.scheme != "stratum+tcp" or url.path.strip("/"):
        raise OptionError(f"--pool {text!r} is not HOST:PORT or stratum+tcp://HOST:PORT.")
    if user is None:
        if not _is_loopback(host):
            raise OptionError(f"--pool {text!r} is not on this machine: say as whom with --user.")
        user = _LOOPBACK_USER
    return PoolAddress(host, port, user, password)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _within(name: str, value: NumberT, low: int, high: int) -> NumberT:
    if not low <= value <= high:
        raise OptionError(f"{name} {value:g} is not between {low} and {high}.")
    return value
