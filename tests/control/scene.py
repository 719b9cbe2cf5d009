"""A house to decide for: a room, an ASIC, a GPU rig, a circuit; and time that passes in minutes."""

from dataclasses import dataclass, field, replace
from typing import Any

from custom_components.hashcenter.control.decide import decide
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.control.seen import (
    CircuitSeen,
    HeaterSeen,
    HouseSeen,
    HvacMode,
    LeaseSeen,
    Pace,
    RoomSeen,
    Thermometer,
)
from custom_components.hashcenter.control.state import State
from custom_components.hashcenter.control.wanted import Do, HeaterWanted, HouseWanted, RoomWanted
from custom_components.hashcenter.wire.values import Effect

START = 1_700_000_000.0


def room(**changes: Any) -> RoomSeen:
    usual = RoomSeen("living", "Living room", HvacMode.HEAT, 21.0, Thermometer(20.5))
    return replace(usual, **changes)


def asic(name: str = "s19", **changes: Any) -> HeaterSeen:
    usual = HeaterSeen(
        key=HeaterKey("barn", name),
        name=name,
        pace=Pace.SLOW,
        room="living",
        circuit=None,
        idle_w=20.0,
        min_w=1200.0,
        max_w=3000.0,
        unattended_w=20.0,
        boot_peak_w=3000.0,
        step_w=50.0,
        settle_s=300.0,
        available_w=3000.0,
        power_w=20.0,
        mean_w=20.0,
        effect=Effect.REACHED,
    )
    return replace(usual, **changes)


def gpu(name: str = "rig", **changes: Any) -> HeaterSeen:
    usual = HeaterSeen(
        key=HeaterKey("barn", name),
        name=name,
        pace=Pace.FAST,
        room="living",
        circuit=None,
        idle_w=100.0,
        min_w=200.0,
        max_w=800.0,
        unattended_w=200.0,
        can_answer=True,
        available_w=800.0,
        power_w=100.0,
        mean_w=100.0,
        possible_w=800.0,
        effect=Effect.REACHED,
    )
    return replace(usual, **changes)


def breaker(amps: float = 20.0, **changes: Any) -> CircuitSeen:
    return replace(CircuitSeen("c", "Barn", 230.0, amps), **changes)


@dataclass
class Scene:
    """A house whose rigs do at once what they are told, unless a test says otherwise."""

    seen: HouseSeen
    state: State = field(default_factory=State)
    now: float = START
    wanted: HouseWanted | None = None
    obeys: bool = True

    def decide(self) -> HouseWanted:
        """Decide once, without time passing."""
        self.state, self.wanted = decide(self.state, self.seen, self.now)
        return self.wanted

    def pass_minutes(self, minutes: int = 1) -> HouseWanted:
        """Let minutes pass, one decision in each."""
        for _ in range(minutes):
            self.now += 60.0
            self.decide()
            if self.obeys:
                self.obey()
        assert self.wanted is not None
        return self.wanted

    def obey(self) -> None:
        """Let every heater draw what its lease says."""
        assert self.wanted is not None
        self.change_heaters(lambda heater: _obeying(heater, self.wanted))

    def change_heaters(self, change: Any) -> None:
        self.seen = replace(self.seen, heaters=tuple(change(one) for one in self.seen.heaters))

    def change_heater(self, name: str, **changes: Any) -> None:
        self.change_heaters(lambda one: replace(one, **changes) if one.key.heater == name else one)

    def change_room(self, **changes: Any) -> None:
        self.seen = replace(self.seen, rooms=(replace(self.seen.rooms[0], **changes),))

    def change_circuit(self, **changes: Any) -> None:
        first, *others = self.seen.circuits
        self.seen = replace(self.seen, circuits=(replace(first, **changes), *others))

    def change_money(self, **changes: Any) -> None:
        self.seen = replace(self.seen, money=replace(self.seen.money, **changes))

    def heater(self, name: str) -> HeaterWanted:
        assert self.wanted is not None
        return self.wanted.heaters[HeaterKey("barn", name)]

    @property
    def room(self) -> RoomWanted:
        assert self.wanted is not None
        return self.wanted.rooms["living"]

    def is_stable_for(self, minutes: int) -> set[tuple[float, ...]]:
        """Return the different leases wanted over some minutes."""
        found = set()
        for _ in range(minutes):
            wanted = self.pass_minutes()
            found.add(tuple(one.power_w for one in wanted.heaters.values()))
        return found


def _obeying(heater: HeaterSeen, wanted: HouseWanted | None) -> HeaterSeen:
    assert wanted is not None
    want = wanted.heaters[heater.key]
    if want.do is Do.NOTHING or not heater.online:
        return heater
    draws = max(want.power_w, heater.idle_w)
    return replace(
        heater,
        power_w=draws,
        mean_w=draws,
        hashing=want.power_w > 0,
        starting=False,
        possible_w=None if heater.possible_w is None else min(want.cap_w or 1e9, heater.max_w),
        lease=LeaseSeen(want.power_w, want.cap_w) if want.do is Do.LEASE else None,
        effect=Effect.REACHED,
    )


def scene(*heaters: HeaterSeen, **changes: Any) -> Scene:
    """Return a cold house on a cold day; `changes` are of the house."""
    usual = HouseSeen(
        rooms=(room(),), heaters=heaters or (gpu(), asic()), outdoor=Thermometer(-2.0)
    )
    return Scene(replace(usual, **changes))
