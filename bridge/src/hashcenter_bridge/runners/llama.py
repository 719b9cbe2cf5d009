"""What the runners built on llama.cpp share: their keys in the owner's file, how they are asked.

Each serves one model from one GGUF file, as a child process, on a UNIX socket in the bridge's
private folder. A plugin adds how its program is started.
"""

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Final, Generic, TypeVar

import aiohttp
from pydantic import AfterValidator, Field, StringConstraints

from ..child import ChildSpec
from ..errors import ConfigError, PluginUnavailable
from ..plugin import PluginContext, ProgramConfig
from ..wire.messages import Model
from . import Upstream
from .upstream import session
from .weights import Weights

#: sockaddr_un has 108 bytes for the path, its ending zero included.
_MAX_SOCKET_PATH: Final = 107
_STOP_AFTER_S: Final = 10.0


def _whole_path(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("give the whole path, beginning with /")
    return path


WholePath = Annotated[Path, AfterValidator(_whole_path)]
Sha256 = Annotated[str, StringConstraints(pattern=re.compile(r"^[0-9A-Fa-f]{64}$"))]


class LlamaConfig(ProgramConfig):
    """A runner's keys. What is not given is left to llama.cpp, except where memory is at stake.

    `sha256` pins the weights (a list, one hash per part, where the model is split). `alias` is what
    clients call the model; the file's name without it. `context_tokens` is shared by all `slots`;
    `slots` is how many questions are answered at once.
    """

    model: WholePath
    sha256: Sha256 | tuple[Sha256, ...] | None = None
    alias: str | None = Field(default=None, min_length=1, max_length=120)
    context_tokens: int = Field(default=8192, ge=256)
    slots: int = Field(default=2, ge=1, le=64)
    gpu_layers: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1, le=1024)
    embeddings: bool = False


ConfigT = TypeVar("ConfigT", bound=LlamaConfig)


class LlamaRunner(Generic[ConfigT]):
    """A runner whose program serves OpenAI's API and `/health`; `Runner` says what members mean."""

    plugin: ClassVar[str]
    #: The library that the program needs, and the extra of our package that brings it.
    library: ClassVar[tuple[str, str] | None] = None

    def __init__(self, config: ConfigT, gpus: tuple[str, ...], context: PluginContext) -> None:
        self._require_library(config)
        pins = (config.sha256,) if isinstance(config.sha256, str) else config.sha256 or ()
        self.config = config
        self.name = config.name
        self.gpus = gpus
        self.slots = config.slots
        self.weights = Weights(
            config.model, pins, config.name, context.state / f"weights-{config.name}.json"
        )
        self.alias = config.alias or self.weights.name
        self.context_tokens = min(
            config.context_tokens, self.weights.context_tokens() or config.context_tokens
        )
        self.models = (
            Model(
                id=self.alias,
                size_bytes=self.weights.size_bytes(),
                sha256=self.weights.pins[0] if len(self.weights.pins) == 1 else None,
                context_tokens=self.context_tokens,
            ),
        )
        self.upstream = self.listen(context)
        self.child = ChildSpec(
            self.name, self.argv(), self.environment(), stop_after_s=_STOP_AFTER_S
        )
        self._session: aiohttp.ClientSession | None = None

    def _require_library(self, config: ConfigT) -> None:
        if self.library is not None and find_spec(self.library[0]) is None:
            raise PluginUnavailable(
                f"the runner {config.name!r} needs the library {self.library[0]}: "
                f"pip install 'hashcenter-bridge[{self.library[1]}]'"
            )

    def argv(self) -> tuple[str, ...]:
        """Return the command that starts the program on `upstream`."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what is added to the program's environment."""
        return {}

    def listen(self, context: PluginContext) -> Upstream:
        """Return where the program shall listen. Raises ConfigError when it cannot be there."""
        path = context.runtime / f"{self.name}.sock"
        if len(str(path).encode()) > _MAX_SOCKET_PATH:
            raise ConfigError(
                f"runtime_folder is too long for a socket in it ({path}); use a shorter one"
            )
        return Upstream("http://runner/v1", path)

    async def verify(self) -> None:
        """Check the weights, and remove a socket that nobody listens on any more."""
        await self.weights.verify()
        if (path := self.upstream.unix_socket) is not None:
            absent_or_busy = (FileNotFoundError, BlockingIOError)
            with socket.socket(socket.AF_UNIX) as probe, suppress(*absent_or_busy):
                probe.setblocking(False)
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()

    async def ready(self) -> bool:
        """Whether the model is loaded and the program answers. Raises OSError while it does not."""
        if self._session is None:
            self._session = session(self.upstream)
        url = self.upstream.base_url.removesuffix("/v1") + "/health"
        try:
            async with self._session.get(url) as response:
                return response.status == 200
        except aiohttp.ClientError as err:
            raise ConnectionError(str(err)) from None

    async def close(self) -> None:
        """Let go of the connection; the program itself is the bridge's to stop."""
        if self._session is not None:
            await self._session.close()
