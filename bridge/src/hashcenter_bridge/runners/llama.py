"""What the runners built on llama.cpp share: their keys in the owner's file, how they are asked.

Each serves one model from one GGUF file, as a child process, on a UNIX socket in the bridge's
private folder. A plugin adds how its program is started.
"""

import hashlib
import json
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

import aiohttp
from pydantic import AfterValidator, Field, StringConstraints

from .. import fit
from ..child import ChildSpec
from ..errors import ConfigError, PluginUnavailable, RunnerFault
from ..plugin import PluginContext, ProgramConfig
from ..wire.messages import Model
from . import Sharing, Upstream, gguf_header
from .gguf import NotGguf
from .upstream import session
from .weights import Trust, Weights

#: sockaddr_un has 108 bytes for the path, its ending zero included.
_MAX_SOCKET_PATH: Final = 107
_STOP_AFTER_S: Final = 10.0
#: A step of a prompt: some 0.2 s of a card, and of a processor with a small model.
_GPU_BATCH_TOKENS: Final = 512
_CPU_BATCH_TOKENS: Final = 128
#: What is embedded is read in one step, whole.
_EMBEDDING_BATCH_TOKENS: Final = 2048
#: The most that is computed at once, unless it must be.
_MICRO_BATCH_TOKENS: Final = 512
#: Threads that wait for each other soon sleep instead of spinning: where anything else runs on the
#: same cores (measured: two threads, one core busy besides), spinning is up to ten times slower.
#: Source: the GNU OpenMP manual, GOMP_SPINCOUNT and OMP_WAIT_POLICY.
_PATIENT_THREADS: Final = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


def _whole_path(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_absolute():
        raise ValueError("give the whole path, beginning with /")
    return path


WholePath = Annotated[Path, AfterValidator(_whole_path)]
Sha256 = Annotated[str, StringConstraints(pattern=re.compile(r"^[0-9A-Fa-f]{64}$"))]


class LlamaConfig(ProgramConfig):
    """A runner's keys. What is not given is left to llama.cpp, except where memory is at stake.

    `sha256` pins the weights (a list, one hash per part, where the model is split). `signed_by`
    is a public key in PEM (elliptic curve): the weights must be signed with it (OpenSSF Model
    Signing) in `signature`, or in the file named like the model with `.sig` added. `alias` is what
    clients call the model; the file's name without it. `context_tokens` is shared by all `slots`;
    `slots` is how many questions are answered at once; where there are several, the first is kept
    for voice. `batch_tokens` is how much of a prompt is read in one step: somebody who speaks waits
    no longer for somebody else's prompt. `prompt_store_mib` bounds what is kept on the disk of the
    house's prompt, already read, so that no start reads it again; 0 keeps nothing. `sharing` says
    whether a miner may stay in the memory of the same GPUs, or has to leave it for the model.
    `network`: the program has none ("none"), none where this machine's kernel allows that ("auto"),
    or this machine's ("host").
    `chat_template` is a file with another template than the one in the weights: for models whose
    own knows no tools, or writes them where they spoil the cache.
    """

    model: WholePath
    sha256: Sha256 | tuple[Sha256, ...] | None = None
    signed_by: WholePath | None = None
    signature: WholePath | None = None
    alias: str | None = Field(default=None, min_length=1, max_length=120)
    context_tokens: int = Field(default=8192, ge=256)
    slots: int = Field(default=2, ge=1, le=64)
    batch_tokens: int | None = Field(default=None, ge=16, le=8192)
    gpu_layers: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1, le=1024)
    embeddings: bool = False
    chat_template: WholePath | None = None
    prompt_store_mib: int = Field(default=2048, ge=0, le=1_000_000)
    sharing: Sharing = "auto"
    network: Literal["auto", "none", "host"] = "auto"


ConfigT = TypeVar("ConfigT", bound=LlamaConfig)


