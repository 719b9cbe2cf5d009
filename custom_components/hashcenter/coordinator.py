"""From MQTT to entities: the only module (with the config flow) that knows Home Assistant's MQTT.

One set of subscriptions serves the house. A message is decoded once and applied to its Rig
(rig.py); the RigCoordinator wakes the rig's entities on every heartbeat, a DeviceCoordinator wakes
one device's entities when that device has something new to say. Home Assistant connects with a
clean start: a message without the retain flag was said after our subscription was acknowledged.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_PROTOCOL
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util.hass_dict import HassKey

from .answers.contact import Pin
from .const import CONF_HOST, CONF_KEY, CONF_RIG, DOMAIN
from .redaction import without
from .rigs.rig import LOST_S, SILENT_S, Rig
from .wire import topics
from .wire.codec import WireError, decode, encode
from .wire.messages import (
    Announce,
    AnyRequest,
    DeviceState,
    Event,
    Inventory,
    Response,
    RigState,
)
from .wire.signing import signed

if TYPE_CHECKING:
    from .house import House
    from .rigs.requester import Build

_LOGGER = logging.getLogger(__name__)

_QOS = 1

#: What rigs said last, and when (the loop's time), while the house is made anew.
HEARD: HassKey[dict[str, tuple[Rig, float]]] = HassKey(f"{DOMAIN}_heard")

#: A timer that is so late says that this loop did nothing else either; later still, that the whole
#: machine stood, and nothing that was said then is worth waiting for.
_BUSY_S = (0.5, 60.0)

#: How long a flow listens for what rigs keep at the broker.
LISTEN_S = 5.0


class DeviceCoordinator(DataUpdateCoordinator[DeviceState | None]):
    """What one device says; None while there is no fresh word from it."""

    def __init__(self, rig: RigCoordinator, uid: str) -> None:
        """Follow the device `uid` of `rig`."""
        super().__init__(rig.hass, _LOGGER, config_entry=rig.config_entry, name=f"{rig.name} {uid}")
        self.rig = rig
        self.uid = uid
        self.data = rig.data.device(uid)

    @override
    async def _async_update_data(self) -> DeviceState | None:
        return self.data

    @callback
    def async_follow(self) -> None:
        """Wake the device's entities if it has something new to say."""
        if (state := self.rig.data.device(self.uid)) != self.data:
            self.async_set_updated_data(state)


