"""One request to a rig: stamped with the last heartbeat, published, answered or given up on.

A request that was written just before a heartbeat changed (`stale`, `wrong_boot`) is written once
more after the next one; a rig that has seen higher numbers (`duplicate`) gets a much higher one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypedDict

from ..coordinator import RigCoordinator
from ..errors import RigOffline, RigRefused, RigSilent
from ..wire.messages import AnyRequest, Response
from ..wire.values import Verdict
from .sequence import Sequence

ANSWER_TIMEOUT_S: Final = 5.0
#: Longer than the time between two heartbeats.
_HEARTBEAT_TIMEOUT_S: Final = 7.0


class Stamp(TypedDict):
    """What every request says about itself."""

    id: str
    boot_id: str
    tick: float
    controller: str
    seq: int


type Build = Callable[[Stamp], AnyRequest]
type Publish = Callable[[str, AnyRequest], Awaitable[None]]


class Requester:
    """Sends requests as `controller` and matches the rigs' responses to them."""

    def __init__(self, controller: str, sequence: Sequence, publish: Publish) -> None:
        """`publish` says a request to the rig with this id."""
        self.controller = controller
        self._sequence = sequence
        self._publish = publish
        self._waiting: dict[str, asyncio.Future[Response]] = {}

    def hear(self, response: Response) -> None:
        """Take a response to whom it may concern."""
        waiting = self._waiting.get(response.id)
        if waiting and not waiting.done() and response.controller == self.controller:
            waiting.set_result(response)

    async def async_ask(self, rig: RigCoordinator, build: Build) -> Response:
        """Say one request and return the rig's acceptance.

        Raises RigOffline, RigSilent, or RigRefused with the rig's own sentence.
        """
        response = await self._async_ask_once(rig, build)
        match response.code if response.result != Verdict.ACCEPTED else None:
            case "stale" | "wrong_boot":
                await self._async_next_heartbeat(rig)
                response = await self._async_ask_once(rig, build)
            case "duplicate":
                await self._sequence.async_leap()
                response = await self._async_ask_once(rig, build)
        if response.result != Verdict.ACCEPTED:
            rig.house.async_refused(rig, response.code)
            raise RigRefused(rig.name, response.code, response.text)
        return response

    async def _async_ask_once(self, rig: RigCoordinator, build: Build) -> Response:
        seq = await self._sequence.async_next()
        if (live := rig.data.live) is None:
            raise RigOffline(rig.name)
        request = build(
            Stamp(
                id=f"{self.controller[:12]}-{seq}",
                boot_id=live.boot_id,
                tick=live.tick,
                controller=self.controller,
                seq=seq,
            )
        )
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = answer
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._publish(rig.rig_id, request)
                return await answer
        except TimeoutError:
            raise RigSilent(rig.name) from None
        finally:
            del self._waiting[request.id]

    async def _async_next_heartbeat(self, rig: RigCoordinator) -> None:
        heard = asyncio.Event()
        before = rig.data.live

        def look() -> None:
            if rig.data.live is not before:
                heard.set()

        stop = rig.async_add_listener(look)
        try:
            async with asyncio.timeout(_HEARTBEAT_TIMEOUT_S):
                await heard.wait()
        except TimeoutError:
            raise RigSilent(rig.name) from None
        finally:
            stop()
