"""A house on the broker: it hears all that a rig says, and asks for things as the wire wants it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiomqtt
from pydantic import ValidationError

from hashcenter_bridge.wire import topics
from hashcenter_bridge.wire.messages import (
    DeviceState,
    Event,
    Inventory,
    Response,
    RigState,
    Status,
)
from hashcenter_bridge.wire.signing import signed
from tests.brokers import HOST

PATIENCE_S = 45.0

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Heard:
    """One message of the rig."""

    topic: str
    message: Any
    retained: bool
    uid: str | None = None


@dataclass
class House:
    """What was heard since `forget`; every message is checked for fields nobody knows."""

    client: aiomqtt.Client
    rig: str
    heard: list[Heard] = field(default_factory=list)
    controller: str = "house"
    #: Whether what nobody could have meant is passed over; else it fails the test.
    tolerant: bool = False
    #: The rig's key, where requests are to be signed.
    key: str | None = None
    #: The number of its last request.
    seq: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Take messages for ever."""
        async for message in self.client.messages:
            address = topics.parse(message.topic.value)
            if address is None or address.topic.name == "request" or not message.payload:
                continue
            try:
                said = address.topic.message.model_validate_json(
                    bytes(message.payload), extra="forbid"
                )
            except ValidationError:
                if self.tolerant:
                    continue
                raise
            retained = bool(message.retain)
            self.heard.append(Heard(address.topic.name, said, retained, address.uid))
            self._changed.set()

    def forget(self) -> None:
        """Begin to hear anew."""
        self.heard.clear()

    async def until(self, found: Callable[[], ResultT | None]) -> ResultT:
        """Wait until something is found among what was heard."""
        async with asyncio.timeout(PATIENCE_S):
            while not (result := found()):
                self._changed.clear()
                await self._changed.wait()
        return result

    def last(self, topic: str) -> Any:
        """Return the newest message of a topic, None if there is none."""
        return next((one.message for one in reversed(self.heard) if one.topic == topic), None)

    @property
    def state(self) -> RigState | None:
        """The newest heartbeat that was not kept by the broker."""
        live = (one for one in reversed(self.heard) if one.topic == "state" and not one.retained)
        return next((one.message for one in live), None)

    async def until_state(self, holds: Callable[[RigState], bool]) -> RigState:
        """Wait for a live heartbeat for which this holds."""
        return await self.until(lambda: _if(self.state, holds))

    async def until_device(self, holds: Callable[[DeviceState], bool]) -> DeviceState:
        """Wait for a device's state for which this holds."""
        newest: Callable[[], DeviceState | None] = lambda: self.last("device")  # noqa: E731
        return await self.until(lambda: _if(newest(), holds))

    async def until_status(self, status: str) -> Status:
        """Wait until the rig, or the broker for it, says this."""
        newest: Callable[[], Status | None] = lambda: self.last("status")  # noqa: E731
        return await self.until(lambda: _if(newest(), lambda now: now.status == status))

    async def until_inventory(self) -> Inventory:
        """Wait for the inventory."""
        inventory: Inventory = await self.until(lambda: self.last("inventory"))
        return inventory

    def events(self) -> list[str]:
        """Return the codes of all events."""
        found: list[Event] = [one.message for one in self.heard if one.topic == "event"]
        return [event.code for event in found]

    async def write(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return a request that is fresh and right but for `fields`."""
        state = await self.until(lambda: self.state)
        self.seq += 1
        heater = {"heater": self.rig} if kind in ("lease", "release") else {}
        return {
            "kind": kind, "id": f"{self.controller}-{self.seq}", "boot_id": state.boot_id,
            "tick": state.tick, "controller": self.controller, "seq": self.seq, **heater, **fields,
        }  # fmt: skip

    async def send(self, payload: bytes | dict[str, Any], *, retain: bool = False) -> None:
        """Publish on the request topic."""
        said = payload if isinstance(payload, bytes) else self.sealed(payload)
        await self.client.publish(topics.REQUEST.of(self.rig), said, qos=1, retain=retain)

    def sealed(self, request: dict[str, Any], rig: str | None = None) -> bytes:
        """Return a request as it is sent to `rig`, this one if none is named."""
        said = json.dumps(request)
        return (signed(said, rig or self.rig, self.key) if self.key else said).encode()

    async def ask(self, kind: str, **fields: Any) -> str:
        """Send a request and return the code of the rig's response."""
        return await self.answer_to(await self.write(kind, **fields))

    async def answer_to(self, request: dict[str, Any], said: bytes | None = None) -> str:
        """Send this request (in these bytes) and return the code of the response to it."""
        before = len(self._responses(request["id"]))
        await self.send(said or request)
        response = await self.until(lambda: self._responses(request["id"])[before:])
        return response[0].code

    def _responses(self, number: str) -> list[Response]:
        return [
            one.message
            for one in self.heard
            if one.topic == "response" and one.message.id == number
        ]


def _if(now: ResultT | None, holds: Callable[[ResultT], bool]) -> ResultT | None:
    return now if now is not None and holds(now) else None


@asynccontextmanager
async def house(
    port: int, rig: str, controller: str = "house", **account: Any
) -> AsyncIterator[House]:
    """Open a house on the broker at `port`; `account`: its username and password there."""
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5, **account) as client:
        opened = House(client, rig, controller=controller)
        listening = asyncio.create_task(opened.listen())
        for topic in topics.HOUSE_FILTERS:
            await client.subscribe(topic, qos=1)
        try:
            yield opened
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
