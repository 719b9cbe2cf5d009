"""Finds machines again whose addresses moved: by their MAC, as this computer's neighbors have it.

The kernel's neighbor table knows whoever was talked to lately; else the networks that the owner
named in `[asics] search` are asked, rarely. Without them an address is never guessed.
Source: proc_net(5), /proc/net/arp.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ..devices.asic import normal_mac
from . import scan
from .station import Station

_LOGGER = logging.getLogger(__name__)

_NEIGHBORS: Final = Path("/proc/net/arp")
_INTERVAL_S: Final = 15.0
_SWEEP_EVERY_S: Final = 300.0


def neighbors(table: str) -> dict[str, str]:
    """Return address by MAC from the text of the neighbor table, without incomplete entries."""
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and fields[2] != "0x0" and (mac := normal_mac(fields[3])):
            found[mac] = fields[0]
    return found


class Locator:
    """Looks for lost machines in the background. `search` are networks; empty: no sweep."""

    def __init__(
        self,
        search: Sequence[str],
        clock: Callable[[], float],
        *,
        table: Path = _NEIGHBORS,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._hosts = scan.addresses(search)
        self._clock = clock
        self._table = table
        self._interval_s = interval_s
        self._swept_at = float("-inf")

    async def run(self, lost: Callable[[], list[Station]]) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            missing = {station.mac: station for station in lost() if station.mac}
            if not missing:
                continue
            self._move(missing, self._neighbors(missing))
            if missing and self._hosts and self._clock() - self._swept_at >= _SWEEP_EVERY_S:
                self._swept_at = self._clock()
                self._move(missing, await self._sweep(missing))

    def _neighbors(self, missing: dict[str, Station]) -> dict[str, str]:
        try:
            known = neighbors(self._table.read_text())
        except OSError:
            return {}
        # Where it no longer answers is no news.
        return {
            mac: address
            for mac, address in known.items()
            if mac in missing and missing[mac].config.address != address
        }

    async def _sweep(self, missing: dict[str, Station]) -> dict[str, str]:
        _LOGGER.info("looking for %s on the networks in [asics] search", ", ".join(missing))
        plugins = {one.config.plugin: type(one.driver) for one in missing.values()}
        ports = {one.config.port for one in missing.values() if one.config.port}
        found = await scan.sweep(self._hosts, plugins, ports=sorted(ports))
        return {one.device.mac: one.address for one in found if one.device.mac}

    @staticmethod
    def _move(missing: dict[str, Station], places: dict[str, str]) -> None:
        for mac, address in places.items():
            station = missing.pop(mac, None)
            if station is not None and station.config.address != address:
                _LOGGER.warning("%s (%s) is now at %s", station.name, mac, address)
                station.move(address)
