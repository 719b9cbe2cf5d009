"""All ASICs of a bridge: decides each, keeps what lasts, says what is wrong.

An ASIC is known by its MAC. Its block in the owner's file names an address; which machine that was
is kept, so that after a power cut, when addresses move, no machine is taken for another.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..arbiter.asic.acts import restart
from ..arbiter.asic.decide import decide
from ..arbiter.asic.types import AsicRules, AsicState, AsicWanted, House
from ..arbiter.types import Lease
from ..config import AsicsConfig, RigConfig
from ..devices.asic import AsicConfig, AsicPlugin, normal_mac
from ..faults import Key
from ..plugin import PluginContext
from ..store import Store
from ..wire.messages import Device
from . import lights, memory, troubles
from .gauge import Gauge
from .locate import Locator
from .pools import listed
from .station import Station, place

_LOGGER = logging.getLogger(__name__)

#: A machine whose measured watts changed by less keeps its published range.
_WORTH_SAYING: Final = 0.02
#: A screen that did not go dark is told again after so long.
_LIGHTS_AGAIN_S: Final = 60.0


@dataclass(eq=False)
class Asic:
    """A machine that was reached at least once: its station, the arbiter's memory and decision.

    `range_w` is the published lowest and highest; `counted_kwh` and `counted_shares` are what the
    rig's totals have of it already.
    """

    uid: str
    heater: str
    station: Station
    rules: AsicRules
    state: AsicState
    wanted: AsicWanted | None = None
    range_w: tuple[float, float] | None = None
    noted: Device | None = None
    counted_kwh: float = 0.0
    counted_shares: int | None = None
    lit_at: float = float("-inf")

    @property
    def device(self) -> Device:
        """Who it is and what it can do."""
        assert self.station.device is not None
        return self.station.device


class Fleet:
    """The ASICs of the owner's file, in its order. `asics` are those reached so far, by uid."""

    def __init__(
        self,
        blocks: Sequence[tuple[AsicPlugin, AsicConfig]],
        settings: AsicsConfig,
        rig: RigConfig,
        context: PluginContext,
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        self._rig = rig
        self._settings = settings
        self._store = store
        self._clock = clock
        self._started_at = float("-inf")
        self.asics: dict[str, Asic] = {}
        self.stations = [self._station(plugin, config, context) for plugin, config in blocks]
        for station in self.stations:
            self._recall(station)
        for index, station in enumerate(self.stations):
            station.offset_s = index / len(self.stations) * station.config.interval_s
        self.locator = Locator(settings.search, clock)

    def _station(self, plugin: AsicPlugin, config: AsicConfig, context: PluginContext) -> Station:
        known = config.model_copy(update={"mac": config.mac or self._remembered(config)})
        gauge = Gauge(config.meter, self._clock) if config.meter else None
        energy = self._store.kept.energy
        return Station(
            known,
            lambda changed: plugin(changed, context),
            lambda uid: energy.setdefault(uid, {}),
            self._clock,
            gauge,
        )

    def _remembered(self, config: AsicConfig) -> str | None:
        """Return the MAC that this block meant before the bridge was started again."""
        kept = self._store.kept.asics.items()
        here = place(config)
        return next((uid for uid, one in kept if one.address == here and normal_mac(uid)), None)

    def _recall(self, station: Station) -> None:
        """Know a machine from before: it belongs to the rig while its block does, reached or not.

        So Home Assistant keeps a miner that is off for the summer, and its circuit counts it.
        """
        kept = self._store.kept.asics.get(station.mac or "")
        device = memory.known_device(kept) if kept else None
        if device is not None and device.uid not in self.asics:
            station.restore(device)
            self.asics[device.uid] = self._asic(station, device, self._clock())

    async def run(self) -> None:
        """Look at all machines, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for station in self.stations:
                tasks.create_task(station.run(), name=f"asic {station.config.address}")
                if station.gauge is not None:
                    tasks.create_task(station.gauge.run(), name=f"meter {station.config.address}")
            tasks.create_task(self._search(), name="asic search")

    async def _search(self) -> None:
        await self.locator.run(lambda: [one for one in self.stations if one.is_lost(self._clock())])

    # Deciding

    def step(self, now: float, *, stopped: bool) -> None:
        """Decide every machine and have done what is due."""
        self._meet(now)
        starting_s = now - self._started_at
        for asic in self.asics.values():
            house = House(stopped=stopped, may_start=starting_s >= self._settings.stagger_s)
            seen = asic.station.seen(now)
            before = asic.state
            asic.state, wanted = decide(before, seen, asic.rules, house, now)
            asic.wanted = wanted
            if wanted.starting:
                self._started_at, starting_s = now, 0.0
            if wanted.act is not None:
                asic.station.do(wanted.act)
            elif asic.state.act is None:
                # It stands as it should, whatever it once said against it.
                asic.station.refusal = None
            self._keep(asic, before, now)
            self._settle_range(asic, wanted)
            self._settle_lights(asic, now)

    def _meet(self, now: float) -> None:
        """Take in machines that were reached for the first time, or have become another."""
        for station in self.stations:
            device = station.device
            if device is None or station.sample is None or device.uid in self.asics:
                continue
            if any(asic.station is station for asic in self.asics.values()):
                continue
            self.asics[device.uid] = self._asic(station, device, now)
            _LOGGER.info("%s is %s (%s)", station.config.address, station.name, device.uid)

    def _asic(self, station: Station, device: Device, now: float) -> Asic:
        config = station.config
        device = device.model_copy(update={"ordinal": self._store.ordinal(device)})
        station.device = device
        kept = self._store.kept.asics.setdefault(device.uid, memory.Kept())
        for other in self._store.kept.asics.values():
            if other.address == station.place:
                other.address = ""
        kept.address = station.place
        rules = AsicRules(
            max_w=config.max_w,
            safe_w=config.safe_w,
            coast_s=self._rig.coast_s,
            allow_control=self._rig.allow_control,
            hands_off=config.hands_off,
            starts_per_day=config.starts_per_day,
            spare_starts=config.spare_starts,
        )
        state = AsicState(
            adopted_until=now + self._rig.coast_s,
            starts=memory.starts_since(kept, now),
            interrupted=kept.interrupted,
        )
        counted_kwh = station.meter.kwh if station.meter else 0.0
        return Asic(
            device.uid, heater_id(device.uid), station, rules, state, counted_kwh=counted_kwh
        )

    def _keep(self, asic: Asic, before: AsicState, now: float) -> None:
        kept = self._store.kept.asics[asic.uid]
        after, news = asic.state, False
        if asic.device is not asic.noted:
            # It was asked anew who it is.
            asic.noted = asic.device
            news = memory.note_device(kept, asic.device)
        if after.starts != before.starts or after.interrupted != before.interrupted:
            memory.note_starts(kept, after.starts, now)
            kept.interrupted = after.interrupted
            news = True
        sample = asic.station.sample
        if kept.pools is None and sample is not None and (pools := listed(sample.pools)):
            kept.pools = pools
            news = True
        if news:
            self._store.save()

    def _settle_lights(self, asic: Asic, now: float) -> None:
        """Have its screen dark while a lease asks for it; heat always goes first."""
        station, lease, kept = asic.station, asic.state.lease, self._store.kept.asics[asic.uid]
        may = asic.rules.allow_control and not asic.rules.hands_off and asic.state.act is None
        if not may or station.sample is None or station.is_silent(now):
            return
        dark = lease is not None and lease.dark and lease.phase(now) is not None
        owners, to = lights.decide(station.sample.display, kept.display, dark=dark)
        if owners != kept.display:
            kept.display = owners
            self._store.save()
        if to is not None and now >= asic.lit_at + _LIGHTS_AGAIN_S:
            asic.lit_at = now
            station.show(to)

    @staticmethod
    def _settle_range(asic: Asic, wanted: AsicWanted) -> None:
        new = (wanted.min_w, wanted.max_w)
        old = asic.range_w
        if old is None or any(
            abs(a - b) > _WORTH_SAYING * max(a, b, 1.0) for a, b in zip(old, new, strict=True)
        ):
            asic.range_w = new

    # What the house asks

    @property
    def heaters(self) -> frozenset[str]:
        """The ids of the heaters that the ASICs are."""
        return frozenset(asic.heater for asic in self.asics.values())

    @property
    def restartable(self) -> frozenset[str]:
        """The uids of the machines that may be told to reboot."""
        return frozenset(
            uid
            for uid, asic in self.asics.items()
            if asic.device.capabilities.can_restart and not asic.rules.hands_off
        )

    def lease(self, heater: str, lease: Lease | None) -> bool:
        """Give a heater a lease, or end it: the owner's safe state follows.

        Return whether the heater is one of these.
        """
        for asic in self.asics.values():
            if asic.heater == heater:
                asic.state = replace(asic.state, lease=lease, adopted_until=0.0)
                return True
        return False

    def drop_leases(self) -> None:
        """End every lease: everything was stopped, or the house is obeyed no longer."""
        for asic in self.asics.values():
            asic.state = replace(asic.state, lease=None)

    def restart(self, uid: str) -> bool:
        """Reboot a machine; return whether it is one of these."""
        if (asic := self.asics.get(uid)) is None:
            return False
        before = asic.state
        asic.state, act = restart(before, self._clock())
        asic.station.do(act)
        self._keep(asic, before, self._clock())
        return True

    def adopt(self, uid: str) -> list[str]:
        """Take a machine's pools for its owner's; return its name, nothing if it is not here."""
        asic = self.asics.get(uid)
        if asic is None or asic.station.sample is None:
            return []
        self._store.kept.asics[uid].pools = listed(asic.station.sample.pools)
        self._store.save()
        return [asic.station.name]

    # What is told of them

    @property
    def failures(self) -> int:
        """Looks that failed, of all machines."""
        return sum(station.failures for station in self.stations)

    def wrong(self, now: float) -> Mapping[Key, str]:
        """Return what is wrong: (code, uid) -> a sentence."""
        found: dict[Key, str] = {}
        for station in self.stations:
            known = any(asic.station is station for asic in self.asics.values())
            if not known:
                for key, text in troubles.unknown(station, self.asics, now).items():
                    found[key] = f"{found[key]}; {text}" if key in found else text
        for asic in self.asics.values():
            pools = self._store.kept.asics[asic.uid].pools
            found |= troubles.known(asic.station, asic.state, pools, now)
        return found

    def used(self) -> Iterator[tuple[float, int]]:
        """Yield the kWh and the accepted shares of each machine since the last call."""
        for asic in self.asics.values():
            kwh = asic.station.meter.kwh if asic.station.meter else 0.0
            more_kwh, asic.counted_kwh = max(0.0, kwh - asic.counted_kwh), kwh
            shares, before = asic.station.readings.shares_accepted_total, asic.counted_shares
            more = 0
            if shares is not None:
                if before is not None:
                    more = shares - before if shares >= before else shares
                asic.counted_shares = shares
            yield more_kwh, more


def heater_id(uid: str) -> str:
    """Return the id of the heater that an ASIC is: it is part of topics' and entities' names."""
    return f"asic-{uid.replace(':', '-').lower()}"
