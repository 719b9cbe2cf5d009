"""An Ollama server, which is asked to load a model and to give its memory back.

Questions go to Ollama's OpenAI-compatible API. What is in memory, and what it reads there, is
Ollama's own word: it cuts longer prompts without saying so, so that what it reads is published.
Models of Ollama's cloud are never offered: words do not leave the house.
Source: Ollama's docs/api.md: `/api/tags`, `/api/show`, `/api/ps`, and `/api/generate` without a
prompt, which loads a model for `keep_alive` (-1: to stay) or, with 0, unloads it.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from pydantic import Field, model_validator

from ..errors import RunnerFault
from ..plugin import PluginContext
from ..wire.messages import Model
from .watched import MAX_MODELS, MAX_NAME, Sha256, WatchedConfig, WatchedRunner

#: Ollama's own default for how long a model stays: what it gets back when the bridge lets go.
_KEPT_AFTERWARDS: Final = "5m"
_LET_GO_WITHIN_S: Final = 2.0
#: Big weights on a slow disk take minutes.
_LOADED_WITHIN_S: Final = 1800.0
_UNLOADED_WITHIN_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.2


class OllamaConfig(WatchedConfig):
    """The first of `models` is the one that stays loaded; without any, Ollama loads what is asked.

    `sha256` pins their digests: `sha256 = {"qwen3:8b" = "..."}`.
    """

    url: str = "http://127.0.0.1:11434"
    sha256: dict[str, Sha256] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _sees_by_itself(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sees" in given:
            raise ValueError("Ollama says itself which of its models see; leave sees out")
        return given


class Plugin(WatchedRunner):
    """Models served by Ollama."""

    Config = OllamaConfig
    plugin = "ollama"

    def __init__(self, config: OllamaConfig, gpus: tuple[str, ...], context: PluginContext) -> None:
        super().__init__(config, gpus, context)
        self._config = config
        self._kept = config.models[0] if config.models else None
        self._in_memory: dict[str, dict[str, Any]] = {}
        self._see: dict[str, bool] = {}
        self.models = tuple(Model(id=name) for name in config.models)

    async def look(self) -> None:
        """Ask what is installed and what is in memory; see `WatchedRunner`."""
        listed = _by_name(await self.ask("GET", "/api/tags"))
        local = {name: one for name, one in listed.items() if not _is_cloud(name, one)}
        offered = {name: _entry(name, local) for name in self._config.models or local}
        for name in self._config.models:
            if offered[name] is None:
                raise self.fault("model_missing", _absence(name, listed))
        if not offered:
            raise self.fault("model_missing", "has no model of its own: ollama pull one")
        self._in_memory = _by_name(await self.ask("GET", "/api/ps"))
        made = [
            await self._model(name, entry)
            for name, entry in list(offered.items())[:MAX_MODELS]
            if entry is not None
        ]
        self.models = tuple(made)

    async def _model(self, name: str, entry: dict[str, Any]) -> Model:
        digest = str(entry.get("digest") or "").removeprefix("sha256:")
        pinned = self._config.sha256.get(name)
        if pinned is not None and digest.lower() != pinned.lower():
            raise self.fault(
                "weights_altered",
                f"has another {name!r} than you verified: its digest begins with "
                f"{digest[:12] or 'nothing'}, pinned is {pinned[:12]}; pin the new one if you "
                "trust it",
            )
        if name not in self._see:
            can = (await self.ask("POST", "/api/show", {"model": name})).get("capabilities")
            self._see[name] = isinstance(can, list) and "vision" in can
        loaded = _entry(name, self._in_memory) or {}
        return Model(
            id=name,
            size_bytes=_count(entry.get("size")),
            sha256=digest[:MAX_NAME] or None,
            context_tokens=_count(loaded.get("context_length")) or self._config.context_tokens,
            sees=self._see[name],
        )

    async def ready(self) -> bool:
        """Whether it answers without loading the model that stays. Raises RunnerFault."""
        await super().ready()
        return self._kept is None or self._kept in self._held()

    async def loaded(self) -> bool:
        """Return whether any model is in memory, False where there is no server to hold it."""
        try:
            await super().ready()
        except RunnerFault as fault:
            if fault.code != "runner_unreachable":
                raise
            return False
        return bool(self._held())

    def _held(self) -> list[str]:
        """Return which of our models are in memory."""
        return [one.id for one in self.models if _entry(one.id, self._in_memory) is not None]

    async def load(self) -> None:
        """Have the model that stays loaded. Raises RunnerFault."""
        await self.verify()
        if self._kept is not None:
            await self._keep(self._kept, -1, _LOADED_WITHIN_S)
            await self.verify()

    async def unload(self) -> None:
        """Have all memory given back, and wait until it is. Raises RunnerFault."""
        for name in self._held():
            await self._keep(name, 0, _UNLOADED_WITHIN_S)
        waited_s = 0.0
        while await self.loaded():
            if waited_s >= _UNLOADED_WITHIN_S:
                raise self.fault("runner_silent", "does not let go of its model")
            await asyncio.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S

    async def close(self) -> None:
        """Let Ollama drop the model when it likes, as before the bridge came."""
        if self._kept is not None and self._kept in self._held():
            with suppress(OSError, RunnerFault):
                await self._keep(self._kept, _KEPT_AFTERWARDS, _LET_GO_WITHIN_S)
        await super().close()

    async def _keep(self, model: str, how_long: int | str, within_s: float) -> None:
        body = {"model": model, "keep_alive": how_long, "stream": False}
        try:
            async with asyncio.timeout(within_s):
                await self.ask("POST", "/api/generate", body)
        except TimeoutError:
            what = "load" if how_long else "let go of"
            raise self.fault("runner_silent", f"did not {what} {model!r}") from None
        except OSError as err:
            raise self.fault("runner_unreachable", f"cannot be reached ({err})") from None


def _by_name(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = answer.get("models")
    entries = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    named = [(one.get("name") or one.get("model"), one) for one in entries]
    return {name: one for name, one in named if isinstance(name, str) and 0 < len(name) <= MAX_NAME}


def _entry(model: str, listed: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the entry of `model`; Ollama adds `:latest` to a name without a tag."""
    return listed.get(model) or listed.get(f"{model}:latest")


def _is_cloud(name: str, entry: dict[str, Any]) -> bool:
    return bool(
        entry.get("remote_host") or entry.get("remote_model") or name.endswith(("-cloud", ":cloud"))
    )


def _absence(model: str, listed: dict[str, dict[str, Any]]) -> str:
    if _entry(model, listed) is not None:
        return f"would send questions for {model!r} to Ollama's cloud; name a local model"
    return f"has no model {model!r}: ollama pull {model}"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
