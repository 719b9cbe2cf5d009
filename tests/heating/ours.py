"""The shipped rules on the simulated house: what rigs and sensors say goes in, leases come out."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Final

from custom_components.hashcenter.control.decide import decide
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import (
    CircuitSeen,
    HeaterSeen,
    HouseSeen,
    HvacMode,
    LeaseSeen,
    Meter,
    MoneySeen,
    Pace,
    RoomSeen,
    Thermometer,
)
from custom_components.hashcenter.control.state import State, restored, stored
from custom_components.hashcenter.control.wanted import Do, HouseWanted
from custom_components.hashcenter.wire.values import Effect, Favor

from .controllers import Asked, Look
from .houses import HouseOf
from .plant import Asic, Gpu

_ROOM: Final = "room"
_EPOCH: Final = 1_700_000_000.0
_SETTLE_S: Final = 300.0


class Hashcenter:
    """Ours: sees what its integration would see, every minute."""

    def __init__(self, house: HouseOf, gpus: list[Gpu], asics: list[Asic]) -> None:
        self._house = house
        self._gpus, self._asics = gpus, asics
        self.state = State()
        self.wanted: HouseWanted | None = None
        self._means: dict[str, deque[float]] = {}
        self._asked: dict[str, tuple[float, float | None]] = {}
        self._asked_at: dict[str, int] = {}
        self.offline: frozenset[str] = frozenset()
        self.meters: Mapping[str, tuple[float, float]] = {}

    @property
    def demand_w(self) -> float:
        """Return what the room needs, before every clamp."""
        return max(0.0, self.wanted.rooms[_ROOM].demand_w) if self.wanted else 0.0

    def restart(self) -> None:
        """Go through Home Assistant's store, as a restart does."""
        self.state = restored(json.loads(json.dumps(stored(self.state))))

    def measure(self) -> None:
        """Take the minute's mean of every heater; called once a minute."""
        devices: list[Gpu | Asic] = [*self._gpus, *self._asics]
        for one in devices:
            self._means.setdefault(one.of.name, deque(maxlen=10)).append(one.minute_mean_w)

    def ask(self, look: Look) -> Asked:
        """Decide, and return the leases."""
        now = _EPOCH + look.minute * 60.0
        self.state, self.wanted = decide(self.state, self._seen(look), now)
        for key, want in self.wanted.heaters.items():
            if want.do is Do.LEASE:
                asked = (want.power_w, want.cap_w)
            elif want.do is Do.RELEASE:
                asked = (0.0, None)
            else:
                continue
            if self._asked.get(key.heater, (0.0, None))[0] != asked[0]:
                self._asked_at[key.heater] = look.minute
            self._asked[key.heater] = asked
        return {name: asked for name, asked in self._asked.items() if name not in self.offline}

    def _seen(self, look: Look) -> HouseSeen:
        house = self._house
        heaters = [self._gpu(one, look.minute) for one in self._gpus]
        heaters += [self._asic(one, look.minute) for one in self._asics]
        circuits = tuple(
            CircuitSeen(
                id=one.name,
                name=one.name,
                volts=230.0,
                amps=one.amps,
                parent=one.parent,
                others_w=one.others_w,
                meter=Meter(*self.meters[one.name]) if one.name in self.meters else None,
            )
            for one in house.breakers
        )
        room = RoomSeen(
            id=_ROOM,
            name=_ROOM,
            mode=HvacMode.HEAT,
            target_c=look.target_c,
            thermometer=Thermometer(look.thermometer_c, look.thermometer_age_s),
            windows_open=look.window_open,
        )
        return HouseSeen(
            rooms=(room,),
            heaters=tuple(heaters),
            circuits=circuits,
            outdoor=Thermometer(look.outdoor_c),
            money=MoneySeen(price_per_kwh=0.15),
            favor=Favor.BALANCED,
        )

    def _mean(self, name: str) -> float:
        means = self._means[name]
        return sum(means) / len(means)

    def _effect(self, one: Gpu | Asic, minute: int) -> Effect:
        name = one.of.name
        asked_w = max(self._asked.get(name, (0.0, None))[0], one.of.idle_w)
        settle_s = _SETTLE_S if isinstance(one, Asic) else 30.0
        if isinstance(one, Gpu) and (one.booting_s > 0 or one.questions(minute)):
            return Effect.SETTLING
        # Up is reached once the watts rise (wire rule 3); down once they are low enough.
        follows = one.power_w <= asked_w + max(30.0, 0.05 * asked_w)
        if follows and (one.hashing or asked_w <= one.of.idle_w):
            return Effect.REACHED
        waiting = (minute - self._asked_at.get(name, minute)) * 60.0 < settle_s
        booting = isinstance(one, Asic) and one.phase == "booting"
        return Effect.SETTLING if waiting or booting else Effect.NO_EFFECT

    def _lease(self, name: str) -> LeaseSeen | None:
        asked = self._asked.get(name)
        return LeaseSeen(*asked) if asked else None

    def _gpu(self, one: Gpu, minute: int) -> HeaterSeen:
        of = one.of
        online = of.name not in self.offline and one.booting_s <= 0
        return HeaterSeen(
            key=HeaterKey("rig", of.name),
            name=of.name,
            pace=Pace.FAST,
            room=_ROOM,
            circuit=of.circuit,
            idle_w=of.idle_w,
            min_w=of.min_w,
            max_w=of.max_w,
            unattended_w=of.unattended_w,
            settle_s=15.0,
            can_answer=True,
            online=online,
            available_w=of.max_w if online else 0.0,
            power_w=one.power_w if online else None,
            mean_w=self._mean(of.name) if online else None,
            possible_w=one.enforced_w if online else None,
            hashing=one.hashing,
            questions=int(one.questions(minute)),
            effect=self._effect(one, minute),
            lease=self._lease(of.name),
            hash_value_per_kwh=of.value_per_kwh,
        )

    def _asic(self, one: Asic, minute: int) -> HeaterSeen:
        of = one.of
        online = of.name not in self.offline
        rests = one.resting(minute)
        return HeaterSeen(
            key=HeaterKey("rig", of.name),
            name=of.name,
            pace=Pace.SLOW,
            room=_ROOM,
            circuit=of.circuit,
            idle_w=of.idle_w,
            min_w=of.min_w,
            max_w=of.max_w,
            step_w=of.step_w,
            unattended_w=of.unattended_w,
            boot_peak_w=of.peak_w,
            settle_s=_SETTLE_S,
            online=online,
            available_w=0.0 if rests else of.max_w,
            available_why="it rests after a stop" if rests else "",
            power_w=one.power_w if online else None,
            mean_w=self._mean(of.name) if online else None,
            hashing=one.hashing,
            starting=one.phase == "booting",
            effect=self._effect(one, minute),
            lease=self._lease(of.name) if one.leased else None,
            hash_value_per_kwh=of.value_per_kwh,
        )
