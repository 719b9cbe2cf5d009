"""Any server in the owner's network that speaks OpenAI's API.

LM Studio, vLLM, LocalAI, llama-swap, a Mac, another bridge. The bridge neither starts nor stops it.
`gpus` names those of this machine that it answers on, so that miners there give way; for a server
on another machine that is none.
Source: OpenAI API reference, `GET /v1/models`.
"""

from collections.abc import Sequence
from typing import Literal

from ..wire.messages import Model
from .served import ServedConfig, ServedRunner


class OpenaiConfig(ServedConfig):
    """The keys of every such server; it is taken to be on another machine."""

    gpus: Literal["all"] | tuple[int | str, ...] = ()


class Plugin(ServedRunner[OpenaiConfig]):
    """A server that speaks OpenAI's API."""

    Config = OpenaiConfig
    plugin = "openai"

    async def found(self) -> Sequence[Model]:
        """Return the models that it lists. Raises OSError."""
        listed = (await self._get("/v1/models")).get("data")
        if not isinstance(listed, list):
            raise ConnectionError(f"{self.config.url} does not list its models")
        names = [one.get("id") for one in listed if isinstance(one, dict)]
        return [
            self._model(name) for name in names if isinstance(name, str) and 0 < len(name) <= 120
        ]
