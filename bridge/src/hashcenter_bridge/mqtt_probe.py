"""What the broker does for this rig's account, asked by `hashcenter doctor` without harm.

Everything published is empty and not retained, under this rig's name or one that no rig has. MQTT 5
answers each publish with a reason; 135 is "not authorized". The will is that of a second client,
whose connection is cut.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from .config import MqttConfig
from .mqtt import BIRTH_TOPIC
from .wire.codec import WireError, decode
from .wire.messages import RigState
from .wire.topics import DEVICE, REQUEST, STATE

#: How long the will waits, and what counts as having waited.
WILL_DELAY_S: Final = 2
_NOBODY: Final = "doctor-probe"
_WILL: Final = "doctor-will"
_PATIENCE_S: Final = 5.0
#: Brokers look for wills that are due about once a second.
_WILL_WITHIN_S: Final = 8.0
_REFUSED_FROM: Final = 128
_LARGEST: Final = 262_144


@dataclass(frozen=True)
class Allowed:
    """What this account may do at the broker; None where the broker did not say."""

    hear_requests: bool | None
    speak: bool | None
    speak_for_others: bool | None
    command_others: bool | None


@dataclass
class Overheard:
    """What was heard for some seconds under this rig's own name.

    `boots`: the runs of bridges that spoke as this rig. `will_after_s`: after how long a cut
    connection's will came, None if it did not. `hears_birth`: may it hear Home Assistant's birth;
    `home_assistant`: what was heard of it.
    """

    boots: set[str] = field(default_factory=set)
    will_after_s: float | None = None
    hears_birth: bool | None = None
    home_assistant: str | None = None


async def ask(config: MqttConfig, rig: str) -> Allowed:
    """Ask the broker. Raises OSError when it cannot be reached any more."""
    return await asyncio.to_thread(_ask, config, rig)


async def overhear(config: MqttConfig, rig: str, for_s: float) -> Overheard:
    """Listen to this rig's own words, longer than `for_s` only for the will. Raises OSError."""
    return await asyncio.to_thread(_overhear, config, rig, for_s)


class _Line:
    """A connection of its own: what the broker says to each question, and what it passes on."""

    def __init__(self, config: MqttConfig) -> None:
        self._config = config
        self._answers: dict[int, int] = {}
        self.news = threading.Condition()
        self.connected = False
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_publish = self._note
        self.client.on_subscribe = self._note
        self.client.on_connect = self._taken

    def open(self, **more: Any) -> None:
        """Connect. Raises OSError."""
        config, client = self._config, self.client
        if config.username:
            client.username_pw_set(config.username, config.password())
        if (tls := config.tls_context()) is not None:
            client.tls_set_context(tls)
        client.connect(config.host, config.the_port, keepalive=15, **more)
        client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def may_hear(self, topic: str) -> bool | None:
        return self._verdict(self.client.subscribe(topic, qos=1)[1])

    def may_say(self, topic: str) -> bool | None:
        return self._verdict(self.client.publish(topic, b"", qos=1).mid)

    def wait_for(self, condition: Callable[[], bool], for_s: float) -> None:
        with self.news:
            self.news.wait_for(condition, for_s)

    def _verdict(self, number: int | None) -> bool | None:
        if number is None:
            return None
        self.wait_for(lambda: number in self._answers, _PATIENCE_S)
        code = self._answers.get(number)
        return None if code is None else code < _REFUSED_FROM

    def _note(self, _c: Any, _u: Any, number: int, codes: Any, _p: Any) -> None:
        code = codes[0] if isinstance(codes, list) else codes
        with self.news:
            self._answers[number] = int(code.value)
            self.news.notify_all()

    def _taken(self, *_: Any) -> None:
        with self.news:
            self.connected = True
            self.news.notify_all()


def _ask(config: MqttConfig, rig: str) -> Allowed:
    line = _Line(config)
    line.open()
    try:
        return Allowed(
            hear_requests=line.may_hear(REQUEST.of(rig)),
            speak=line.may_say(DEVICE.of(rig, _NOBODY)),
            speak_for_others=line.may_say(STATE.of(_NOBODY)),
            command_others=line.may_say(REQUEST.of(_NOBODY)),
        )
    finally:
        line.close()


def _overhear(config: MqttConfig, rig: str, for_s: float) -> Overheard:
    heard, line = Overheard(), _Line(config)
    cut_at: list[float] = []

    def note(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        with line.news:
            if message.topic == BIRTH_TOPIC:
                heard.home_assistant = message.payload[:40].decode(errors="replace")
            elif message.topic == DEVICE.of(rig, _WILL) and cut_at:
                heard.will_after_s = time.monotonic() - cut_at[0]
            elif not message.retain:
                heard.boots |= _boot_of(message.payload)
            line.news.notify_all()

    line.client.on_message = note
    line.open()
    try:
        line.may_hear(STATE.of(rig))
        line.may_hear(DEVICE.of(rig, _WILL))
        heard.hears_birth = line.may_hear(BIRTH_TOPIC)
        began = time.monotonic()
        cut_at.append(_cut(config, rig))
        line.wait_for(lambda: heard.will_after_s is not None, WILL_DELAY_S + _WILL_WITHIN_S)
        line.wait_for(lambda: False, max(0.0, began + for_s - time.monotonic()))
        return heard
    finally:
        line.close()


def _cut(config: MqttConfig, rig: str) -> float:
    """Connect with a will as the bridge has one, cut the connection, and return when."""
    line = _Line(config)
    will = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    will.WillDelayInterval = WILL_DELAY_S
    line.client.will_set(DEVICE.of(rig, _WILL), b"", qos=1, properties=will)
    connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    connect.SessionExpiryInterval = 60
    line.open(clean_start=False, properties=connect)
    line.wait_for(lambda: line.connected, _PATIENCE_S)
    line.client.loop_stop()
    if (held := line.client.socket()) is not None:
        held.close()
    return time.monotonic()


def _boot_of(payload: bytes | bytearray) -> set[str]:
    try:
        return {decode(RigState, bytes(payload), _LARGEST).boot_id}
    except WireError:
        return set()
