"""Says to rigs what the house decided: each thing at once when it is new, then before it ends.

One thing at a time is said about a heater. What a rig refuses is remembered with its sentence,
shown among the house's problems, and said again half a minute later.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..control.leases import Action, Said, Saying, due
from ..wire.messages import (
    AnyRequest,
    LeaseRequest,
    ReleaseRequest,
    Response,
    StopAllRequest,
)

if TYPE_CHECKING:
    from ..house import House
    from ..rigs.requester import Stamp

_LOGGER = logging.getLogger(__name__)

type Target = tuple[str, str | None]


class Leasing:
    """The way from decisions to rigs."""

    def __init__(
        self, hass: HomeAssistant, house: House, on_resumed: Callable[[str], None]
    ) -> None:
        """Call `on_resumed` with the id of a rig that took the release of Stop all."""
        self._hass = hass
        self._house = house
        self._on_resumed = on_resumed
        #: Why a rig refused what should hold, by target; shown among the house's problems.
        self.refusals: dict[Target, str] = {}
        self._should_hold: dict[Target, Saying] = {}
        self._said: dict[Target, Said] = {}
        self._locks: defaultdict[Target, asyncio.Lock] = defaultdict(asyncio.Lock)

    @callback
    def async_follow(self, sayings: Iterable[Saying], rigs: Collection[str]) -> None:
        """Close the gap between what should hold at these rigs and what was said to them."""
        now = time.time()
        should_hold = {saying.target: saying for saying in sayings}
        gone = [one for one in self._should_hold if one[0] in rigs and one not in should_hold]
        for target in gone:
            del self._should_hold[target]
            self.refusals.pop(target, None)
        self._should_hold |= should_hold
        for target, saying in should_hold.items():
            if due(saying, self._said.get(target), now) and not self._locks[target].locked():
                self._house.config_entry.async_create_background_task(
                    self._hass, self._async_close(target), f"{DOMAIN} {saying.action} {target}"
                )

    async def async_say(self, saying: Saying) -> Response:
        """Say it to its rig and return the rig's acceptance.

        Raises RigError when the rig is offline, silent or refuses.
        """
        async with self._locks[saying.target]:
            rig = self._house.rigs[saying.rig]
            self._said[saying.target] = Said(saying, time.time(), accepted=False)
            response = await rig.async_send(lambda stamp: _request(saying, stamp))
            self._said[saying.target] = Said(saying, time.time(), accepted=True)
        self.refusals.pop(saying.target, None)
        if saying.action is Action.RESUME:
            self._on_resumed(saying.rig)
        return response

    def was_told(self, target: Target) -> bool:
        """Return whether anything was said about a heater since Home Assistant started."""
        return target in self._said

    async def _async_close(self, target: Target) -> None:
        """Say what should hold, and what should hold by the time that is said."""
        while saying := self._should_hold.get(target):
            if not due(saying, self._said.get(target), time.time()):
                return
            try:
                await self.async_say(saying)
            except HomeAssistantError as err:
                text = str(err)
                if self.refusals.get(target) != text:
                    _LOGGER.warning("What %s should do is not done: %s", saying.rig, text)
                self.refusals[target] = text


def _request(saying: Saying, stamp: Stamp) -> AnyRequest:
    """Return it as the wire's request."""
    if saying.heater is None:
        return StopAllRequest(**stamp, engaged=saying.action is Action.STOP)
    if saying.action is Action.RELEASE:
        return ReleaseRequest(**stamp, heater=saying.heater)
    return LeaseRequest(
        **stamp,
        heater=saying.heater,
        power_w=saying.power_w,
        ttl_s=saying.ttl_s,
        cap_w=saying.cap_w,
        urgent=saying.urgent,
        dark=saying.dark,
        favor=saying.favor,
    )
