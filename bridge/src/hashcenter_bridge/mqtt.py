"""The line to the house's broker: MQTT 5, a stable session, a will that the broker speaks.

What is said while the line is down waits here: of a retained topic only the newest, of events the
last two hundred. After every connect `connected` is called, so that everything retained is said
again.
"""

import asyncio
import hashlib
import logging
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import aiomqtt
from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from .config import MqttConfig
from .wire.codec import MAX_REQUEST_BYTES, WireModel, encode
from .wire.messages import Status
from .wire.topics import REQUEST, STATUS, Topic
from .wire.values import Presence

_LOGGER = logging.getLogger(__name__)

BIRTH_TOPIC = "homeassistant/status"
_SESSION_EXPIRY_S = 120
_WILL_DELAY_S = 10
_RETRY_S = (0.5, 1.0, 2.0, 3.0)
_MOST_EVENTS = 200
_MOST_UNREAD = 1000
#: All rigs of a house hear Home Assistant's birth at once; they do not all answer at once.
_BIRTH_S = (0.5, 3.0)
_UNSUPPORTED_VERSION = (1, 132)
_NOT_LET_IN = (4, 5, 134, 135)


@dataclass(frozen=True)
class _Said:
    topic: str
    payload: str
    retained: bool
    expiry_s: int | None


class Line:
    """Says messages and hears requests. `heard(payload, retained)` gets every request."""

    def __init__(
        self,
        config: MqttConfig,
        rig: str,
        boot_id: str,
        *,
        heard: Callable[[bytes, bool], None],
        connected: Callable[[], None],
        born: Callable[[], None],
    ) -> None:
        self._config = config
        self._rig = rig
        self._boot_id = boot_id
        self._heard = heard
        self._connected = connected
        self._born = born
        self._password = config.password()
        self._tls = config.tls_context()
        self._waiting: OrderedDict[str, _Said] = OrderedDict()
        self._events: list[_Said] = []
        self._something = asyncio.Event()
        self._said_all = asyncio.Event()
        self._done = asyncio.Event()
        self._closing = False
        self._birth: asyncio.TimerHandle | None = None
        self.online = False
        self.why = "not connected yet"
        self.connects = 0
        #: How often Home Assistant was heard to be born.
        self.births = 0
        #: Messages that the broker took, and tries to reach it: it grows while the line is alive.
        self.turns = 0

    def say(self, topic: Topic[WireModel], message: WireModel, uid: str | None = None) -> None:
        """Publish `message` as soon as the line is up. Never blocks."""
        if self._closing:
            return
        name = topic.of(self._rig, uid)
        said = _Said(name, encode(message), topic.retained, topic.expiry_s)
        if topic.retained:
            self._waiting[name] = said
            self._waiting.move_to_end(name)
        else:
            self._events = [*self._events[1 - _MOST_EVENTS :], said]
        self._something.set()

    def forget(self, topic: Topic[WireModel], uid: str) -> None:
        """Clear a retained topic: its device is gone for good."""
        name = topic.of(self._rig, uid)
        self._waiting[name] = _Said(name, "", True, None)
        self._something.set()

    async def run(self) -> None:
        """Keep the line up until `close`; each new reason for a failure is logged once."""
        failures = 0
        while not self._done.is_set():
            try:
                await self._session()
                failures = 0
            except (aiomqtt.MqttError, ValueError) as err:
                why = self._explain(err)
                if why != self.why or self.online:
                    _LOGGER.warning("%s", why)
                self.why = why
                failures = 0 if self.online else failures + 1
            self.online = False
            self.turns += 1
            delay_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)] * random.uniform(0.7, 1.3)  # noqa: S311
            try:
                async with asyncio.timeout(delay_s):
                    await self._done.wait()
            except TimeoutError:
                pass

    async def close(self) -> None:
        """Say offline ourselves and hang up: this is no accident for the will to report.

        Nothing is said after that, so that no late heartbeat makes the rig look alive.
        """
        self._said_all.clear()
        self.say(STATUS, Status(status=Presence.OFFLINE, boot_id=self._boot_id))
        self._closing = True
        if self._birth:
            self._birth.cancel()
        try:
            async with asyncio.timeout(2):
                await self._said_all.wait()
        except TimeoutError:
            _LOGGER.info("the broker did not take the last messages in time")
        self._done.set()

    async def _session(self) -> None:
        async with self._client() as client:
            # Requests wait for the subscription; what the session queued arrives after it.
            # The retain flag is kept as it was published: such a request is refused.
            as_published = SubscribeOptions(qos=1, retainAsPublished=True)
            await client.subscribe(REQUEST.of(self._rig), options=as_published)
            await client.subscribe(BIRTH_TOPIC, qos=0)
            self.online, self.why = True, ""
            self.connects += 1
            _LOGGER.info(
                "connected to the broker at %s:%s", self._config.host, self._config.the_port
            )
            self.say(STATUS, Status(status=Presence.ONLINE, boot_id=self._boot_id))
            self._connected()
            work = [
                asyncio.create_task(part)
                for part in (self._read(client), self._write(client), self._done.wait())
            ]
            try:
                ended, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
            finally:
                await _end(work)

    async def _read(self, client: aiomqtt.Client) -> None:
        request = REQUEST.of(self._rig)
        async for message in client.messages:
            payload = bytes(message.payload)
            if message.topic.value == request:
                self._heard(payload, bool(message.retain))
            elif payload == b"online" and not message.retain and self._birth is None:
                self.births += 1
                delay_s = random.uniform(*_BIRTH_S)  # noqa: S311
                self._birth = asyncio.get_running_loop().call_later(delay_s, self._greet)
        raise aiomqtt.MqttError("the broker closed the line")

    def _greet(self) -> None:
        self._birth = None
        self.say(STATUS, Status(status=Presence.ONLINE, boot_id=self._boot_id))
        self._born()

    async def _write(self, client: aiomqtt.Client) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            self._said_all.clear()
            while self._waiting or self._events:
                said = self._events[0] if self._events else next(iter(self._waiting.values()))
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
                if said.expiry_s:
                    properties.MessageExpiryInterval = said.expiry_s
                await client.publish(
                    said.topic, said.payload, qos=1, retain=said.retained, properties=properties
                )
                self.turns += 1
                # Taken off only once the broker has it; a newer one may have replaced it meanwhile.
                if said in self._events:
                    self._events.remove(said)
                elif self._waiting.get(said.topic) is said:
                    del self._waiting[said.topic]
            self._said_all.set()

    def _client(self) -> aiomqtt.Client:
        will = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        will.WillDelayInterval = _WILL_DELAY_S
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.SessionExpiryInterval = _SESSION_EXPIRY_S
        connect.MaximumPacketSize = 16 * MAX_REQUEST_BYTES
        return _Client(
            self._config.host,
            self._config.the_port,
            username=self._config.username,
            password=self._password,
            identifier=f"hashcenter-{self._rig}-{_machine()}",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            keepalive=self._config.keepalive_s,
            timeout=10,
            tls_context=self._tls,
            max_queued_incoming_messages=_MOST_UNREAD,
            properties=connect,
            will=aiomqtt.Will(
                STATUS.of(self._rig),
                encode(Status(status=Presence.OFFLINE, boot_id=self._boot_id)),
                qos=1,
                retain=True,
                properties=will,
            ),
        )

    def _explain(self, err: Exception) -> str:
        if self.online:
            return f"the broker at {self._config.host} is gone ({err}); trying again"
        return f"{explain(self._config, err)}; trying again"


