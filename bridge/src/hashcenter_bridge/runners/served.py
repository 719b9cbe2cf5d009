"""What runners share that somebody else starts: an address of the owner's, in the owner's network.

Words never leave the house: an address that is not private is refused unless the owner writes down
that it leaves their network.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
from pydantic import AfterValidator, Field, model_validator

from ..child import ChildSpec
from ..errors import ConfigError
from ..plugin import PluginContext, ProgramConfig
from ..wire.messages import Model
from . import Upstream
from .upstream import session

#: Names that only a house's own resolver knows.
_AT_HOME: Final = (".local", ".lan", ".home", ".internal", ".home.arpa")
_MAX_MODELS: Final = 200
_ASK_WITHIN_S: Final = 4.0


def _plain_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write an address such as http://192.168.1.30:11434")
    return url.rstrip("/").removesuffix("/v1")


Address = Annotated[str, AfterValidator(_plain_url)]


def is_at_home(host: str) -> bool:
    """Return whether a host can only be in the owner's own network, by its name or address."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.lower().endswith(_AT_HOME)
    return address.is_private or address.is_loopback or address.is_link_local


class ServedConfig(ProgramConfig):
    """The keys. `models` are those to offer (all that are there, if none is named).

    `key_file` holds the server's key, if it wants one. `fingerprint` is the sha256 of the
    certificate of an https server that signs its own. `context_tokens` is what the server reads.
    """

    url: Address
    models: tuple[str, ...] = Field(default=(), max_length=_MAX_MODELS)
    slots: int = Field(default=1, ge=1, le=64)
    context_tokens: int | None = Field(default=None, ge=256)
    key_file: Path | None = None
    fingerprint: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{64}$")
    leaves_my_network: bool = False

    @model_validator(mode="after")
    def _stays_at_home(self) -> "ServedConfig":
        host = urlsplit(self.url).hostname or ""
        if not self.leaves_my_network and not is_at_home(host):
            raise ValueError(
                f"{host} is not in your own network, so every word of your house would leave it; "
                "write leaves_my_network = true if that is what you want"
            )
        return self


ConfigT = TypeVar("ConfigT", bound=ServedConfig)


class ServedRunner(Generic[ConfigT]):
    """A runner that somebody else starts; `Runner` says what members mean."""

    plugin: ClassVar[str]

    def __init__(self, config: ConfigT, gpus: tuple[str, ...], _context: PluginContext) -> None:
        self.config = config
        self.name = config.name
        self.gpus = gpus
        self.slots = config.slots
        self.exclusive = False
        self.child: ChildSpec | None = None
        self.models = tuple(self._model(name) for name in config.models)
        self.upstream = Upstream(
            f"{config.url}/v1",
            api_key=_key(config),
            fingerprint=bytes.fromhex(config.fingerprint) if config.fingerprint else None,
        )
        self._session: aiohttp.ClientSession | None = None

    async def verify(self) -> None:
        """Nothing to check: its weights are its own server's business."""

    async def ready(self) -> bool:
        """Ask which models are there; it can answer if one of those to offer is."""
        found = {model.id: model for model in await self.found()}
        wanted = self.config.models or tuple(found)[:_MAX_MODELS]
        self.models = tuple(found[name] for name in wanted if name in found)
        return bool(self.models)

    async def found(self) -> Sequence[Model]:
        """Return the models that are there. Raises OSError while the server does not answer."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()

    def _model(self, name: str, size_bytes: int | None = None) -> Model:
        return Model(id=name, size_bytes=size_bytes, context_tokens=self.config.context_tokens)

    async def _get(self, path: str) -> dict[str, Any]:
        """Return the JSON object at `path`. Raises OSError with a sentence."""
        if self._session is None:
            self._session = session(self.upstream)
        timeout = aiohttp.ClientTimeout(total=_ASK_WITHIN_S)
        where = f"the runner {self.name!r} at {self.config.url}"
        try:
            async with self._session.get(
                f"{self.config.url}{path}", timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise ConnectionError(f"{where} answers with status {response.status}")
                said = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as err:
            raise ConnectionError(
                f"{where} does not answer: {str(err) or 'it is silent'}"
            ) from None
        if not isinstance(said, Mapping):
            raise ConnectionError(f"{where} does not speak the expected protocol")
        return dict(said)


def _key(config: ServedConfig) -> str | None:
    if config.key_file is None:
        return None
    try:
        return config.key_file.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as err:
        why = getattr(err, "strerror", None) or "it is not text"
        raise ConfigError(
            f"runner {config.name!r}: key_file {config.key_file} cannot be read ({why})"
        ) from None
