"""Which rig a device belongs to, and since when its live rig leaves it out of the inventory.

A device leaves the registry only after its live rig omitted it for three days; an offline rig says
nothing about its devices. A GPU that was moved to another rig keeps its history: its entities carry
its own uid. Both facts are stored, so a restart of Home Assistant neither forgets nor repeats them.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..control.requests import HeaterKey
from .rig import Rig

_LOGGER = logging.getLogger(__name__)

FORGET_AFTER_S: Final = 3 * 24 * 3600.0
_SAVE_DELAY_S: Final = 10.0


class Known(TypedDict):
    """What is stored about a device; times are seconds since 1970."""

    rig: str
    omitted_since: float | None


class DeviceBook:
    """Remembers every device of the house's rigs."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Prepare; `async_load` brings back what is known."""
        self._store = Store[dict[str, Known]](hass, 1, store_key())
        self._known: dict[str, Known] = {}
        self._disputed: set[tuple[str, str]] = set()

    async def async_load(self, rigs: Iterable[str]) -> None:
        """Bring back what is known about devices of these rigs."""
        accepted = frozenset(rigs)
        stored = await self._store.async_load() or {}
        self._known = {uid: known for uid, known in stored.items() if known["rig"] in accepted}

    def owned(self, rig: Rig) -> tuple[str, ...]:
        """Return the uids in the rig's inventory that belong to it."""
        devices = rig.inventory.devices if rig.inventory else ()
        return tuple(device.uid for device in devices if self.owner(device.uid) == rig.rig_id)

    def owner(self, uid: str) -> str | None:
        """Return the rig that the device belongs to."""
        known = self._known.get(uid)
        return known["rig"] if known else None

    def note(self, rig: Rig, others: Mapping[str, Rig], now: float) -> frozenset[str]:
        """Take in a rig's inventory. Return the uids that were moved here from another rig."""
        devices = rig.inventory.devices if rig.inventory else ()
        listed = {device.uid for device in devices}
        moved: set[str] = set()
        for uid in listed:
            owner = self.owner(uid)
            if owner not in (None, rig.rig_id):
                if not rig.inventory_current or _lists(others.get(owner or ""), uid):
                    self._dispute(rig.rig_id, uid, owner)
                    continue
                moved.add(uid)
            self._set(uid, Known(rig=rig.rig_id, omitted_since=None))
        if rig.inventory_current:
            for uid, known in list(self._known.items()):
                if known["rig"] == rig.rig_id and uid not in listed and not known["omitted_since"]:
                    self._set(uid, Known(rig=rig.rig_id, omitted_since=now))
        return frozenset(moved)

    def forget(self, now: float) -> tuple[str, ...]:
        """Forget and return the devices that their live rigs left out for three days."""
        gone = tuple(
            uid
            for uid, known in self._known.items()
            if known["omitted_since"] and now - known["omitted_since"] >= FORGET_AFTER_S
        )
        for uid in gone:
            del self._known[uid]
            self._store.async_delay_save(lambda: self._known, _SAVE_DELAY_S)
        return gone

    def _set(self, uid: str, known: Known) -> None:
        if self._known.get(uid) != known:
            self._known[uid] = known
            self._store.async_delay_save(lambda: self._known, _SAVE_DELAY_S)

    def _dispute(self, rig_id: str, uid: str, owner: str | None) -> None:
        if (rig_id, uid) not in self._disputed:
            self._disputed.add((rig_id, uid))
            _LOGGER.warning("%s lists device %s, which belongs to %s", rig_id, uid, owner)


def disputes(rigs: Mapping[str, Rig]) -> dict[HeaterKey, str]:
    """Return the heaters with a device that two live rigs have, each with a sentence.

    `rigs` are given by their names. Neither may be asked to drive it: each would undo the other.
    """
    listed: dict[str, list[tuple[str, Rig]]] = {}
    for name, rig in rigs.items():
        if rig.inventory is not None and rig.inventory_current:
            for device in rig.inventory.devices:
                listed.setdefault(device.uid, []).append((name, rig))
    found: dict[HeaterKey, str] = {}
    for uid, owners in listed.items():
        if len(owners) < 2:
            continue
        names = " and ".join(sorted(name for name, _ in owners))
        for _, rig in owners:
            described = rig.described(uid)
            text = (
                f"{uid if described is None else described.name} is driven by {names}: take it out "
                "of one rig's file; until then neither is asked to heat with it"
            )
            heaters = rig.inventory.heaters if rig.inventory else ()
            found |= {HeaterKey(rig.rig_id, one.id): text for one in heaters if uid in one.devices}
    return found


def _lists(rig: Rig | None, uid: str) -> bool:
    """Return whether a live rig still has the device."""
    return rig is not None and rig.inventory_current and rig.described(uid) is not None


def store_key() -> str:
    """Return the name of the store."""
    return f"{DOMAIN}.devices"
