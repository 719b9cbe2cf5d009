"""A plug or a meter that its owner names as the truth about an ASIC's watts. It is only read.

    [asic.meter]                              # a Shelly plug of the second generation
    url = "http://192.168.1.40/rpc/Switch.GetStatus?id=0"
    value = "apower"

Any device that answers a GET with JSON will do; `value` is the path to the watts in it. Plugs are
never used to switch: power supplies that were switched off under load have died of it.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from ..devices.asic import MeterConfig

_LOGGER = logging.getLogger(__name__)

_WITHIN_S: Final = 5.0
_TOO_OLD_S: Final = 30.0
_LONGEST_ANSWER: Final = 64 * 1024
_MOST_W: Final = 100_000.0


class Gauge:
    """One meter, read in its own task. A failed look is no look, never 0 W."""

    def __init__(self, config: MeterConfig, clock: Callable[[], float]) -> None:
        self.config = config
        self.fault: str | None = None
        self._clock = clock
        self._latest: tuple[float, float] | None = None

    def power_w(self, now: float) -> float | None:
        """Return its watts, None where they are too old."""
        if self._latest is None or now - self._latest[0] > _TOO_OLD_S:
            return None
        return self._latest[1]

    async def run(self) -> None:
        """Look at it until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_WITHIN_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._look(session)
                await asyncio.sleep(self.config.interval_s)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.get(self.config.url, allow_redirects=False) as response:
                body = await response.content.read(_LONGEST_ANSWER)
                response.raise_for_status()
            watts = number_at(json.loads(body), self.config.value)
        except aiohttp.ClientResponseError as err:
            self._fail(f"it answers with status {err.status}")
        except (aiohttp.ClientError, OSError, TimeoutError):
            self._fail("it does not answer")
        except ValueError as err:
            self._fail(str(err))
        else:
            self.fault = None
            self._latest = (self._clock(), watts)

    def _fail(self, why: str) -> None:
        if self.fault is None:
            _LOGGER.info("the meter at %s: %s", self.config.host, why)
        self.fault = f"the meter at {self.config.host} cannot be read: {why}"


def number_at(answer: Any, path: str) -> float:
    """Return the watts at `path` (`a.b.0.c`) in an answer. Raises ValueError where none are."""
    found = answer
    for part in path.split("."):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise ValueError(f"it has no {path!r}")
    plain = isinstance(found, int | float) and not isinstance(found, bool)
    if not plain or not 0 <= found <= _MOST_W:
        raise ValueError(f"{path!r} says {str(found)[:40]!r}, which are no watts")
    return float(found)
