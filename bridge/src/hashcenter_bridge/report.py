"""When to publish what: at once what a person would notice, calmly what only wiggles.

The heartbeat goes out every 5 s, a device every 10 s; both sooner (but at most once a second) when
something changed beyond its deadband. After a reconnect everything is due again. The inventory is
repeated, too: not every broker sends what it retained to a house that subscribes a second time.
"""

from dataclasses import dataclass, field

from .wire.messages import DeviceState, HeaterState, InferenceState, Inventory, RigState

HEARTBEAT_S = 5.0
DEVICE_S = 10.0
INVENTORY_S = 15.0
_SOONEST_S = 1.0


def changed_watts(before: float | None, after: float | None) -> bool:
    """Return whether watts moved beyond the deadband of 10 W or 5 %, or appeared or vanished."""
    if before is None or after is None:
        return before is not after
    return abs(after - before) > max(10.0, 0.05 * before)


def device_changed(before: DeviceState, after: DeviceState) -> bool:
    """Return whether a device's state must not wait for its turn."""
    return (
        (before.activity, before.effect, before.target_w, before.throttle)
        != (after.activity, after.effect, after.target_w, after.throttle)
        or before.pool_connected is not after.pool_connected
        or set(before.missing) != set(after.missing)
        or changed_watts(before.power_w, after.power_w)
        or changed_watts(before.power_limit_w, after.power_limit_w)
    )


def _heater_facts(heater: HeaterState) -> tuple[object, ...]:
    lease = heater.lease
    return (
        heater.target_w,
        heater.effect,
        heater.reason,
        (lease.controller, lease.power_w, lease.phase) if lease else None,
    )


def _inference_facts(inference: InferenceState | None) -> tuple[object, ...]:
    if inference is None:
        return ()
    return (
        inference.available,
        inference.why,
        inference.answering,
        inference.waiting,
        inference.answers_total,
        inference.prompt_warm,
        inference.tasks_waiting,
        inference.tasks_running,
    )


def rig_changed(before: RigState, after: RigState) -> bool:
    """Return whether the heartbeat must not wait for its turn."""
    return (
        (before.activity, before.stopped, before.controller)
        != (after.activity, after.stopped, after.controller)
        or [fault.code for fault in before.faults] != [fault.code for fault in after.faults]
        or [_heater_facts(one) for one in before.heaters]
        != [_heater_facts(one) for one in after.heaters]
        or any(
            bool(was.available_w) != bool(now.available_w)
            or changed_watts(was.available_w, now.available_w)
            or changed_watts(was.possible_w, now.possible_w)
            for was, now in zip(before.heaters, after.heaters, strict=False)
        )
        or _inference_facts(before.inference) != _inference_facts(after.inference)
        or changed_watts(before.power_w, after.power_w)
    )


@dataclass
class Schedule:
    """Remembers what was said when; a device goes by its uid."""

    _inventory: tuple[float, Inventory] | None = None
    _state: tuple[float, RigState] | None = None
    _devices: dict[str, tuple[float, DeviceState]] = field(default_factory=dict)

    def forget(self) -> None:
        """Make everything due: the line is new, or Home Assistant was born."""
        self._inventory = None
        self._state = None
        self._devices.clear()

    def inventory(self, message: Inventory, now: float) -> bool:
        """Return whether the inventory must be said at `now`."""
        if self._inventory is not None:
            at, before = self._inventory
            if not _due(now - at, INVENTORY_S, changed=message != before):
                return False
        self._inventory = (now, message)
        return True

    def state(self, message: RigState, now: float) -> bool:
        """Return whether the heartbeat must be said at `now`."""
        if self._state is not None:
            at, before = self._state
            if not _due(now - at, HEARTBEAT_S, changed=rig_changed(before, message)):
                return False
        self._state = (now, message)
        return True

    def device(self, uid: str, message: DeviceState, now: float) -> bool:
        """Return whether a device must be said at `now`."""
        if uid in self._devices:
            at, before = self._devices[uid]
            if not _due(now - at, DEVICE_S, changed=device_changed(before, message)):
                return False
        self._devices[uid] = (now, message)
        return True


def _due(age_s: float, every_s: float, *, changed: bool) -> bool:
    return age_s >= every_s - 0.5 or (changed and age_s >= _SOONEST_S)
