"""What runners share that somebody else starts: where they are, their key, whether they answer.

The bridge asks such a server and watches it; it can neither start nor end it. It is on this machine
or on another one of the house: words leave the house only by the owner's word.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from pydantic import Field, StringConstraints, field_validator, model_validator

from ..child import ChildSpec
from ..config import is_loopback
from ..errors import ConfigError, RunnerFault
from ..log import hide
from ..plugin import PluginContext, ProgramConfig
from ..wire.messages import Model
from . import Sharing, Upstream
from .upstream import session

#: How long a server may take to say what it serves.
ANSWERS_WITHIN_S: Final = 5.0
#: A server that was well may be too busy with an answer to say so; after so long it hangs.
BUSY_FOR_S: Final = 60.0
#: No list of models is longer.
_MAX_BYTES: Final = 1 << 20
#: Names that no public name server gives out (RFC 6762, RFC 8375, ICANN's `internal`), routers'.
_HOUSE_NAMES: Final = (".local", ".lan", ".home", ".home.arpa", ".internal", ".localdomain", ".box")

#: No server's list is longer, and no name.
MAX_MODELS: Final = 200
MAX_NAME: Final = 120
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME)]
Sha256 = Annotated[str, StringConstraints(pattern=re.compile(r"^[0-9A-Fa-f]{64}$"))]


def in_the_house(host: str) -> bool:
    """Whether `host` is an address or a name that only exists inside a house's network."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host.rstrip(".") or host.rstrip(".").lower().endswith(_HOUSE_NAMES)


class WatchedConfig(ProgramConfig):
    """`url` is where the server listens, with or without /v1; `key_file` holds the key it wants.

    On another machine it is https (`fingerprint` is the sha256 of a certificate that no authority
    signed, such as another rig's), or `plain`, by the owner's word; `leaves_my_network` allows an
    address outside. There it uses no GPU of this rig, so that `gpus` is left out. `slots` is how
    many questions it works on at once, `context_tokens` what its models read, where it does not say
    that itself. `models` are those that are offered; all of them if none is named. `sees`: they
    take pictures in questions.
    """

    url: str
    key_file: Path | None = None
    fingerprint: Sha256 | None = None
    plain: bool = False
    leaves_my_network: bool = False
    slots: int = Field(default=1, ge=1, le=64)
    models: tuple[ModelName, ...] = Field(default=(), max_length=MAX_MODELS)
    context_tokens: int | None = Field(default=None, ge=256)
    sees: bool = False
    sharing: Sharing = "auto"

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parts = urlsplit(url)
        path = parts.path.rstrip("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("write an address such as http://127.0.0.1:1234")
        if path not in {"", "/v1"} or parts.query or parts.fragment:
            raise ValueError("write only the address, such as http://127.0.0.1:1234")
        return url.rstrip("/").removesuffix("/v1")

    @property
    def host(self) -> str:
        """The server's machine."""
        return urlsplit(self.url).hostname or ""

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        if is_loopback(self.host):
            return self
        if not in_the_house(self.host) and not self.leaves_my_network:
            raise ValueError(
                f"what people say would leave the house ({self.host}); name a server inside it, or "
                "write leaves_my_network = true to live with it"
            )
        if self.url.startswith("http:") and not self.plain:
            raise ValueError(
                "everybody in the network could read what people say; write https, or plain = true "
                "to live with it"
            )
        if "gpus" in self.model_fields_set and self.gpus:
            raise ValueError("it runs on another machine, so leave gpus out")
        return self

    def key(self) -> str | None:
        """Return the server's key. Raises ConfigError when its file cannot be read."""
        if self.key_file is None:
            return None
        try:
            return hide(self.key_file.expanduser().read_text().strip())
        except (OSError, UnicodeDecodeError) as err:
            why = getattr(err, "strerror", None) or "it is not text in UTF-8"
            raise ConfigError(
                f"[[runner]] {self.name} key_file: {self.key_file} cannot be read ({why})"
            ) from None

    def upstream(self) -> Upstream:
        """Return how it is reached. Raises ConfigError when its key cannot be read."""
        return Upstream(
            f"{self.url}/v1",
            api_key=self.key(),
            elsewhere=not is_loopback(self.host),
            fingerprint=bytes.fromhex(self.fingerprint) if self.fingerprint else None,
        )


class WatchedRunner:
    """A runner that the bridge did not start; `Runner` says what its members mean.

    `clock` counts seconds.
    """

    plugin: str
    child: ChildSpec | None = None

    def __init__(
        self,
        config: WatchedConfig,
        gpus: tuple[str, ...],
        _context: PluginContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = config.name
        self.config: ProgramConfig = config
        self.upstream = config.upstream()
        self.gpus = () if self.upstream.elsewhere else gpus
        self.slots = config.slots
        self.sharing = config.sharing
        self.models: tuple[Model, ...] = ()
        self._url = config.url
        self._clock = clock
        self._well_at: float | None = None
        self._session: aiohttp.ClientSession | None = None

    async def look(self) -> None:
        """Ask what it serves and set `models`. Raises RunnerFault, or OSError when it is gone."""
        raise NotImplementedError

    async def verify(self) -> None:
        """Raise RunnerFault unless the server is there and serves what it should."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await self.look()
        except TimeoutError:
            raise self.fault("runner_silent", "does not answer; look what it is doing") from None
        except OSError as err:
            raise self.fault("runner_unreachable", f"cannot be reached ({err})") from None

    async def ready(self) -> bool:
        """Whether it can answer now. Raises RunnerFault with what is wrong."""
        try:
            await self.verify()
        except RunnerFault as fault:
            busy = self._well_at is not None and self._clock() - self._well_at < BUSY_FOR_S
            if fault.code == "runner_silent" and busy:
                return True
            self._well_at = None
            raise
        self._well_at = self._clock()
        return True

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()

    def fault(self, code: str, what: str) -> RunnerFault:
        """Return what is wrong with the server, in a sentence."""
        return RunnerFault(code, f"the server of runner {self.name!r} at {self._url} {what}")

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the server's answer. Raises RunnerFault, or OSError when it is not there."""
        if self._session is None:
            self._session = session(self.upstream)
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, allow_redirects=False
            ) as response:
                status, data = response.status, await self._read(response)
        except aiohttp.ClientError as err:
            raise ConnectionError(str(err) or type(err).__name__) from None
        if status in {401, 403}:
            raise self.fault("runner_refuses", "refuses this rig's key; correct key_file")
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            said = None
        if status != 200 or not isinstance(said, dict):
            error = said.get("error") if isinstance(said, dict) else None
            text = error if isinstance(error, str) else f"status {status}"
            what = f"did not answer {path} as it should ({text[:200]}); correct url"
            raise self.fault("runner_strange", what)
        return said

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        data = b""
        async for piece in response.content.iter_any():
            data += piece
            if len(data) > _MAX_BYTES:
                raise self.fault("runner_strange", "says too much; correct url")
        return data
