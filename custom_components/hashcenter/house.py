"""The house: its rigs, what is wanted of them, and the house's own entities' data.

MQTT messages come from coordinator.py and go to the rig they are of. When a rig changed, the house
sums up (summary.py), renews leases (heating.py), keeps the device registry true (devices.py) and
raises or withdraws repairs (issues.py).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import instance_id
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util

from . import issues
from .answers.rig_choice import Memory
from .const import CONF_RIG, DOMAIN, SUBENTRY_RIG
from .control.requests import HeaterKey
from .coordinator import (
    RigCoordinator,
    async_say,
    async_silence,
    async_subscribe,
    async_wait_for_mqtt,
    speaks_mqtt5,
)
from .heat.heating import Heating
from .heat.plan import HousePlan
from .rigs.devices import DeviceBook, disputes
from .rigs.registry import async_register_house, async_register_rig, async_remove_devices
from .rigs.requester import Requester
from .rigs.sequence import Sequence
from .rigs.summary import Summary, problems, summarize
from .wire.topics import Address

type HashcenterConfigEntry = ConfigEntry[House]

_LOGGER = logging.getLogger(__name__)

_FORGET_INTERVAL = timedelta(hours=1)

#: A sum over all rigs at each rig's heartbeat would cost their number squared: so many are summed
#: up at once, more of them together, this long after the first heartbeat.
_SHOWN_AT_ONCE = 8
_SHOW_S = 1.0


class House(DataUpdateCoordinator[Summary]):
    """Everything behind the house entry; `rigs` holds the accepted rigs by id."""

    config_entry: HashcenterConfigEntry

    def __init__(self, hass: HomeAssistant, entry: HashcenterConfigEntry) -> None:
        """Prepare the house; `async_start` brings it to life."""
        super().__init__(hass, _LOGGER, config_entry=entry, name=entry.title)
        self.data = Summary()
        self.made_of = made_of(entry)
        self.plan = HousePlan.read(entry)
        self.rigs: dict[str, RigCoordinator] = {}
        self.heating = Heating(hass, self)
        self.devices = DeviceBook(hass)
        #: What came of questions to the rigs.
        self.asked = Memory()
        #: Heaters that their circuit could not carry after a power cut, None before a decision.
        self._unfit: Mapping[HeaterKey, tuple[str, str]] | None = None
        #: Repairs raised for faults of devices, by rig.
        self._repairs: dict[str, frozenset[str]] = {}
        self.controller = ""
        self.requester: Requester
        self._disputes: Mapping[HeaterKey, str] | None = None
        self._decision_listeners: list[CALLBACK_TYPE] = []
        self._showing: asyncio.TimerHandle | None = None
        #: What is wrong, and since when: text by the problem's key.
        self.problems: dict[tuple[str, ...], tuple[str, datetime]] = {}

    async def async_start(self) -> None:
        """Bring back what was stored and listen to the rigs.

        Raises ConfigEntryNotReady when MQTT is not set up.
        """
        if not await async_wait_for_mqtt(self.hass):
            raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="mqtt_unavailable")
        self.controller = await instance_id.async_get(self.hass)
        self.requester = Requester(
            self.controller,
            Sequence(self.hass),
            lambda rig_id, request: async_say(self.hass, rig_id, request, self.rigs[rig_id].key),
        )
        entry = self.config_entry
        for subentry in entry.get_subentries_of_type(SUBENTRY_RIG):
            self.rigs[subentry.data[CONF_RIG]] = RigCoordinator(self, subentry)
        await self.heating.async_load()
        await self.devices.async_load(self.rigs)
        async_register_house(self.hass, entry)
        for rig in self.rigs.values():
            async_register_rig(self.hass, entry, rig)
        issues.async_withdraw(self.hass, self.rigs)
        issues.async_review_link(self.hass, mqtt5=speaks_mqtt5(self.hass))
        for rig in self.rigs.values():
            self.heating.deciding.measured.note_facts(rig.data)
        entry.async_on_unload(self._stop_showing)
        entry.async_on_unload(self.heating.deciding.async_start())
        self.heating.async_decide()
        entry.async_on_unload(await async_subscribe(self.hass, self._message, self._link))
        for rig in self.rigs.values():
            rig.async_take_up()
        entry.async_on_unload(
            async_track_time_interval(self.hass, self._forget_devices, _FORGET_INTERVAL)
        )

    @override
    async def _async_update_data(self) -> Summary:
        return self.data

    @callback
    def async_rig_changed(self, rig: RigCoordinator) -> None:
        """Sum up and renew after a heartbeat, or after a rig fell silent."""
        self._repairs[rig.rig_id] = issues.async_review_faults(
            self.hass, self.config_entry, rig, self._repairs.get(rig.rig_id, frozenset())
        )
        if self.heating.async_hear(rig):
            return
        if len(self.rigs) <= _SHOWN_AT_ONCE:
            self._show()
        elif self._showing is None:
            self._showing = self.hass.loop.call_later(_SHOW_S, self._show)

    @callback
    def async_add_decision_listener(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when something was decided; `async_add_listener` also for each sum."""
        self._decision_listeners.append(listener)
        return lambda: self._decision_listeners.remove(listener)

    @callback
    def async_refused(self, rig: RigCoordinator, code: str) -> None:
        """Ask for the rig's key where it does not know who asks."""
        if code == "wrong_signature":
            issues.async_raise_wrong_key(self.hass, self.config_entry, rig)

    @callback
    def async_decided(self) -> None:
        """Show what was decided, and ask for what only a person can do about it."""
        for listener in list(self._decision_listeners):
            listener()
        unfit = self.heating.unfit()
        if unfit is not None and unfit != self._unfit:
            self._unfit = unfit
            issues.async_review_circuits(self.hass, self.config_entry, unfit)
        self._show()

    @callback
    def async_heating_changed(self) -> None:
        """Show what people want now."""
        self._show()
        for rig in self.rigs.values():
            rig.async_update_listeners()

    @property
    def disputes(self) -> Mapping[HeaterKey, str]:
        """Heaters that two live rigs drive at once, each with a sentence."""
        if self._disputes is None:
            self._disputes = disputes({one.name: one.data for one in self.rigs.values()})
        return self._disputes

    @callback
    def async_structure_changed(self, rig: RigCoordinator) -> None:
        """Follow a rig's inventory: its version, its devices, what stands against control."""
        self._disputes = None
        others = {one.rig_id: one.data for one in self.rigs.values() if one is not rig}
        moved = self.devices.note(rig.data, others, time.time())
        self.heating.deciding.measured.note_facts(rig.data)
        async_register_rig(self.hass, self.config_entry, rig)
        issues.async_review_rig(self.hass, self.config_entry, rig)
        # A child device cannot change its parent: it is made anew, with its uid and its history.
        async_remove_devices(self.hass, self.config_entry, moved)

    @callback
    def _message(self, address: Address, payload: bytes, retained: bool) -> None:  # noqa: FBT001
        if (rig := self.rigs.get(address.rig)) is not None:
            rig.async_hear(address, payload, retained=retained)

    @callback
    def _link(self, connected: bool) -> None:  # noqa: FBT001
        if connected:
            issues.async_review_link(self.hass, mqtt5=speaks_mqtt5(self.hass))
            return
        async_silence(self.rigs.values())

    @callback
    def _show(self) -> None:
        self._stop_showing()
        self._summarize()
        self.async_update_listeners()

    @callback
    def _stop_showing(self) -> None:
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None

    def _summarize(self) -> None:
        named = {rig.rig_id: (rig.name, rig.data) for rig in self.rigs.values()}
        self.data = summarize(named.values(), stopped=self.heating.state.stopped)
        now = dt_util.utcnow()
        about = {"/".join(key): text for key, text in self.disputes.items()}
        about |= self.heating.deciding.problems
        found = problems(named, self.heating.refusals, about)
        self.problems = {
            problem.key: (
                problem.text,
                # Pinned when first seen, so that a counted age does not flicker.
                self.problems[problem.key][1]
                if problem.key in self.problems
                else now - timedelta(seconds=problem.age_s or 0.0),
            )
            for problem in found
        }

    @callback
    def _forget_devices(self, _now: datetime) -> None:
        gone = self.devices.forget(time.time())
        async_remove_devices(self.hass, self.config_entry, gone)


def made_of(entry: ConfigEntry) -> dict[str, Any]:
    """Return what a house is made of: a change of it needs a new house."""
    parts = {
        subentry.subentry_id: (subentry.title, dict(subentry.data))
        for subentry in entry.subentries.values()
    }
    return {"title": entry.title, "parts": parts, "options": dict(entry.options)}
