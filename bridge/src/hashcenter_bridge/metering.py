"""Keeps looking at every device: one task per driver, so that a slow one stalls nobody.

    driver.read() -> last sample, its age, its fault -> energy -> `changed`

Energy of the whole rig is its devices' energy with power supply loss, and its base load.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .arbiter.types import DeviceSeen, Rules
from .devices import Driver, Sample
from .energy import Meter
from .errors import ConfigError, DeviceFault
from .store import Store
from .wire.messages import Device
from .wire.values import PowerSource, Readings

_LOGGER = logging.getLogger(__name__)
_RIG = "rig"
_MAX_GAP_S = 30.0
#: What a card draws at least with nothing to do, as a share of its lowest limit.
_IDLE_SHARE = 0.25


@dataclass(eq=False)
class Watched:
    """A device and the last look at it. `readings` carry the energy; a fault hides them.

    `read_at` is when it was heard last; that it was found counts, so that nothing begins silent.
    """

    device: Device
    driver: Driver
    meter: Meter
    read_at: float
    readings: Readings = field(default_factory=Readings)
    fault: DeviceFault | None = None
    foreign: str | None = None
    users: Mapping[int, float | None] | None = None


class Metering:
    """All devices of the rig, in the inventory's order."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        rules: Rules,
        store: Store,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self.drivers = drivers
        self._rules = rules
        self._store = store
        self._clock = clock
        self._changed = changed
        self._rig_at: float | None = None
        self._soon = {id(driver): asyncio.Event() for driver in drivers}
        self.failures = 0
        #: Looks at devices, of all drivers: it grows while metering is alive.
        self.looks = 0
        self.watched: dict[str, Watched] = {}

    async def probe(self) -> None:
        """Find the devices. Raises PluginUnavailable when a driver cannot work here.

        Raises ConfigError when two drivers find the same device.
        """
        for driver in self.drivers:
            for device in await driver.probe():
                if device.uid in self.watched:
                    raise ConfigError(
                        f"two [[device]] blocks drive {device.name} ({device.uid}): remove one"
                    )
                kept = self._store.kept.energy.setdefault(device.uid, {})
                numbered = device.model_copy(update={"ordinal": self._store.ordinal(device)})
                self.watched[device.uid] = Watched(numbered, driver, Meter(kept), self._clock())

    async def run(self) -> None:
        """Look at all devices for ever."""
        async with asyncio.TaskGroup() as tasks:
            for driver in self.drivers:
                tasks.create_task(self._watch(driver))

    def look_soon(self, uid: str, *, closely: bool = False) -> None:
        """Look at this device's driver again at once: something was set.

        `closely`: a program began or ended on it.
        """
        if closely:
            self.watched[uid].driver.look_closely(uid)
        self._soon[id(self.watched[uid].driver)].set()

    async def _watch(self, driver: Driver) -> None:
        soon = self._soon[id(driver)]
        due = self._clock()
        while True:
            await self.look(driver)
            due = max(due + driver.interval_s, self._clock())
            try:
                async with asyncio.timeout(max(0.05, due - self._clock())):
                    await soon.wait()
            except TimeoutError:
                pass
            soon.clear()

    async def look(self, driver: Driver) -> None:
        """Look once at all devices of a driver."""
        seen: Mapping[str, Sample | DeviceFault]
        try:
            seen = await driver.read()
        except DeviceFault as fault:
            seen = {uid: fault for uid, watched in self.watched.items() if watched.driver is driver}
        for uid, sample in seen.items():
            if uid in self.watched:
                self._note(self.watched[uid], sample)
        self.looks += 1
        self._changed()

    def _note(self, watched: Watched, sample: Sample | DeviceFault) -> None:
        now = self._clock()
        before_kwh = watched.meter.kwh
        if isinstance(sample, DeviceFault):
            self.failures += 1
            if watched.fault is None or watched.fault.code != sample.code:
                _LOGGER.info("%s: %s", watched.device.name, sample.text)
            watched.fault = sample
            watched.readings = Readings(missing={"power_w": sample.text[:400]})
            watched.meter.update(now, None)
        else:
            if watched.fault is not None:
                _LOGGER.info("%s answers again", watched.device.name)
            kwh = watched.meter.update(now, sample.readings.power_w, sample.energy_counter_j)
            watched.readings = sample.readings.model_copy(update={"energy_kwh": kwh})
            watched.read_at = now
            watched.fault = None
            watched.foreign = sample.foreign_why
            watched.users = sample.memory_mib
        self._count_rig(now, watched.meter.kwh - before_kwh)

    def _count_rig(self, now: float, delta_kwh: float) -> None:
        kept = self._store.kept.energy.setdefault(_RIG, {})
        gap_s = 0.0 if self._rig_at is None else min(now - self._rig_at, _MAX_GAP_S)
        base_kwh = self._rules.base_w * max(0.0, gap_s) / 3_600_000
        kept["kwh"] = kept.get("kwh", 0.0) + delta_kwh / self._rules.psu_efficiency + base_kwh
        self._rig_at = now

    def count(self, delta_kwh: float) -> None:
        """Add what a machine with a power supply of its own has used to the rig's energy."""
        kept = self._store.kept.energy.setdefault(_RIG, {})
        kept["kwh"] = kept.get("kwh", 0.0) + delta_kwh

    @property
    def rig_kwh(self) -> float:
        """Energy of the whole rig since it was first set up, at the wall."""
        return self._store.kept.energy.get(_RIG, {}).get("kwh", 0.0)

    def devices_w(self) -> float | None:
        """Return what all devices draw together, None while one that has a meter does not say.

        What has no meter at all is part of the owner's `base_w`.
        """
        metered = [
            watched
            for watched in self.watched.values()
            if watched.device.capabilities.power_source != PowerSource.NONE
        ]
        watts = [watched.readings.power_w for watched in metered]
        known = [power_w for power_w in watts if power_w is not None]
        return sum(known) if known and len(known) == len(watts) else None

    def seen(self, now: float) -> tuple[DeviceSeen, ...]:
        """Return what the arbiter is shown."""
        return tuple(_seen(watched, now) for watched in self.watched.values())

    async def close(self) -> None:
        """Let go of all devices."""
        for driver in self.drivers:
            await driver.close()


def _free_mib(readings: Readings) -> float | None:
    if readings.memory_total_mib is None or readings.memory_used_mib is None:
        return None
    return readings.memory_total_mib - readings.memory_used_mib


def _seen(watched: Watched, now: float) -> DeviceSeen:
    readings, can = watched.readings, watched.device.capabilities
    limit = can.power_limit
    idle_w = can.idle_w or 0.0
    if limit is not None:
        # A busy card does not tell, and one that holds a model idles higher than an empty one.
        idle_w = max(idle_w, limit.min_w * _IDLE_SHARE)
    seen = DeviceSeen(
        uid=watched.device.uid,
        idle_w=idle_w,
        min_w=limit.min_w if limit else idle_w,
        max_w=limit.max_w if limit else idle_w,
        adjustable=limit is not None,
        power_w=readings.power_w,
        limit_w=readings.power_limit_w,
        temp_c=readings.temp_c,
        age_s=now - watched.read_at,
        settle_s=can.settle_s,
        foreign=watched.foreign is not None,
        foreign_why=watched.foreign or DeviceSeen.foreign_why,
        memory_mib=readings.memory_total_mib,
        free_mib=_free_mib(readings),
        fault=watched.fault.text if watched.fault else None,
    )
    if seen.adjustable and seen.limit_w is None and watched.fault is None:
        return replace(seen, adjustable=False)
    return seen
