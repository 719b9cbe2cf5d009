"""Any server that speaks OpenAI's API and that somebody else runs.

LM Studio, vLLM, LocalAI, llama.cpp on a Mac, another rig's bridge: on this machine, or in the
house. Source: OpenAI's API reference, `GET /v1/models`; vLLM adds `max_model_len`.
"""

from dataclasses import replace
from typing import Any

from ..plugin import PluginContext
from ..wire.messages import Model
from .watched import MAX_MODELS, MAX_NAME, WatchedConfig, WatchedRunner


class OpenAiConfig(WatchedConfig):
    """`draws`: its models make pictures and answer no questions."""

    draws: bool = False


class Plugin(WatchedRunner):
    """A server with OpenAI's API."""

    Config = OpenAiConfig
    plugin = "openai"

    def __init__(self, config: OpenAiConfig, gpus: tuple[str, ...], context: PluginContext) -> None:
        super().__init__(config, gpus, context)
        self._config = config
        self.upstream = replace(self.upstream, draws=config.draws)
        self.models = tuple(self._model(name, None) for name in config.models)

    async def look(self) -> None:
        """Ask for the models; see `WatchedRunner`."""
        listed = (await self.ask("GET", "/v1/models")).get("data")
        found = {
            one["id"]: one.get("max_model_len")
            for one in (listed if isinstance(listed, list) else [])
            if isinstance(one, dict) and isinstance(one.get("id"), str)
            if 0 < len(one["id"]) <= MAX_NAME
        }
        if absent := next((name for name in self._config.models if name not in found), None):
            serves = ", ".join(list(found)[:8]) or "none"
            raise self.fault("model_missing", f"has no model {absent!r} (it has: {serves})")
        if not found:
            raise self.fault("model_missing", "serves no model; load one there")
        offered = self._config.models or list(found)[:MAX_MODELS]
        self.models = tuple(self._model(name, found[name]) for name in offered)

    def _model(self, name: str, context: Any) -> Model:
        known = context if isinstance(context, int) and context > 0 else None
        return Model(
            id=name,
            context_tokens=self._config.context_tokens or known,
            sees=self._config.sees and not self._config.draws,
            draws=self._config.draws,
        )
