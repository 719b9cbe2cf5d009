"""No secret of the house is in what people publish or read: diagnostics, repairs, logs, states."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.json import ExtendedJSONEncoder

from custom_components.hashcenter import diagnostics, system_health
from custom_components.hashcenter.redaction import covered
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import encode
from custom_components.hashcenter.wire.messages import Event, Fault
from custom_components.hashcenter.wire.values import Severity
from tests.component.rigs import ATTIC, GPU, ScriptedRig, fire_burst, live_rig
from tests.component.talking import agent_subentry, rig_says, rig_subentry, say, set_up

pytestmark = pytest.mark.usefixtures("mqtt_mock")

KEY = "hc-canary-of-the-rigs-own-key-0a1b2c"
ANOTHER_KEY = "hc-canary-of-another-rigs-key-3d4e5f"
BROKER = "canary-of-the-broker-77"
WALLET = "canary-wallet.worker"
TOKEN = "canary-token-88"
CANARIES = (KEY, ANOTHER_KEY, BROKER, WALLET, TOKEN)


def leaks(text: str) -> list[str]:
    """Return the secrets in `text`."""
    return [one for one in CANARIES if one in text]


def tell_all(rig: ScriptedRig) -> None:
    """Have the rig say every secret wherever it may say something."""
    words = (
        f"the pool stratum+tcp://{WALLET}:x@pool.example refuses {KEY}, {ANOTHER_KEY}; "
        f"Authorization: Bearer {TOKEN}; password={BROKER}"
    )
    fault = Fault(code="pool_changed", text=words, since_s=3.0, uid=GPU)
    rig.say_device(GPU, reason=words, missing={"fan_percent": words})
    rig.beat(faults=(fault,), missing={"power_w": words})
    rig.say_inventory(control_refused=words)
    event = Event(
        boot_id=rig.boot_id, tick=rig.tick, code="refused", text=words, severity=Severity.WARNING
    )
    rig.say(topics.EVENT, event)
    # Fields that nobody knows, and words that nobody can read.
    for topic, message in ((topics.STATE, rig.state), (topics.INVENTORY, rig.inventory)):
        raw = json.loads(encode(message)) | {"password": BROKER, "pool_user": WALLET, "key": KEY}
        rig.say(topic, json.dumps(raw))
        rig.say(topic, json.dumps(raw | {"boot_id": [words]}))
    rig.say(topics.STATE, words)


async def said_of(hass: HomeAssistant, entry: Any) -> str:
    """Return all that people download."""
    told = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    health = await system_health.async_info(hass)
    return json.dumps([told, health], cls=ExtendedJSONEncoder)


async def test_diagnostics_health_and_repairs_hold_no_secret(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    broker = hass.config_entries.async_entries(mqtt.DOMAIN)[0]
    hass.config_entries.async_update_entry(
        broker, data={**broker.data, "username": "house", "password": BROKER}
    )
    # The broker's integration loads itself anew, and must not lose what the house subscribes to.
    await hass.async_block_till_done()
    voice = await set_up(hass, rig_subentry(ATTIC, "http://10.0.0.5:8420", KEY), agent_subentry())
    rig = await live_rig(hass)
    tell_all(rig)
    await hass.async_block_till_done()
    said = await said_of(hass, voice.entry)
    assert "refuses" in said
    assert leaks(said) == []
    repairs = [
        json.dumps([issue.translation_placeholders, issue.data], cls=ExtendedJSONEncoder)
        for (domain, _), issue in issue_registry.issues.items()
        if domain == "hashcenter"
    ]
    assert any("pool.example" in text for text in repairs)
    assert leaks("".join(repairs)) == []


async def test_no_entity_shows_the_rigs_own_key(hass: HomeAssistant) -> None:
    await set_up(hass, rig_subentry(ATTIC, "http://10.0.0.5:8420", KEY), agents=0, lamp=False)
    rig = await live_rig(hass)
    tell_all(rig)
    await hass.async_block_till_done()
    shown = json.dumps([one.as_dict() for one in hass.states.async_all()], cls=ExtendedJSONEncoder)
    assert KEY not in shown


@pytest.fixture
async def parrot() -> AsyncIterator[str]:
    """A server that is no HTTP and says back what it heard, the key included."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX: \x00" + heard)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.mark.usefixtures("socket_enabled")
async def test_the_log_of_a_failed_question_holds_no_key(
    hass: HomeAssistant, parrot: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    voice = await set_up(hass, rig_subentry(ATTIC, parrot, KEY), agent_subentry())
    await rig_says(hass, ATTIC, parrot)
    said = await say(voice, "Turn on the lamp")
    assert said.error
    ours = [one for one in caplog.records if one.name.startswith("custom_components.hashcenter")]
    text = "\n".join(f"{one.getMessage()} {one.exc_text or ''}" for one in ours)
    assert "No answer from Attic" in text
    assert leaks(f"{text} {said.speech} {caplog.text}") == []


async def test_the_log_of_what_a_rig_says_holds_no_key(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.hashcenter")
    await set_up(hass, rig_subentry(ATTIC, "http://10.0.0.5:8420", KEY), agents=0, lamp=False)
    rig = await live_rig(hass)
    tell_all(rig)
    fire_burst(rig)
    await hass.async_block_till_done()
    ours = [one for one in caplog.records if one.name.startswith("custom_components.hashcenter")]
    assert KEY not in "\n".join(one.getMessage() for one in ours)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("hc-0123456789abcdefghijklmn", "**REDACTED**"),
        ("stratum+tcp://bc1q.rig:x@pool:3333", "stratum+tcp://**REDACTED**@pool:3333"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer **REDACTED**"),
        ("password=hunter22, user=root", "password=**REDACTED**, user=root"),
        ({"a": ["token: xyz", 3, None]}, {"a": ["token: **REDACTED**", 3, None]}),
        ("GPU 0 draws 250 W", "GPU 0 draws 250 W"),
        ("41.5 tokens per second", "41.5 tokens per second"),
    ],
)
def test_secrets_are_known_by_their_form(said: object, shown: object) -> None:
    assert covered(said) == shown
