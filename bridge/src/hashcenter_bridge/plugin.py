"""What every plugin gets from the bridge, and what its block in the owner's file has in common.

A plugin is one file with a class `Plugin` that has a nested pydantic `Config`. It is named by an
entry point (`registry.py`) and loaded only when the owner's file names it. It is made by
`Plugin(config, context)` for devices and `Plugin(config, gpus, context)` for runners and miners,
`gpus` being the UUIDs that the config's `gpus` stands for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PluginConfig(BaseModel):
    """Base of a plugin's own `Config`: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plugin: str


class ProgramConfig(PluginConfig):
    """What runners and miners share: a name, and the GPUs they run on.

    `gpus` is "all", or a list of ordinals or UUIDs as `hashcenter devices` prints them; an empty
    list means that the program runs on the CPU. `memory_mib` is what it takes of each GPU's memory;
    unset: as it was seen to.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    gpus: Literal["all"] | tuple[int | str, ...] = "all"
    memory_mib: float | None = Field(default=None, ge=0)


class MinerConfig(ProgramConfig):
    """What miners share. `per_gpu`: one process for each GPU, so that each can be left alone."""

    per_gpu: bool = False


@dataclass(frozen=True)
class PluginContext:
    """Where a plugin may write. `runtime` is private and emptied at each start."""

    state: Path
    runtime: Path