class _Client(aiomqtt.Client):
    """aiomqtt's client, which waits to write on no socket that was closed meanwhile.

    The library asks the loop by the socket's number and for its next turn. A line that is reset in
    between has closed that number, or it is another file's by then.
    """

    def _on_socket_register_write(self, client: mqtt.Client, _: Any, sock: socket) -> None:
        def write() -> None:
            try:
                client.loop_write()
            except Exception as err:  # noqa: BLE001 - whatever it is, the line is gone
                if not self._disconnected.done():
                    self._disconnected.set_exception(err)

        def watch() -> None:
            if client.socket() is sock:
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(watch)


def explain(config: MqttConfig, err: Exception) -> str:
    """Return why the broker did not take us, and what to check."""
    where = f"the broker at {config.host}:{config.the_port}"
    code = getattr(err, "rc", None)
    number = getattr(code, "value", code)
    if number in _UNSUPPORTED_VERSION:
        return f"{where} speaks no MQTT 5; use Mosquitto 1.6 or newer ([mqtt] host, port)"
    if number in _NOT_LET_IN:
        return f"{where} refuses us ({code}); check [mqtt] username and password_file"
    if "CERTIFICATE_VERIFY_FAILED" in str(err):
        return f"{where} shows a certificate that is not trusted; check [mqtt] ca_file and host"
    return f"{where} cannot be reached ({err}); check [mqtt] host and port"


async def refusal(config: MqttConfig) -> str | None:
    """Try the broker once and return why it does not take us, None if it does."""
    client = aiomqtt.Client(
        config.host,
        config.the_port,
        username=config.username,
        password=config.password(),
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=5,
        tls_context=config.tls_context(),
    )
    try:
        async with client:
            return None
    except (aiomqtt.MqttError, ValueError) as err:
        return explain(config, err)


async def _end(work: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: before Python 3.12 `wait_for` may swallow a cancel."""
    for task in work:
        while not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=0.5)
        if not task.cancelled():
            # Two may have failed at once; the first one's reason is enough.
            task.exception()


def _machine() -> str:
    """Return a name of this machine: two rigs with one id must not share a session."""
    try:
        machine_id = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine_id = ""
    return hashlib.sha256(b"hashcenter" + machine_id.encode()).hexdigest()[:8]