class RigCoordinator(DataUpdateCoordinator[Rig]):
    """One accepted rig: its picture, who listens to it, and the way to ask it for something."""

    config_entry: ConfigEntry[House]

    def __init__(self, house: House, subentry: ConfigSubentry) -> None:
        """Follow the rig of `subentry`."""
        super().__init__(house.hass, _LOGGER, config_entry=house.config_entry, name=subentry.title)
        self.house = house
        self.subentry = subentry
        self.rig_id: str = subentry.data[CONF_RIG]
        self.data = Rig(self.rig_id)
        self.pin = Pin()
        self._heard_at = -SILENT_S
        #: Payloads that could not be read, since Home Assistant started.
        self.invalid_total = 0
        self._devices: dict[str, DeviceCoordinator] = {}
        self._structure_listeners: list[CALLBACK_TYPE] = []
        self._event_listeners: list[Callable[[Event], None]] = []
        self._patience: asyncio.TimerHandle | None = None
        self._await(LOST_S, self._give_up)

    @property
    def key(self) -> str | None:
        """The rig's key, as a person entered it."""
        key: str | None = self.subentry.data.get(CONF_KEY)
        return key

    @property
    def host(self) -> str | None:
        """The origin that a person confirmed for this key."""
        host: str | None = self.subentry.data.get(CONF_HOST)
        return host

    def device(self, uid: str) -> DeviceCoordinator:
        """Return the coordinator of one device."""
        if uid not in self._devices:
            self._devices[uid] = DeviceCoordinator(self, uid)
        return self._devices[uid]

    async def async_send(self, build: Build) -> Response:
        """Send one request and return the rig's acceptance; raises as Requester.async_ask does."""
        return await self.house.requester.async_ask(self, build)

    @override
    async def _async_update_data(self) -> Rig:
        return self.data

    @override
    async def async_shutdown(self) -> None:
        await super().async_shutdown()
        self._stop_waiting()
        if self.data.online:
            self.hass.data.setdefault(HEARD, {})[self.rig_id] = (self.data, self._heard_at)

    @callback
    def async_take_up(self) -> None:
        """Go on with what was heard just before the house was made anew; called once it listens.

        A change of the house's set-up is no reason for a rig to be unavailable for a while.
        """
        data, heard_at = self.hass.data.setdefault(HEARD, {}).pop(self.rig_id, (None, 0.0))
        silent_s = self.hass.loop.time() - heard_at
        if data is not None and silent_s < SILENT_S:
            self.data, self._heard_at = data, heard_at
            self._await(SILENT_S - silent_s, self.async_silent)
            self.house.async_structure_changed(self)
            self.house.async_rig_changed(self)

    @callback
    def async_add_structure_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when devices, heaters or what is allowed changed."""
        self._structure_listeners.append(listener)
        return lambda: self._structure_listeners.remove(listener)

    @callback
    def async_add_event_listener(self, listener: Callable[[Event], None]) -> CALLBACK_TYPE:
        """Call `listener` with everything that the rig says has happened."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    @callback
    def async_hear(self, address: topics.Address, payload: bytes, *, retained: bool) -> None:
        """Take one message of this rig. What cannot be read is counted, and changes nothing."""
        if not payload:
            return  # a cleared retained topic
        try:
            message = decode(address.topic.message, without(payload, self.key))
        except WireError as err:
            if not self.invalid_total:
                _LOGGER.debug("%s said something unreadable: %s: %s", self.name, address, err)
            self.invalid_total += 1
            return
        if isinstance(message, Response):
            self.house.requester.hear(message)
            return
        if isinstance(message, Event):
            for listener in [] if retained else list(self._event_listeners):
                listener(message)
            return
        before = self.data
        self.data = before.apply(message, uid=address.uid, retained=retained)
        if isinstance(message, RigState) and self.data is not before:
            self._heard_at = self.hass.loop.time()
            self._await(SILENT_S, self.async_silent)
        self.async_tell(before, address.uid)

    @callback
    def async_silent(self) -> None:
        """Note that the rig cannot be heard any more."""
        async_silence([self])

    @callback
    def async_structure_changed(self) -> None:
        """Have entities added and removed as the inventory says."""
        for listener in list(self._structure_listeners):
            listener()

    @callback
    def async_tell(self, before: Rig, uid: str | None = None) -> None:
        """Wake exactly those that a change concerns: one device's entities, or the whole rig's."""
        now = self.data
        if now is before:
            return
        if uid is not None:
            if uid in self._devices:
                self._devices[uid].async_follow()
            return
        if now.online != before.online:
            if not now.online:
                self._await(LOST_S, self._give_up)
            _LOGGER.info("%s is %s", self.name, "back" if now.online else "unavailable")
        if (
            now.inventory_current != before.inventory_current
            or now.allows_control != before.allows_control
            or now.inventory != before.inventory
            or now.speech.keys() != before.speech.keys()
        ):
            self.house.async_structure_changed(self)
            self.async_structure_changed()
        for device in self._devices.values():
            device.async_follow()
        self.async_set_updated_data(now)
        self.house.async_rig_changed(self)

    def _give_up(self) -> None:
        before = self.data
        self.data = before.given_up()
        self.async_tell(before)

    def _await(self, seconds: float, then: CALLBACK_TYPE, *, again: bool = False) -> None:
        """Wait for the next heartbeat for so long, and no longer for anything else.

        Whatever kept this loop busy until long after that kept it from hearing as well: then what
        was said meanwhile is read first. `again`: it was waited for once more already.
        """
        self._stop_waiting()
        loop = self.hass.loop
        due = loop.time() + seconds

        def over() -> None:
            late_s = loop.time() - due
            if _BUSY_S[0] < late_s < _BUSY_S[1] and not again:
                self._await(min(late_s, SILENT_S), then, again=True)
            else:
                then()

        self._patience = loop.call_at(due, over)

    def _stop_waiting(self) -> None:
        if self._patience:
            self._patience.cancel()


