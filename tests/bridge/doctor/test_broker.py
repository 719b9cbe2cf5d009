"""What `hashcenter doctor` hears at real brokers: the will, another bridge, Home Assistant."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.doctor import broker as doctor
from hashcenter_bridge.doctor.running import Bridge
from hashcenter_bridge.mqtt import BIRTH_TOPIC, Line
from hashcenter_bridge.mqtt_probe import Overheard, overhear
from hashcenter_bridge.wire.codec import encode
from hashcenter_bridge.wire.messages import RigState
from hashcenter_bridge.wire.topics import STATE
from hashcenter_bridge.wire.values import Activity
from tests.brokers import HOST, KINDS, Broker, Kind

HERE = Bridge(boot_id="ours", up_s=60, births=0, controller=None, refused=None)


@pytest.fixture(params=KINDS)
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    kind: Kind = request.param
    made = Broker(kind, tmp_path)
    await made.start()
    yield made
    await made.stop()


@asynccontextmanager
async def speaking(broker: Broker, *boots: str) -> AsyncIterator[None]:
    """Have bridges of these runs speak as the rig, each again and again."""
    over = threading.Event()

    def speak() -> None:
        line = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        line.connect(HOST, broker.port)
        line.loop_start()
        while not over.wait(0.2):
            for boot in boots:
                state = RigState(boot_id=boot, tick=1.0, activity=Activity.IDLE)
                line.publish(STATE.of("attic"), encode(state), qos=1, retain=True)
        line.disconnect()
        line.loop_stop()

    spoken = asyncio.create_task(asyncio.to_thread(speak))
    try:
        yield
    finally:
        over.set()
        await spoken


async def test_the_will_of_a_cut_connection_waits(broker: Broker) -> None:
    heard = await overhear(MqttConfig(port=broker.port), "attic", 0.0)
    # rumqttd says no will of a session that may come back.
    expected = "ok" if broker.kind == "mosquitto" else "warning"
    assert doctor.will(heard.will_after_s).result == expected
    assert heard.hears_birth is True
    assert heard.boots == set()


@pytest.mark.parametrize("broker", ["mosquitto"], indirect=True)
async def test_every_bridge_that_speaks_as_this_rig_is_heard(broker: Broker) -> None:
    async with speaking(broker, "ours", "theirs"):
        heard = await overhear(MqttConfig(port=broker.port), "attic", 0.0)
    assert heard.boots == {"ours", "theirs"}


async def test_what_was_retained_by_a_bridge_that_is_gone_is_nobody(broker: Broker) -> None:
    async with aiomqtt.Client(HOST, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as said:
        state = RigState(boot_id="old", tick=1.0, activity=Activity.IDLE)
        await said.publish(STATE.of("attic"), encode(state), qos=1, retain=True)
        await said.publish(STATE.of("attic"), b"{garbage", qos=1, retain=True)
    heard = await overhear(MqttConfig(port=broker.port), "attic", 0.0)
    assert heard.boots == set()


async def test_the_bridge_counts_the_births_it_hears(broker: Broker) -> None:
    connected = asyncio.Event()
    line = Line(
        MqttConfig(port=broker.port),
        "attic",
        "boot",
        heard=lambda *_: None,
        connected=connected.set,
        born=lambda: None,
    )
    running = asyncio.create_task(line.run())
    try:
        async with asyncio.timeout(60):
            await connected.wait()
            async with aiomqtt.Client(
                HOST, broker.port, protocol=aiomqtt.ProtocolVersion.V5
            ) as house:
                while line.births == 0:
                    await house.publish(BIRTH_TOPIC, b"online", qos=1)
                    await asyncio.sleep(0.1)
    finally:
        await line.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert line.births == 1


@pytest.mark.parametrize(
    ("after_s", "result", "words"),
    [
        (2.1, "ok", "said 2.1 s after a cut connection"),
        (0.1, "warning", "short interruptions show as offline"),
        (None, "warning", "Mosquitto 2 says it"),
    ],
)
def test_the_will_is_judged(after_s: float | None, result: str, words: str) -> None:
    found = doctor.will(after_s)
    assert (found.result, words in found.text) == (result, True)


@pytest.mark.parametrize(
    ("here", "boots", "result", "words"),
    [
        (HERE, {"ours"}, "ok", "only this bridge speaks"),
        (None, set(), "ok", "nobody else speaks"),
        (HERE, {"ours", "theirs"}, "failed", "another bridge too speaks as 'attic'"),
        (None, {"theirs"}, "failed", "a bridge on another machine speaks as 'attic'"),
    ],
)
def test_two_bridges_of_one_name_are_a_failure(
    here: Bridge | None, boots: set[str], result: str, words: str
) -> None:
    found = doctor.alone("attic", here, boots)
    assert (found.result, words in found.text) == (result, True)


def test_who_hears_nothing_of_itself_is_told_what_that_may_mean() -> None:
    (found,) = doctor.echo("attic", None, Overheard())
    assert found.result == "warning"
    assert "docs/mosquitto/hashcenter.acl" in found.text


@pytest.mark.parametrize(
    ("here", "heard", "result", "words"),
    [
        (HERE, Overheard(hears_birth=False), "failed", "access list"),
        (None, Overheard(hears_birth=True, home_assistant="online"), "ok", "'online'"),
        (None, Overheard(hears_birth=True), "warning", "Let it restart"),
        (HERE, Overheard(hears_birth=True), "warning", "birth messages on"),
        (Bridge("b", 9, 2, None, None), Overheard(hears_birth=True), "ok", "heard 2 times"),
        (Bridge("b", 9, 0, "house", None), Overheard(hears_birth=True), "ok", "controls it"),
    ],
)
def test_home_assistants_birth_is_judged(
    here: Bridge | None, heard: Overheard, result: str, words: str
) -> None:
    found = doctor.birth(here, heard)
    assert (found.result, words in found.text) == (result, True)
