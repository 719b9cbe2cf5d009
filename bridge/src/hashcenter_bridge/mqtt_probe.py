"""What the broker lets this rig's account do: asked by `hashcenter doctor`, with harmless messages.

Everything published is empty and not retained, under this rig's name or one that no rig has. MQTT 5
answers each publish with a reason; 135 is "not authorized".
"""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from .config import MqttConfig
from .wire.topics import DEVICE, REQUEST, STATE

_NOBODY: Final = "doctor-probe"
_PATIENCE_S: Final = 5.0
_REFUSED_FROM: Final = 128


@dataclass(frozen=True)
class Allowed:
    """What this account may do at the broker; None where the broker did not say."""

    hear_requests: bool | None
    speak: bool | None
    speak_for_others: bool | None
    command_others: bool | None


async def ask(config: MqttConfig, rig: str) -> Allowed:
    """Ask the broker. Raises OSError when it cannot be reached any more."""
    return await asyncio.to_thread(_Probe(config).ask, rig)


class _Probe:
    def __init__(self, config: MqttConfig) -> None:
        self._config = config
        self._answers: dict[int, int] = {}
        self._news = threading.Condition()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_publish = self._note
        self._client.on_subscribe = self._note

    def ask(self, rig: str) -> Allowed:
        config, client = self._config, self._client
        if config.username:
            client.username_pw_set(config.username, config.password())
        if (tls := config.tls_context()) is not None:
            client.tls_set_context(tls)
        client.connect(config.host, config.the_port, keepalive=15)
        client.loop_start()
        try:
            _, number = client.subscribe(REQUEST.of(rig), qos=1)
            return Allowed(
                hear_requests=self._verdict(number),
                speak=self._may_say(DEVICE.of(rig, _NOBODY)),
                speak_for_others=self._may_say(STATE.of(_NOBODY)),
                command_others=self._may_say(REQUEST.of(_NOBODY)),
            )
        finally:
            client.disconnect()
            client.loop_stop()

    def _may_say(self, topic: str) -> bool | None:
        return self._verdict(self._client.publish(topic, b"", qos=1).mid)

    def _verdict(self, number: int | None) -> bool | None:
        if number is None:
            return None
        with self._news:
            self._news.wait_for(lambda: number in self._answers, _PATIENCE_S)
            code = self._answers.get(number)
            return None if code is None else code < _REFUSED_FROM

    def _note(self, _c: Any, _u: Any, number: int, codes: Any, _p: Any) -> None:
        code = codes[0] if isinstance(codes, list) else codes
        with self._news:
            self._answers[number] = int(code.value)
            self._news.notify_all()