async def async_wait_for_mqtt(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant's MQTT integration is set up."""
    return await mqtt.async_wait_for_mqtt_client(hass)


def speaks_mqtt5(hass: HomeAssistant) -> bool:
    """Return whether the link to the broker is MQTT 5."""
    entries = hass.config_entries.async_loaded_entries(mqtt.DOMAIN)
    return any(entry.data.get(CONF_PROTOCOL) == "5" for entry in entries)


async def async_subscribe(
    hass: HomeAssistant,
    on_message: Callable[[topics.Address, bytes, bool], None],
    on_link: Callable[[bool], None],
) -> CALLBACK_TYPE:
    """Hear everything that rigs say, and whether the broker is there. Returns the undo."""

    @callback
    def message(received: mqtt.ReceiveMessage) -> None:
        if (address := topics.parse(received.topic)) is not None:
            on_message(address, _bytes(received.payload), received.retain)

    undo = [
        mqtt.async_subscribe_connection_status(hass, on_link),
        *[
            await mqtt.async_subscribe(hass, topic, message, _QOS, encoding=None)
            for topic in topics.HOUSE_FILTERS
        ],
    ]

    @callback
    def unsubscribe() -> None:
        while undo:
            undo.pop()()

    return unsubscribe


def _bytes(payload: str | bytes | bytearray) -> bytes:
    """Return a payload as it was sent: whoever else has our filter may have had it decoded."""
    return payload.encode() if isinstance(payload, str) else bytes(payload)


async def async_say(hass: HomeAssistant, rig_id: str, request: AnyRequest, key: str | None) -> None:
    """Publish a request, signed where the rig's key is known.

    On an MQTT 5 link the broker forgets it after a few seconds.
    """
    said = encode(request)
    await mqtt.async_publish(
        hass,
        topics.REQUEST.of(rig_id),
        signed(said, rig_id, key) if key else said,
        _QOS,
        False,
        message_expiry_interval=topics.REQUEST.expiry_s if speaks_mqtt5(hass) else None,
    )


@callback
def async_silence(rigs: Iterable[RigCoordinator]) -> None:
    """Note that these rigs cannot be heard any more: all first, so that none is asked instead."""
    before = [(rig, rig.data) for rig in rigs if rig.data.online]
    for rig, heard in before:
        rig.data = heard.silent()
    for rig, heard in before:
        rig.async_tell(heard)


@dataclass(frozen=True)
class Found:
    """A rig that keeps an announcement at the broker."""

    announce: Announce
    inventory: Inventory | None = None

    @property
    def rig(self) -> Rig:
        """The same as a Rig that was never heard live."""
        return Rig(self.announce.rig, announce=self.announce, inventory=self.inventory)


async def async_listen(hass: HomeAssistant, only: str | None = None) -> dict[str, Found]:
    """Return the rigs that can be heard, by id; with `only`, stop once that one is complete."""
    announced: dict[str, Announce] = {}
    inventories: dict[str, Inventory] = {}
    complete = asyncio.Event()

    @callback
    def message(received: mqtt.ReceiveMessage) -> None:
        if (address := topics.parse(received.topic)) is None:
            return
        try:
            said = decode(address.topic.message, _bytes(received.payload))
        except WireError:
            return
        if isinstance(said, Announce) and said.rig == address.rig:
            announced[address.rig] = said
        elif isinstance(said, Inventory):
            inventories[address.rig] = said
        if only in announced and only in inventories:
            complete.set()

    level = only or "+"
    undo = [
        await mqtt.async_subscribe(hass, topic.of(level), message, _QOS, encoding=None)
        for topic in (topics.ANNOUNCE, topics.INVENTORY)
    ]
    try:
        async with asyncio.timeout(LISTEN_S):
            await complete.wait()
    except TimeoutError:
        pass
    finally:
        for unsubscribe in undo:
            unsubscribe()
    return {rig: Found(said, inventories.get(rig)) for rig, said in announced.items()}
