"""TLS, client certificates and the access list: the files of docs/mosquitto on a real Mosquitto."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from hashcenter_bridge import mqtt, mqtt_probe
from hashcenter_bridge.config import MqttConfig
from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.mqtt import Line
from hashcenter_bridge.mqtt_probe import Allowed
from hashcenter_bridge.wire.topics import HOUSE_FILTERS, REQUEST, STATUS
from tests.brokers import HOST, PATIENCE_S, Broker
from tools.paths import ROOT

FILES = ROOT / "docs/mosquitto"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    names = [f"broker={HOST}", "homeassistant", "attic", "basement"]
    subprocess.run(["sh", FILES / "certificates.sh", folder, *names], check=True)
    return folder


@pytest.fixture
async def broker(tmp_path: Path, certificates: Path) -> AsyncIterator[Broker]:
    """Mosquitto as docs/mosquitto says, with the folders and the port of this test."""
    made = Broker("mosquitto", tmp_path)
    text = (FILES / "hashcenter.conf").read_text()
    text = text.replace("listener 8883", f"listener {made.port} {HOST}")
    text = text.replace("/etc/mosquitto/certs", str(certificates))
    text = text.replace("/etc/mosquitto/hashcenter.acl", str(tmp_path / "hashcenter.acl"))
    (tmp_path / "hashcenter.acl").write_text((FILES / "hashcenter.acl").read_text())
    # It gives up root's rights before it reads; the test's folders are private.
    made.write(text + "\nuser root\n")
    await made.start()
    yield made
    await made.stop()


def config(broker: Broker, certificates: Path, name: str, **changes: Any) -> MqttConfig:
    files = {
        "ca_file": certificates / "house-ca.crt",
        "cert_file": certificates / f"{name}.crt",
        "key_file": certificates / f"{name}.key",
    }
    return MqttConfig(host=HOST, port=broker.port, tls=True, **{**files, **changes})


def client(broker: Broker, certificates: Path, name: str) -> aiomqtt.Client:
    return aiomqtt.Client(
        HOST,
        broker.port,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=config(broker, certificates, name).tls_context(),
    )


async def test_the_bridge_speaks_and_hears_with_its_certificate(
    broker: Broker, certificates: Path
) -> None:
    heard: list[bytes] = []
    connected = asyncio.Event()
    line = Line(
        config(broker, certificates, "attic"),
        "attic",
        "boot",
        heard=lambda payload, _: heard.append(payload),
        connected=connected.set,
        born=lambda: None,
    )
    running = asyncio.create_task(line.run())
    async with AsyncExitStack() as ending, asyncio.timeout(PATIENCE_S):
        ending.callback(running.cancel)
        await connected.wait()
        house = await ending.enter_async_context(client(broker, certificates, "homeassistant"))
        for topic in HOUSE_FILTERS:
            await house.subscribe(topic, qos=1)
        status = await anext(aiter(house.messages))
        assert status.topic.value == STATUS.of("attic")
        await house.publish(REQUEST.of("attic"), b"please", qos=1)
        while not heard:
            await asyncio.sleep(0.05)
        await line.close()
    assert heard == [b"please"]


async def test_a_rig_may_say_its_own_words_and_nothing_else(
    broker: Broker, certificates: Path
) -> None:
    allowed = await mqtt_probe.ask(config(broker, certificates, "attic"), "attic")

    assert allowed == Allowed(
        hear_requests=True, speak=True, speak_for_others=False, command_others=False
    )


async def test_a_rig_with_another_ones_certificate_may_not_pretend(
    broker: Broker, certificates: Path
) -> None:
    allowed = await mqtt_probe.ask(config(broker, certificates, "basement"), "attic")

    assert allowed.speak is False
    assert allowed.command_others is False


async def test_without_an_access_list_the_doctor_sees_what_is_too_much(tmp_path: Path) -> None:
    open_to_all = Broker("mosquitto", tmp_path)
    await open_to_all.start()
    try:
        allowed = await mqtt_probe.ask(MqttConfig(port=open_to_all.port), "attic")
    finally:
        await open_to_all.stop()

    assert allowed == Allowed(
        hear_requests=True, speak=True, speak_for_others=True, command_others=True
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cert_file": None, "key_file": None}, "cannot be reached"),
        ({"ca_file": None}, "not trusted; check [mqtt] ca_file"),
    ],
    ids=["no certificate of its own", "an unknown authority"],
)
async def test_who_is_not_of_the_house_is_not_let_in(
    broker: Broker, certificates: Path, changes: dict[str, Any], says: str
) -> None:
    why = await mqtt.refusal(config(broker, certificates, "attic", **changes))

    assert why is not None
    assert says in why


async def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "rig.crt"
    settings = MqttConfig(tls=True, cert_file=missing)

    with pytest.raises(ConfigError, match=rf"cert_file = {missing}: cannot be used"):
        settings.tls_context()


def test_tls_verifies_who_the_broker_is() -> None:
    context = MqttConfig(tls=True).tls_context()

    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert MqttConfig(tls=True).the_port == 8883
