"""The bridge that runs here meanwhile, if one does."""

import asyncio
from dataclasses import dataclass

from ..config import Config
from ..control import ask


@dataclass(frozen=True)
class Bridge:
    """What a running bridge says of itself; `births`: how often it heard Home Assistant start."""

    boot_id: str
    up_s: int
    births: int
    controller: str | None
    refused: str | None


async def bridge(settings: Config) -> Bridge | None:
    """Return it, None when none runs. Raises BridgeError when this user may not ask it."""
    said = await asyncio.to_thread(ask, settings.rig.runtime_folder, "GET", "/self")
    return None if said is None else Bridge(**said)
