"""Ollama, as its owner runs it: the models that it has pulled, none of its cloud.

It answers over its OpenAI-compatible API; which models there are comes from its own. It queues
requests by itself (OLLAMA_NUM_PARALLEL is what `slots` should say).
Source: Ollama's API reference: `GET /api/tags`; cloud models have `remote_host` or end in `-cloud`.
"""

from collections.abc import Sequence
from typing import Any, Final

from ..wire.messages import Model
from .served import Address, ServedConfig, ServedRunner

_CLOUD: Final = ("-cloud", ":cloud")


class OllamaConfig(ServedConfig):
    """The keys of every such server; it is taken to run on this machine, on all its GPUs."""

    url: Address = "http://127.0.0.1:11434"


class Plugin(ServedRunner[OllamaConfig]):
    """An Ollama server."""

    Config = OllamaConfig
    plugin = "ollama"

    async def found(self) -> Sequence[Model]:
        """Return the models on its disk. Raises OSError."""
        listed = (await self._get("/api/tags")).get("models")
        if not isinstance(listed, list):
            raise ConnectionError(f"{self.config.url} is not an Ollama server")
        return [model for one in listed if (model := self._pulled(one)) is not None]

    def _pulled(self, entry: Any) -> Model | None:
        """Return a model that answers on this machine; None for Ollama's cloud."""
        if not isinstance(entry, dict):
            return None
        name, size = entry.get("name"), entry.get("size")
        if not isinstance(name, str) or not 0 < len(name) <= 120:
            return None
        if entry.get("remote_host") or entry.get("remote_model") or name.endswith(_CLOUD):
            return None
        return self._model(name, size if isinstance(size, int) and size >= 0 else None)