class LlamaRunner(Generic[ConfigT]):
    """A runner whose program serves OpenAI's API and `/health`; `Runner` says what members mean."""

    plugin: ClassVar[str]
    #: The library that the program needs, and the extra of our package that brings it.
    library: ClassVar[tuple[str, str] | None] = None
    #: Whether the program is llama.cpp's own server, whatever it is packed in.
    is_llama_server: ClassVar[bool] = True

    def __init__(self, config: ConfigT, gpus: tuple[str, ...], context: PluginContext) -> None:
        self._require_library(config)
        pins = (config.sha256,) if isinstance(config.sha256, str) else config.sha256 or ()
        self.config = config
        self.name = config.name
        self.gpus = gpus
        self.slots = config.slots
        self.sharing = config.sharing
        self.weights = Weights(
            config.model,
            Trust(pins, config.signed_by, config.signature),
            config.name,
            context.state,
        )
        self.alias = config.alias or self.weights.name
        self.context_tokens = min(
            config.context_tokens, self.weights.context_tokens() or config.context_tokens
        )
        self.models = (
            Model(
                id=self.alias,
                size_bytes=self.weights.size_bytes(),
                sha256=self.weights.expected(),
                context_tokens=self.context_tokens,
            ),
        )
        self._template: str | None = None
        self.upstream = self.listen(context)
        self.prompt_folder = context.state / "prompts" / config.name
        self.prompt_store_mib = config.prompt_store_mib
        self.child = ChildSpec(
            self.name,
            self.argv(),
            self.environment(),
            stop_after_s=_STOP_AFTER_S,
            # Only a UNIX socket leads into an empty network.
            network=config.network if self.upstream.unix_socket else "host",
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
        return _PATIENT_THREADS

    def estimated_mib(self) -> float | None:
        """Return what the model takes on each GPU, by its file's header; see `EstimatesMemory`."""
        size = self.weights.size_bytes()
        if not self.gpus or size is None:
            return None
        try:
            header = gguf_header.read(self.config.model)
            shape = fit.shape(header.metadata, header.parameters, size)
        except (OSError, NotGguf, KeyError, TypeError, ValueError):
            return None
        layers = self.config.gpu_layers
        part = 1.0 if layers is None else min(1.0, layers / max(1, shape.layers))
        cards = len(self.gpus)
        whole = fit.needed_bytes(shape, size, self.context_tokens, cards)
        overhead = fit.OVERHEAD_BYTES * cards
        return ((whole - overhead) * part + overhead) / cards / 1024**2

    @property
    def batch_tokens(self) -> int:
        """How many tokens of a prompt are read in one step."""
        usual = _GPU_BATCH_TOKENS if self.gpus else _CPU_BATCH_TOKENS
        if self.config.embeddings:
            usual = min(self.context_tokens, _EMBEDDING_BATCH_TOKENS)
        return self.config.batch_tokens or usual

    @property
    def micro_batch_tokens(self) -> int:
        """How many of them are computed at once."""
        if self.config.embeddings:
            return self.batch_tokens
        return min(self.batch_tokens, _MICRO_BATCH_TOKENS)

    def listen(self, context: PluginContext) -> Upstream:
        """Return where the program shall listen. Raises ConfigError when it cannot be there."""
        path = context.runtime / f"{self.name}.sock"
        if len(str(path).encode()) > _MAX_SOCKET_PATH:
            raise ConfigError(
                f"runtime_folder is too long for a socket in it ({path}); use a shorter one"
            )
        return Upstream("http://runner/v1", path, is_llama_server=self.is_llama_server)

    async def verify(self) -> None:
        """Check the weights, and remove a socket that nobody listens on any more."""
        await self.weights.verify()
        self._look_at_template()
        if self.prompt_store_mib:
            try:
                self.prompt_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as err:
                raise RunnerFault(
                    "prompt_folder",
                    f"the folder {self.prompt_folder} for the prompts of runner {self.name!r} "
                    f"cannot be made ({err.strerror}); repair it, or set prompt_store_mib = 0",
                ) from None
        if (path := self.upstream.unix_socket) is not None:
            absent_or_busy = (FileNotFoundError, BlockingIOError)
            with socket.socket(socket.AF_UNIX) as probe, suppress(*absent_or_busy):
                probe.setblocking(False)
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink()

    def _look_at_template(self) -> None:
        """Note which template is given in place of the one in the weights."""
        self._template = None
        if (file := self.config.chat_template) is None:
            return
        try:
            self._template = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as err:
            raise RunnerFault(
                "template_unreadable",
                f"the chat template {file} of runner {self.name!r} cannot be read: {err.strerror}; "
                "put it there or correct chat_template",
            ) from None

    @property
    def doubt(self) -> str:
        """What the owner should look at although it serves, in a sentence; empty if nothing."""
        with suppress(RunnerFault):
            record = self.weights.record() if self._template else None
            if record is not None and self._template not in record.templates:
                return (
                    f"the chat template {self.config.chat_template} of runner {self.name!r} is "
                    "another than when its model was added; look at it, then: hashcenter models "
                    f"add {self.weights.parts[0]}"
                )
        return ""

    def build(self) -> str:
        """Return what the program is: another build may not understand a saved state."""
        raise NotImplementedError

    async def identity(self, *, read: bool) -> str | None:
        """Return what a saved state depends on; see `KeepsPrompts`."""
        try:
            weights = await self.weights.hashes(read=read)
        except RunnerFault as fault:
            raise OSError(fault.text) from None
        if weights is None:
            return None
        made_by = [self.plugin, self.build(), self.context_tokens, self.slots, self.gpus != ()]
        return json.dumps([*weights, *made_by])

    async def ready(self) -> bool:
        """Whether the model is loaded and the program answers. Raises OSError while it does not."""
        if self._session is None:
            self._session = session(self.upstream)
        try:
            async with self._session.get(f"{self.upstream.root_url}/health") as response:
                return response.status == 200
        except aiohttp.ClientError as err:
            raise ConnectionError(str(err)) from None

    async def close(self) -> None:
        """Let go of the connection; the program itself is the bridge's to stop."""
        if self._session is not None:
            await self._session.close()
