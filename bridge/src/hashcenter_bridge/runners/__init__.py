"""Programs that answer: OpenAI-compatible servers that the bridge starts, watches and can kill.

Never in the bridge's own process: only a process's exit gives video memory back.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from ..child import ChildSpec
from ..plugin import ProgramConfig
from ..wire.messages import Model

Sharing: TypeAlias = Literal["auto", "together", "exclusive"]


@dataclass(frozen=True)
class Upstream:
    """Where a runner listens: `base_url` (with /v1), through a UNIX socket if one is named.

    `is_llama_server`: it understands what llama.cpp's server adds to OpenAI's API. `elsewhere`: it
    is another machine, which uses no device of this rig. `fingerprint` is the sha256 of the
    certificate that it must show; without it the system's authorities are asked.
    `draws`: it makes pictures and answers no questions.
    """

    base_url: str
    unix_socket: Path | None = None
    api_key: str | None = None
    is_llama_server: bool = False
    elsewhere: bool = False
    fingerprint: bytes | None = None
    draws: bool = False

    @property
    def root_url(self) -> str:
        """The address without /v1, where a server's own routes begin."""
        return self.base_url.removesuffix("/v1")


class Runner(Protocol):
    """One program that answers; `slots` is how many requests it works on at once.

    `sharing`: whether a miner may be in the memory of its GPUs beside it; "auto": where both fit.
    """

    name: str
    plugin: str
    config: ProgramConfig
    gpus: tuple[str, ...]
    slots: int
    models: tuple[Model, ...]
    upstream: Upstream
    child: ChildSpec | None
    sharing: Sharing

    async def verify(self) -> None:
        """Check the weights, before every start. Raises RunnerFault when missing or altered."""

    async def ready(self) -> bool:
        """Return whether it can answer now; False while it loads."""

    async def close(self) -> None:
        """Let go of it; the child is stopped by whoever started it."""


@runtime_checkable
class KeepsPrompts(Protocol):
    """A runner with llama.cpp's slots: a prompt can be read ahead, saved and restored.

    States are kept in `prompt_folder`, at most `prompt_store_mib` of them; 0 saves none.
    """

    name: str
    upstream: Upstream
    prompt_folder: Path
    prompt_store_mib: int

    async def identity(self, *, read: bool) -> str | None:
        """Return what a saved state depends on: weights, build, context.

        Without `read` the weights are not read for it: None if they never were. Raises OSError.
        """


@runtime_checkable
class HasDoubt(Protocol):
    """A runner that may serve although its owner should look at something."""

    @property
    def doubt(self) -> str:
        """What to look at, in a sentence; empty if nothing."""


@runtime_checkable
class EstimatesMemory(Protocol):
    """A runner that can tell from its model's file what it will take."""

    def estimated_mib(self) -> float | None:
        """Return what it takes on each of its GPUs, None if that cannot be told."""


@runtime_checkable
class LoadsModels(Protocol):
    """A runner in somebody else's server that loads and unloads its model when it is asked to."""

    async def ready(self) -> bool:
        """Return whether it can answer now. Raises RunnerFault with what is wrong."""

    async def load(self) -> None:
        """Have the model loaded, to stay. Raises RunnerFault when the server refuses."""

    async def unload(self) -> None:
        """Have its memory given back. Raises RunnerFault when the server refuses."""

    async def loaded(self) -> bool:
        """Return whether it holds memory. Raises RunnerFault when that cannot be known."""
