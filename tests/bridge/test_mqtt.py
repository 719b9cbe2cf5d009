"""The line to the broker, on real brokers: session, will, reconnect, and what waits meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from hashcenter_bridge import mqtt
from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.mqtt import Line
from hashcenter_bridge.wire.messages import Announce, Event, RigState
from hashcenter_bridge.wire.topics import ANNOUNCE, EVENT, REQUEST, STATE, STATUS
from hashcenter_bridge.wire.values import Activity
from tests.brokers import HOST, KINDS, PATIENCE_S, Broker

REQUEST_TOPIC = REQUEST.of("attic")
STATUS_TOPIC = STATUS.of("attic")


class Bridge:
    """A line with ears that remember."""

    def __init__(self, port: int, boot_id: str = "boot", **config: Any) -> None:
        self.heard: list[tuple[bytes, bool]] = []
        self.connects = 0
        self.births = 0
        self._changed = asyncio.Event()
        self.line = Line(
            MqttConfig(host=HOST, port=port, **config), "attic", boot_id,
            heard=self._hear, connected=self._connected, born=self._born,
        )  # fmt: skip
        self._running: asyncio.Task[None] | None = None

    def _hear(self, payload: bytes, retained: bool) -> None:
        self.heard.append((payload, retained))
        self._changed.set()

    def _connected(self) -> None:
        self.connects += 1
        self._changed.set()

    def _born(self) -> None:
        self.births += 1
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def run(self) -> None:
        self._running = asyncio.create_task(self.line.run())

    async def kill(self) -> None:
        """End it without a word."""
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def end(self) -> None:
        """End it as SIGTERM does."""
        await self.line.close()
        if self._running:
            async with asyncio.timeout(PATIENCE_S):
                await self._running


class House:
    """Hears everything under `hashcenter/` and keeps it."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.heard: list[aiomqtt.Message] = []

    async def until(self, topic: str, payload: bytes | None = None) -> aiomqtt.Message:
        """Wait for a message that was not waited for before."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for message in self.heard:
                    if message.topic.value == topic and payload in (None, message.payload):
                        self.heard.remove(message)
                        return message
                self.heard.append(await anext(self.client.messages))

    async def say(self, topic: str, payload: bytes, **options: Any) -> None:
        await self.client.publish(topic, payload, qos=1, **options)


@asynccontextmanager
async def house(port: int) -> AsyncIterator[House]:
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("hashcenter/#", qos=1)
        yield House(client)


@pytest.fixture(params=KINDS)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    made = Broker(request.param, tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def ends() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def bridge(broker: Broker, ends: AsyncExitStack) -> Bridge:
    made = Bridge(broker.port)
    made.run()
    ends.push_async_callback(made.kill)
    await made.until(lambda: made.connects == 1)
    return made


@pytest.fixture
async def home(broker: Broker, ends: AsyncExitStack) -> House:
    return await ends.enter_async_context(house(broker.port))


ANNOUNCED = Announce(rig="attic", name="Attic", protocol=1, min_protocol=1, version="1")


async def test_it_says_online_retained(bridge: Bridge, home: House) -> None:
    message = await home.until(STATUS_TOPIC)
    assert b"online" in bytes(message.payload)
    assert message.retain


async def test_a_request_is_heard_once_with_its_flag(bridge: Bridge, home: House) -> None:
    await home.say(REQUEST_TOPIC, b"fresh")
    await bridge.until(lambda: bridge.heard == [(b"fresh", False)])
    await home.say(REQUEST_TOPIC, b"\xff\x00garbage")
    await home.say(REQUEST_TOPIC, b"last")
    await bridge.until(lambda: len(bridge.heard) == 3)
    assert bridge.heard[1:] == [(b"\xff\x00garbage", False), (b"last", False)]


async def test_a_retained_request_is_told_apart_when_it_is_replayed(
    broker: Broker, home: House
) -> None:
    await home.say(REQUEST_TOPIC, b"old", retain=True)
    bridge = Bridge(broker.port)
    bridge.run()
    await bridge.until(lambda: bridge.heard == [(b"old", True)])
    await bridge.kill()


async def test_a_live_request_with_the_retain_flag_is_told_apart_where_brokers_can(
    bridge: Bridge, broker: Broker, home: House
) -> None:
    await home.say(REQUEST_TOPIC, b"sticky", retain=True)
    await bridge.until(lambda: bool(bridge.heard))
    assert bridge.heard[0] == (b"sticky", broker.kind == "mosquitto")


async def test_what_is_said_arrives_in_order_and_retained_where_it_should(
    bridge: Bridge, home: House
) -> None:
    event = Event(boot_id="boot", tick=1.0, code="one", text="first")
    bridge.line.say(ANNOUNCE, ANNOUNCED)
    bridge.line.say(EVENT, event)
    bridge.line.say(EVENT, event.model_copy(update={"code": "two"}))
    first = await home.until(EVENT.of("attic"))
    second = await home.until(EVENT.of("attic"))
    assert b'"one"' in bytes(first.payload)
    assert b'"two"' in bytes(second.payload)
    assert not first.retain
    await home.until(ANNOUNCE.of("attic"))


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)  # rumqttd does not pass it on
async def test_what_goes_stale_says_so(bridge: Bridge, home: House) -> None:
    bridge.line.say(STATE, RigState(boot_id="b", tick=1.0, activity=Activity.IDLE))
    message = await home.until(STATE.of("attic"))
    assert getattr(message.properties, "MessageExpiryInterval", None) == STATE.expiry_s
    bridge.line.say(EVENT, Event(boot_id="b", tick=1.0, code="x", text="x"))
    message = await home.until(EVENT.of("attic"))
    assert not hasattr(message.properties, "MessageExpiryInterval")


async def test_close_says_offline_last_and_leaves_no_will(bridge: Bridge, home: House) -> None:
    await home.until(STATUS_TOPIC)
    await bridge.end()
    message = await home.until(STATUS_TOPIC)
    assert b"offline" in bytes(message.payload)
    bridge.line.say(ANNOUNCE, ANNOUNCED)
    assert bridge.line._waiting == {}


async def test_close_without_a_broker_does_not_wait_for_ever(tmp_path: Path) -> None:
    bridge = Bridge(1)
    bridge.run()
    await bridge.end()
    assert bridge.connects == 0


async def test_a_broker_that_comes_back_hears_what_waited_and_the_line_is_announced(
    bridge: Bridge, broker: Broker, ends: AsyncExitStack
) -> None:
    await broker.stop()
    bridge.line.say(ANNOUNCE, ANNOUNCED)
    bridge.line.say(ANNOUNCE, ANNOUNCED.model_copy(update={"name": "newer"}))
    bridge.line.say(EVENT, Event(boot_id="boot", tick=1.0, code="meanwhile", text="x"))
    await broker.start()
    home = await ends.enter_async_context(house(broker.port))
    await bridge.until(lambda: bridge.connects == 2)
    announced = await home.until(ANNOUNCE.of("attic"))
    assert b"newer" in bytes(announced.payload)
    await home.until(STATUS_TOPIC)
    assert bridge.line.connects == 2
    await home.say(REQUEST_TOPIC, b"hello again")
    await bridge.until(lambda: bridge.heard == [(b"hello again", False)])


async def test_events_that_nobody_hears_do_not_fill_the_memory() -> None:
    line = Bridge(1).line
    for number in range(1000):
        line.say(EVENT, Event(boot_id="b", tick=1.0, code=f"e{number}", text="x"))
        line.say(ANNOUNCE, ANNOUNCED)
    assert len(line._events) == 200
    assert "e999" in line._events[-1].payload
    assert len(line._waiting) == 1


async def test_home_assistants_birth_is_answered_once_and_not_at_once(
    bridge: Bridge, home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "_BIRTH_S", (0.3, 0.4))
    for _ in range(20):
        await home.say("homeassistant/status", b"online")
    await home.say("homeassistant/status", b"offline")
    await home.say(REQUEST_TOPIC, b"after")
    await bridge.until(lambda: len(bridge.heard) == 1)
    await bridge.until(lambda: bridge.births > 0)
    assert bridge.births <= 2


async def test_the_session_waits_for_a_bridge_that_is_gone_a_moment(
    bridge: Bridge, broker: Broker, home: House
) -> None:
    await bridge.kill()
    await home.say(REQUEST_TOPIC, b"while it was away")
    again = Bridge(broker.port)
    again.run()
    await again.until(lambda: again.heard == [(b"while it was away", False)])
    await again.kill()


async def test_a_broker_that_asks_for_a_name_is_explained(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path, anonymous=False)
    await broker.start()
    why = await mqtt.refusal(MqttConfig(host=HOST, port=broker.port))
    await broker.stop()
    assert why is not None
    assert "refuses us" in why
    assert "username" in why


async def test_nobody_there_is_explained() -> None:
    why = await mqtt.refusal(MqttConfig(host=HOST, port=1))
    assert why is not None
    assert f"{HOST}:1 cannot be reached" in why


@pytest.mark.parametrize("host", ["no such host", "a" * 200, "é" * 70, "x..y"])
async def test_a_host_that_cannot_be_is_explained_and_tried_again(host: str) -> None:
    why = await mqtt.refusal(MqttConfig(host=host, plain=True))
    assert why is not None
    assert "check [mqtt] host and port" in why
    bridge = Bridge(1)
    bridge.line._config = MqttConfig(host=host, plain=True)
    bridge.run()
    async with asyncio.timeout(PATIENCE_S):
        while "not connected yet" in bridge.line.why:
            await asyncio.sleep(0.01)
    assert "check [mqtt] host and port" in bridge.line.why
    assert bridge._running is not None
    assert not bridge._running.done()
    await bridge.kill()


@asynccontextmanager
async def answers(payload: bytes) -> AsyncIterator[int]:
    """Serve whoever connects with the same bytes; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(payload)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_an_mqtt_3_broker_is_told_by_its_answer() -> None:
    # CONNACK of MQTT 3.1.1: unacceptable protocol version.
    async with answers(b"\x20\x02\x00\x01") as port:
        why = await mqtt.refusal(MqttConfig(host=HOST, port=port))
    assert why is not None
    assert "speaks no MQTT 5" in why


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400\r\n\r\n", b"\x20\xff\xff\xff\xff"])
async def test_a_server_that_is_no_broker_is_explained_and_crashes_nothing(noise: bytes) -> None:
    async with answers(noise) as port:
        config = MqttConfig(host=HOST, port=port)
        assert await mqtt.refusal(config) is not None


async def test_a_line_that_is_reset_before_it_can_write_upsets_nobody(broker: Broker) -> None:
    upset: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: upset.append(context))
    async with mqtt._Client(
        HOST, broker.port, protocol=aiomqtt.ProtocolVersion.V5, timeout=1
    ) as client:
        client._client.publish("hashcenter/v1/attic/event", b"")
        client._client._sock_close()
        await asyncio.sleep(0.01)
    assert upset == []
