"""Hears every word on the broker from beside, with its time, and says whether the rules held."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiomqtt

from hashcenter_bridge.wire import topics
from tests.brokers import HOST
from tests.e2e.rig import RIG

PATIENCE_S = 45.0

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Word:
    """One message: when it was heard (monotonic seconds), where, and what was in it."""

    at: float
    topic: str
    payload: bytes
    retained: bool

    @property
    def said(self) -> dict[str, Any]:
        """The object in it; empty for anything else."""
        try:
            found = json.loads(self.payload)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class Witness:
    """All words since it began; it reconnects by itself."""

    port: int
    words: list[Word] = field(default_factory=list)
    #: When its own line to the broker was lost.
    lost: list[float] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Take words for ever, whatever becomes of the broker."""
        while True:
            try:
                async with aiomqtt.Client(
                    HOST, self.port, protocol=aiomqtt.ProtocolVersion.V5, timeout=5
                ) as client:
                    await client.subscribe("#", qos=1)
                    async for message in client.messages:
                        payload = bytes(message.payload or b"")
                        at, name = time.monotonic(), message.topic.value
                        self.words.append(Word(at, name, payload, bool(message.retain)))
                        self._changed.set()
            except aiomqtt.MqttError:
                self.lost.append(time.monotonic())
                await asyncio.sleep(0.1)

    async def until(self, found: Callable[[], ResultT | None]) -> ResultT:
        """Wait until something is found among the words."""
        async with asyncio.timeout(PATIENCE_S):
            while not (result := found()):
                self._changed.clear()
                await self._changed.wait()
        return result

    def of(self, topic: str, *, since: float = 0.0) -> Iterator[Word]:
        """Yield the rig's live words on a topic."""
        start = f"{topics.BASE}/{RIG}/{topic}"
        for word in self.words:
            ours = word.topic == start or word.topic.startswith(start + "/")
            if ours and not word.retained and word.payload and word.at >= since:
                yield word

    async def next_word(self, since: float) -> Word:
        """Wait for the rig's first heartbeat, reading or greeting after `since`."""

        def first() -> Word | None:
            said = [next(self.of(name, since=since), None) for name in ("state", "device")]
            said += [one for one in self.of("status", since=since) if b"online" in one.payload]
            return min((one for one in said if one), key=lambda one: one.at, default=None)

        return await self.until(first)

    @property
    def false_offline(self) -> int:
        """How often `offline` was said of a rig that was heard within the 10 s before.

        A Mosquitto that ends says every will with its last breath: nobody who hears that has a
        broker a moment later, so it is not counted.
        """
        found = 0
        for word in self.of("status"):
            if word.said.get("status") == "offline":
                heard = [one.at for one in self.of("state") if one.at < word.at]
                last_breath = any(0 <= at - word.at < 2.0 for at in self.lost)
                found += bool(heard) and word.at - heard[-1] < 10.0 and not last_breath
        return found

    @property
    def energy_backwards(self) -> int:
        """How often a counter of energy fell, whichever run of the bridge said it."""
        last: dict[str, float] = {}
        fell = 0
        for name in ("state", "device"):
            for word in self.of(name):
                kwh = word.said.get("energy_kwh")
                if kwh is not None:
                    fell += kwh < last.get(word.topic, 0.0)
                    last[word.topic] = kwh
        return fell

    @property
    def executed_twice(self) -> int:
        """How many requests the bridge executed beyond those that it said it accepted.

        A response may be said twice, when the line broke before the broker had confirmed it.
        """
        executed: dict[str, int] = {}
        for word in self.of("state"):
            if "health" in word.said:
                boot, count = word.said["boot_id"], word.said["health"]["requests_accepted_total"]
                executed[boot] = max(count, executed.get(boot, 0))
        accepted = {
            (word.said.get("controller"), word.said.get("seq"), word.said["id"])
            for word in self.of("response")
            if word.said.get("result") == "accepted"
        }
        return max(0, sum(executed.values()) - len(accepted))

    def says(self, secret: str) -> bool:
        """Whether a secret was said in any topic."""
        return any(secret.encode() in word.payload for word in self.words)


@asynccontextmanager
async def witness(port: int) -> AsyncIterator[Witness]:
    """Open a witness at the broker's port."""
    opened = Witness(port)
    listening = asyncio.create_task(opened.listen())
    try:
        yield opened
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
