"""llama.cpp's server from a Python wheel (`pip install 'hashcenter-bridge[xllamacpp]'`).

The library never enters the bridge: `xllamacpp_child.py` serves in a process of its own.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from pydantic import Field

from .llama import LlamaConfig, LlamaRunner


class XllamacppConfig(LlamaConfig):
    """`prompt_cache_mib` bounds how many earlier prompts stay in the machine's memory."""

    prompt_cache_mib: int = Field(default=1024, ge=0)


class Plugin(LlamaRunner[XllamacppConfig]):
    """A model served by xllamacpp."""

    Config = XllamacppConfig
    plugin = "xllamacpp"
    library = ("xllamacpp", "xllamacpp")

    def build(self) -> str:
        """Return the library's version."""
        return version("xllamacpp")

    def argv(self) -> tuple[str, ...]:
        """Return the command: this Python, the child's script, its settings as JSON."""
        settings = {
            "model": str(self.weights.parts[0]),
            "alias": self.alias,
            "socket": str(self.upstream.unix_socket),
            "context_tokens": self.context_tokens,
            "slots": self.slots,
            "batch_tokens": self.batch_tokens,
            "micro_batch_tokens": self.micro_batch_tokens,
            "gpu_layers": self.config.gpu_layers,
            "threads": self.config.threads,
            "embeddings": self.config.embeddings,
            "chat_template": str(self.config.chat_template) if self.config.chat_template else None,
            "prompt_folder": str(self.prompt_folder) if self.prompt_store_mib else None,
            "prompt_cache_mib": self.config.prompt_cache_mib,
        }
        # -P: the script's folder, where a file is named like the library, must not be searched.
        script = Path(__file__).with_name("xllamacpp_child.py")
        return sys.executable, "-P", str(script), json.dumps(settings)
