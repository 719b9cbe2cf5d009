"""llama.cpp's own `llama-server`, whichever build the owner has: CUDA, Vulkan, ROCm, CPU.

It listens on a UNIX socket. A build that is too old for that gets a `port` of the loopback
interface, and a key that is new for each start of the bridge.
"""

import json
import secrets
import shutil
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from ..errors import RunnerFault
from ..log import hide
from ..plugin import PluginContext
from . import Upstream
from .llama import LlamaConfig, LlamaRunner, WholePath


class LlamaServerConfig(LlamaConfig):
    """`binary` is the program; `extra_args` are handed to it as they are, after ours.

    `prompt_cache_mib` bounds how many earlier prompts stay in the machine's memory.
    """

    binary: WholePath
    port: int | None = Field(default=None, ge=1, le=65_535)
    extra_args: tuple[str, ...] = ()
    prompt_cache_mib: int = Field(default=1024, ge=0)

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.port is not None and self.network == "none":
            raise ValueError(
                "a program without a network cannot have a port: leave one of them out"
            )
        return self


class Plugin(LlamaRunner[LlamaServerConfig]):
    """A model served by a llama-server binary."""

    Config = LlamaServerConfig
    plugin = "llama_server"

    def listen(self, context: PluginContext) -> Upstream:
        """Return the UNIX socket, or the port that the owner chose and a new key."""
        if self.config.port is None:
            return super().listen(context)
        url = f"http://127.0.0.1:{self.config.port}/v1"
        return Upstream(url, api_key=hide(secrets.token_urlsafe(32)), is_llama_server=True)

    async def verify(self) -> None:
        """Check that the program is there, then the weights."""
        binary = str(self.config.binary)
        if shutil.which(binary) is None:
            raise RunnerFault(
                "program_missing",
                f"the binary {binary} of the runner {self.name!r} is not there or cannot be "
                "executed; install llama-server or correct binary",
            )
        await super().verify()

    def build(self) -> str:
        """Return which file the program is, and its arguments."""
        binary = self.config.binary.resolve()
        stat = binary.stat()
        return json.dumps([str(binary), stat.st_size, stat.st_mtime_ns, *self.config.extra_args])

    def argv(self) -> tuple[str, ...]:
        """Return the command: only arguments that every build knows."""
        config, upstream = self.config, self.upstream
        listen = (
            ("--host", str(upstream.unix_socket))
            if upstream.unix_socket
            else ("--host", "127.0.0.1", "--port", str(config.port))
        )
        argv = [str(config.binary), *listen]
        argv += ["--model", str(self.weights.parts[0]), "--alias", self.alias]
        argv += ["--ctx-size", str(self.context_tokens), "--parallel", str(self.slots)]
        argv += ["--batch-size", str(self.batch_tokens)]
        argv += ["--ubatch-size", str(self.micro_batch_tokens)]
        if config.gpu_layers is not None:
            argv += ["--n-gpu-layers", str(config.gpu_layers)]
        if config.threads is not None:
            argv += ["--threads", str(config.threads), "--threads-batch", str(config.threads)]
        if self.prompt_store_mib:
            argv += ["--slot-save-path", f"{self.prompt_folder}/"]
        if config.chat_template is not None:
            argv += ["--chat-template-file", str(config.chat_template)]
        if config.embeddings:
            argv += ["--embeddings", "--pooling", "mean"]
        return (*argv, *config.extra_args)

    def environment(self) -> Mapping[str, str]:
        """Return what older builds do not know and ignore, and the key: commands are public."""
        return {
            **super().environment(),
            "LLAMA_ARG_OFFLINE": "1",
            "LLAMA_ARG_UI": "0",
            "LLAMA_ARG_LOG_VERBOSITY": "2",
            "LLAMA_ARG_KV_UNIFIED": "1" if self.slots > 1 else "0",
            # Else every question empties the slots that rest, and with them the house's prompt.
            "LLAMA_ARG_CACHE_IDLE_SLOTS": "0",
            "LLAMA_ARG_CACHE_RAM": str(self.config.prompt_cache_mib),
            **({"LLAMA_API_KEY": self.upstream.api_key} if self.upstream.api_key else {}),
        }
