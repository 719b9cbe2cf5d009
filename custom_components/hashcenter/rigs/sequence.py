"""Numbers for requests that only ever grow, also over restarts and crashes, without any clock.

Numbers are reserved on disk in blocks before the first of a block is used, so a crash skips numbers
and never repeats one. The store is kept when the integration is removed: rigs remember the last.
"""

import asyncio
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from ..const import DOMAIN

_BLOCK: Final = 1000
#: How far to leap when a rig has seen higher numbers (this instance was restored from a backup).
_LEAP: Final = 1_000_000


class Sequence:
    """The growing `seq` of this controller."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare the store; nothing is read before the first number is needed."""
        self._store = Store[dict[str, int]](hass, 1, f"{DOMAIN}.sequence")
        self._lock = asyncio.Lock()
        self._last = 0
        self._reserved = 0

    async def async_next(self) -> int:
        """Return the next number."""
        async with self._lock:
            if self._last >= self._reserved:
                await self._async_reserve(self._last)
            self._last += 1
            return self._last

    async def async_leap(self) -> None:
        """Skip far ahead, because a rig says it has seen higher numbers."""
        async with self._lock:
            await self._async_reserve(self._last + _LEAP)

    async def _async_reserve(self, start: int) -> None:
        stored = await self._store.async_load() if not self._reserved else None
        self._last = max(start, stored["reserved"] if stored else 0)
        self._reserved = self._last + _BLOCK
        await self._store.async_save({"reserved": self._reserved})
