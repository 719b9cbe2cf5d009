"""The OpenAI server of llama-cpp-python (`pip install 'hashcenter-bridge[llama-cpp-python]'`).

One question at a time. One that is not streamed is worked out to its end even if its client hung
up: the library cannot be stopped there. It never enters the bridge: `llama_cpp_python_child.py`
serves in a process of its own.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from .llama import LlamaConfig, LlamaRunner


class LlamaCppPythonConfig(LlamaConfig):
    """The keys of every llama.cpp runner; there is one slot."""

    slots: Literal[1] = 1


class Plugin(LlamaRunner[LlamaCppPythonConfig]):
    """A model served by llama-cpp-python."""

    Config = LlamaCppPythonConfig
    plugin = "llama_cpp_python"
    library = ("llama_cpp", "llama-cpp-python")
    is_llama_server = False

    def build(self) -> str:
        """Return the library's version."""
        return version("llama-cpp-python")

    def argv(self) -> tuple[str, ...]:
        """Return the command: this Python, the child's script, its socket, its settings as JSON."""
        layers = self.config.gpu_layers
        settings: dict[str, str | int | bool] = {
            "model": str(self.weights.parts[0]),
            "model_alias": self.alias,
            "n_ctx": self.context_tokens,
            "n_batch": self.batch_tokens,
            "n_gpu_layers": layers if layers is not None else (-1 if self.gpus else 0),
            "embedding": self.config.embeddings,
        }
        if self.config.threads is not None:
            settings |= {"n_threads": self.config.threads, "n_threads_batch": self.config.threads}
        script = Path(__file__).with_name("llama_cpp_python_child.py")
        # -P: the script's folder, where a file is named like the library, must not be searched.
        return (
            *(sys.executable, "-P", str(script)),
            *(str(self.upstream.unix_socket), json.dumps(settings)),
        )
