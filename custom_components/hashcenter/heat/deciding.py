"""When the house decides, on what, and what it remembers: the effects around control/decide.py.

It decides every minute, sooner where a raise waits for a measurement or a wish ends, and at once
when `attention.py` says that something matters. The first decision after a start waits until every
thermometer and every rig was heard, three minutes at most, so that a restart moves nothing.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from homeassistant.core import (
    CALLBACK_TYPE,
    Event,
    EventStateChangedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers.event import async_call_later, async_track_state_change_event
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..control import decide as policy, state as memory
from ..control.people import People
from ..control.requests import HeaterKey
from ..control.safety import outdoor_c
from ..control.seen import HeaterSeen, HouseSeen
from ..control.tilt import TiltMemory, TiltSeen, tilt
from ..control.wanted import HouseWanted, LimitCode
from ..control.wishes import RoomWish
from ..rigs.energy import Accumulator, Daily
from ..rigs.rig import Rig
from ..wire.values import Favor
from . import attention
from .backup_heat import BackupHeat
from .house_seen import house_seen, places_of
from .measured import Measured
from .reading import Ages, Readings
from .rig_seen import Places, heaters_seen

if TYPE_CHECKING:
    from ..house import House

_LOGGER = logging.getLogger(__name__)

EVERY_S: Final = 60.0
#: A raise that waits for something else to come down, or to have started.
_WAITING_S: Final = 10.0
_WAITS: Final = (LimitCode.STAGED, LimitCode.STAGGERED)
#: Nothing waits longer than this for the first word of a thermometer or a rig.
START_PATIENCE_S: Final = 180.0
_SAVE_S: Final = 300.0


class Deciding:
    """Looks, decides and remembers."""

    def __init__(self, hass: HomeAssistant, house: House, on_due: Callable[[], None]) -> None:
        """Call `on_due` when a decision is due; whoever hears it calls `async_decide`."""
        self._hass = hass
        self._house = house
        self._on_due = on_due
        self.measured = Measured()
        self._ages = Ages()
        self.backups = BackupHeat(hass, house.config_entry)
        self.state = memory.State()
        self.tilting = TiltMemory()
        self.seen: HouseSeen | None = None
        self.wanted: HouseWanted | None = None
        #: What is wrong with entities of the plan: a sentence by entity id.
        self.problems: Mapping[str, str] = {}
        self._today = Daily()
        self._people = People()
        self._places = Places()
        self._heaters: Mapping[HeaterKey, HeaterSeen] = {}
        self._store = Store[dict[str, Any]](hass, 1, store_key())
        self._save_at = 0.0
        self._decided_at = self._next_at = 0.0
        self._patience_over = False
        self._timer: CALLBACK_TYPE | None = None
        self._tracked: frozenset[str] = frozenset()
        self._untrack: CALLBACK_TYPE | None = None

    async def async_load(self) -> None:
        """Bring back what the rules remembered; what cannot be read is learned anew."""
        if (stored := await self._store.async_load()) is None:
            return
        try:
            self.state = memory.restored(stored["control"])
            self.measured.restore(stored["heaters"])
            self.tilting = TiltMemory(Favor(stored["favor"]))
            used = Accumulator(stored["used_kwh"], MappingProxyType(stored["counters"]))
            self._today = Daily(stored["day"], used)
            self.backups.restore(stored["backups"])
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            _LOGGER.warning("What the house had learned cannot be read and is lost: %s", err)

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Begin to listen; return what ends it."""
        self._wake_in(START_PATIENCE_S)
        return self._stop

    async def async_save(self) -> None:
        """Store what the rules remember now."""
        await self._store.async_save(self._to_store())

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next look; also after the clock went back."""
        now = time.time()
        return self.wanted is None or now >= self._next_at or now < self._decided_at

    def look(
        self, people: People, wishes: Mapping[str, RoomWish], places: Places, readings: Readings
    ) -> HouseSeen:
        """Return everything as it is now."""
        house = self._house
        return house_seen(
            self._hass,
            house.plan,
            [rig.data for rig in house.rigs.values()],
            replace(people, favor=self.tilting.favor),
            wishes,
            places,
            self.measured,
            house.controller,
            self._today.sum.total_kwh,
            readings,
            readings.now,
        )

    def trial(self, people: People, wishes: Mapping[str, RoomWish]) -> HouseWanted:
        """Return what would be decided now; nothing is remembered."""
        readings = Readings(self._hass, time.time(), self._ages)
        places = places_of(self._house.plan, people, readings, self._house.disputes)
        seen = self.look(people, wishes, places, readings)
        return policy.decide(self.state, seen, readings.now)[1]

    @callback
    def async_decide(self, people: People, wishes: Mapping[str, RoomWish]) -> None:
        """Look and decide; before the first decision wait for those who were not heard yet."""
        now = time.time()
        readings = Readings(self._hass, now, self._ages)
        self._count_energy(readings)
        self._people = people
        self._places = places_of(self._house.plan, people, readings, self._house.disputes)
        seen = self.look(people, wishes, self._places, readings)
        self.tilting = self._tilted(people, seen, now)
        self.seen = seen = replace(seen, favor=self.tilting.favor)
        self._heaters = {heater.key: heater for heater in seen.heaters}
        self.problems = {**readings.problems, **self.backups.problems}
        self._track(people)
        if self.wanted is None and not self._heard_all(seen):
            return
        for rig in self._house.rigs.values():
            self.measured.weigh(rig.data)
        self.state, self.wanted = policy.decide(self.state, seen, now)
        self._decided_at = now
        self.backups.async_follow(self._house.plan.rooms, seen, self.wanted)
        self._wake_in(self._pause_s(people, now))
        self._save_soon()

    @callback
    def async_hear(self, rig: Rig) -> bool:
        """Take a rig's heartbeat or its silence; return whether it asks for a decision."""
        self.measured.hear(rig)
        if self.wanted is None and self.seen is not None:
            # A look at a thousand rigs for each that is heard would keep the last from being heard.
            return self._heard_rigs()
        if self.seen is None or self.is_due:
            return True
        heaters = heaters_seen(rig, self._places, self.measured, self._house.controller)
        return attention.heaters_matter(self._heaters, heaters, self.state.heaters)

    def _heard_all(self, seen: HouseSeen) -> bool:
        if self._patience_over:
            return True
        known = all(room.thermometer.temp_c is not None for room in seen.rooms)
        return known and self._heard_rigs()

    def _heard_rigs(self) -> bool:
        rigs = self._house.rigs.values()
        return all(rig.data.inventory_current or rig.data.lost for rig in rigs)

    def _pause_s(self, people: People, now: float) -> float:
        """Return for how long this decision may stand, if nothing happens."""
        assert self.wanted is not None
        waits = any(one.limit.code in _WAITS for one in self.wanted.heaters.values())
        ends = people.next_end()
        pause_s = _WAITING_S if waits else EVERY_S
        return pause_s if ends is None else max(0.5, min(pause_s, ends - now))

    def _tilted(self, people: People, seen: HouseSeen, now: float) -> TiltMemory:
        local = dt_util.as_local(dt_util.utc_from_timestamp(now))
        outdoor = outdoor_c(seen)
        return tilt(
            self.tilting,
            people.tilt,
            people.favor,
            self._house.plan.tilt,
            TiltSeen(local.time(), outdoor, seen.money.price_per_kwh, seen.money.surplus_w),
            now,
        )

    def _count_energy(self, readings: Readings) -> None:
        """Count what was used today, for a tariff in steps."""
        money = self._house.plan.money
        if not money.tiers:
            return
        counters: dict[str, float] = {}
        if money.energy_entity is not None:
            if (kwh := readings.kwh(money.energy_entity)) is not None:
                counters[money.energy_entity] = kwh
        else:
            for rig in self._house.rigs.values():
                if (live := rig.data.live) is not None and live.energy_kwh is not None:
                    counters[rig.rig_id] = live.energy_kwh
        self._today = self._today.add(counters, dt_util.now().date().isoformat())

    def _wake_in(self, seconds: float) -> None:
        self._next_at = time.time() + seconds
        if self._timer:
            self._timer()
        self._timer = async_call_later(self._hass, seconds, self._wake)

    @callback
    def _wake(self, _now: object) -> None:
        if self.wanted is None:
            self._patience_over = True
        self._wake_in(EVERY_S)
        self._on_due()

    def _track(self, people: People) -> None:
        """Listen to those entities that a decision cannot wait for."""
        entities = attention.entities(self._house.plan, people)
        if entities == self._tracked:
            return
        if self._untrack:
            self._untrack()
        self._tracked = entities
        self._untrack = async_track_state_change_event(self._hass, entities, self._changed)

    @callback
    def _changed(self, event: Event[EventStateChangedData]) -> None:
        if self.seen is None or self.wanted is None:
            self._on_due()
            return
        entity_id = event.data["entity_id"]
        readings = Readings(self._hass, time.time(), self._ages)
        plan = self._house.plan
        if attention.entity_matters(entity_id, plan, self._people, self.seen, readings):
            self._on_due()

    def _save_soon(self) -> None:
        # A delayed save that is put off by each decision would never come.
        now = self._hass.loop.time()
        if now >= self._save_at:
            self._save_at = now + _SAVE_S
            self._store.async_delay_save(self._to_store, _SAVE_S)

    def _to_store(self) -> dict[str, Any]:
        return {
            "control": memory.stored(self.state),
            "heaters": self.measured.stored(),
            "favor": self.tilting.favor,
            "backups": self.backups.stored(),
            "day": self._today.day,
            "used_kwh": self._today.sum.total_kwh,
            "counters": dict(self._today.sum.counters),
        }

    @callback
    def _stop(self) -> None:
        for cancel in (self._timer, self._untrack):
            if cancel:
                cancel()
        self._timer = self._untrack = None


def store_key() -> str:
    """Return the name of the store."""
    return f"{DOMAIN}.control"
