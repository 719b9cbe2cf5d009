"""What every driver of an ASIC begins with: where its machine is, and which one it is.

A driver adds its `recognize`, `probe`, `read` and verbs; `AsicDriver` says what these promise.
"""

from collections.abc import Sequence
from typing import Any

import aiohttp

from ...errors import DeviceFault
from ..asic import AsicConfig
from . import cgminer, web


class Machine:
    """One ASIC at an address: the one that its block names, else the first that is met there."""

    def __init__(self, config: AsicConfig) -> None:
        self._address = config.address
        self._mac = config.mac

    def _met(self, found: str | None) -> None:
        """Take in who answered a probe. Raises DeviceFault when it is not the one that is meant."""
        self._mac = self._mac or found
        self._same(found)

    def _same(self, found: str | None) -> None:
        """Check who answered before anything is written to it.

        Raises DeviceFault `other_device` when it is not the machine that was met, or does not say.
        """
        if self._mac is None:
            raise DeviceFault(
                "other_device",
                f"{self._address} has never said who it is, so nothing is set on it",
            )
        if found != self._mac:
            raise DeviceFault(
                "other_device",
                f"{self._address} is now {found or 'a machine that does not say who it is'}, not "
                f"{self._mac}: nothing was set; addresses move after a power cut",
            )

    async def close(self) -> None:
        """Nothing is held."""


class ApiMachine(Machine):
    """One that is asked by cgminer's API, a connection for each command."""

    def __init__(self, config: AsicConfig) -> None:
        super().__init__(config)
        self._port = config.port or cgminer.PORT

    async def _ask(self, command: str) -> dict[str, Any]:
        answer = await cgminer.ask(self._address, self._port, command)
        return cgminer.succeeded(self._address, f"answer {command}", answer)


class WebMachine(Machine):
    """One that is asked over HTTP; each new connection asks `_who` answers before it writes."""

    def __init__(
        self, config: AsicConfig, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()
    ) -> None:
        super().__init__(config)
        port = config.port or web.PORT
        self._web = web.Web(config.address, port, who=self._who, middlewares=tuple(middlewares))

    async def _who(self) -> None:
        """Ask who answers. Raises DeviceFault when it is another."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connection."""
        await self._web.close()
