"""A rig without transport: messages of the wire go in, an immutable picture of the rig comes out.

A rig is alive by its heartbeat alone: a `state` that was not retained, so it was said while we
listened. Retained messages only fill in names and structure. Values of another run of the bridge
(`boot_id`) are never shown, and a device that says nothing for 30 s of the rig's own ticks has no
reading. Nothing here reads a clock: the coordinator says when a rig fell silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import urlsplit

from ..wire.codec import WireModel
from ..wire.messages import (
    Announce,
    Device,
    DeviceState,
    Heater,
    HeaterState,
    Inventory,
    RigState,
    Status,
    VoiceProgram,
)
from ..wire.values import Presence
from ..wire.version import can_control

#: Without a heartbeat for this long a rig is offline; one is due every 5 s.
SILENT_S: Final = 12.0

#: Away for this long a rig is a problem. Before that somebody restarts it, or the broker.
LOST_S: Final = 60.0

#: Without its own message for this long a device has no reading; one is due every 10 s.
DEVICE_SILENT_S: Final = 30.0


@dataclass(frozen=True)
class Reading:
    """What a device said last, and the rig's tick then (None: said before the run's heartbeat)."""

    state: DeviceState
    tick: float | None


@dataclass(frozen=True)
class Rig:
    """Everything known about one rig. `state` outlives the rig's silence; `live` does not."""

    rig_id: str
    announce: Announce | None = None
    inventory: Inventory | None = None
    state: RigState | None = None
    readings: Mapping[str, Reading] = field(default_factory=lambda: MappingProxyType({}))
    online: bool = False
    lost: bool = False

    def apply(self, message: WireModel, *, uid: str | None = None, retained: bool) -> Self:
        """Return the rig after `message`. `uid` names the device of a DeviceState."""
        match message:
            case Announce():
                return replace(self, announce=message)
            case Inventory():
                return replace(self, inventory=message)
            case Status():
                return self._with_status(message)
            case RigState() if not retained:
                return self._with_heartbeat(message)
            case DeviceState() if uid is not None and not retained:
                live = self.live
                tick = live.tick if live and live.boot_id == message.boot_id else None
                readings = {**self.readings, uid: Reading(message, tick)}
                return replace(self, readings=MappingProxyType(readings))
            case _:
                return self

    def silent(self) -> Self:
        """Return the rig after its heartbeat stayed away, or the way to it was lost."""
        return replace(self, online=False)

    def given_up(self) -> Self:
        """Return the rig after it was away for `LOST_S`."""
        return replace(self, lost=True)

    def _with_status(self, status: Status) -> Self:
        ours = self.state is not None and self.state.boot_id == status.boot_id
        return self.silent() if ours and status.status == Presence.OFFLINE else self

    def _with_heartbeat(self, state: RigState) -> Self:
        last = self.state
        if last is not None and last.boot_id == state.boot_id and state.tick < last.tick:
            return self  # a late duplicate proves nothing
        if self.online and last is not None and last.boot_id == state.boot_id:
            return replace(self, state=state)
        # What devices of this run said while the heartbeat was still to come counts from now.
        readings = {
            uid: Reading(reading.state, state.tick if reading.tick is None else reading.tick)
            for uid, reading in self.readings.items()
            if reading.state.boot_id == state.boot_id
        }
        return replace(
            self, state=state, online=True, lost=False, readings=MappingProxyType(readings)
        )

    @property
    def live(self) -> RigState | None:
        """What the rig says now, None while it is offline."""
        return self.state if self.online else None

    @property
    def speech(self) -> Mapping[str, VoiceProgram]:
        """The programs that hear or speak on the rig, by name, as last said."""
        return {one.name: one for one in (self.state.voice if self.state else ())}

    @property
    def inventory_current(self) -> bool:
        """Whether the inventory is the one of the run that is alive now."""
        return (
            self.live is not None
            and self.inventory is not None
            and self.inventory.boot_id == self.live.boot_id
        )

    @property
    def protocol_ok(self) -> bool:
        """Whether this integration and the rig understand each other well enough for requests."""
        said = self.inventory or self.announce
        return said is None or can_control(said.protocol, said.min_protocol)

    @property
    def allows_control(self) -> bool:
        """Whether the owner allows requests and nothing stands against them, as last said."""
        inventory = self.inventory
        return (
            inventory is not None
            and inventory.allow_control
            and inventory.control_refused is None
            and self.protocol_ok
        )

    @property
    def controllable(self) -> bool:
        """Whether a request can be sent now."""
        return self.allows_control and self.inventory_current

    @property
    def version(self) -> str | None:
        """The bridge's version."""
        said = self.inventory or self.announce
        return said.version if said else None

    @property
    def endpoint_url(self) -> str | None:
        """The origin (scheme, host, port) where the rig answers questions, None if nowhere."""
        endpoint = self.inventory.endpoint if self.inventory else None
        return origin_of(endpoint.url) if endpoint else None

    @property
    def devices(self) -> Mapping[str, DeviceState]:
        """What each device says now; a device without a fresh word of this run is left out."""
        return {uid: state for uid in self.readings if (state := self.device(uid)) is not None}

    def device(self, uid: str) -> DeviceState | None:
        """What the device says now, None without a fresh word of this run."""
        live, reading = self.live, self.readings.get(uid)
        if live is None or reading is None or reading.tick is None:
            return None
        fresh = live.tick - reading.tick <= DEVICE_SILENT_S
        return reading.state if fresh and reading.state.boot_id == live.boot_id else None

    def described(self, uid: str) -> Device | None:
        """The device in the inventory."""
        devices = self.inventory.devices if self.inventory else ()
        return next((device for device in devices if device.uid == uid), None)

    def heater(self, heater_id: str) -> Heater | None:
        """The heater in the inventory."""
        heaters = self.inventory.heaters if self.inventory else ()
        return next((heater for heater in heaters if heater.id == heater_id), None)

    def heater_state(self, heater_id: str) -> HeaterState | None:
        """What the heater does now, None while the rig is offline."""
        heaters = self.live.heaters if self.live else ()
        return next((heater for heater in heaters if heater.id == heater_id), None)


def origin_of(url: str) -> str | None:
    """Return scheme, host and port of an http(s) address, None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"
