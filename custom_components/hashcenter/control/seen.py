"""What the house's rules are shown at once: rooms, heaters, circuits, money, people's wishes.

Home Assistant's side fills it in anew for every decision; nothing here is remembered. Temperatures
are degrees Celsius, watts are at the wall, money is in the house's currency, an age is the seconds
since something was last said. What is not known is None, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from ..wire.values import Effect, Favor
from .requests import HeaterKey


class Pace(StrEnum):
    """How a heater takes a new lease: an ASIC boots for minutes and wears, GPUs just follow."""

    SLOW = "slow"
    FAST = "fast"


class HvacMode(StrEnum):
    """Whether a person lets a room be heated."""

    OFF = "off"
    HEAT = "heat"


@dataclass(frozen=True)
class Thermometer:
    """A temperature: `temp_c` is None as long as the sensor is unavailable.

    `age_s` counts from its last word, also one that repeated the value (`last_reported`).
    """

    temp_c: float | None
    age_s: float = 0.0


@dataclass(frozen=True)
class OutsideDemand:
    """Watts that somebody else asks of a heater: a person, another thermostat, an automation.

    It holds until `until` (seconds since 1970). With a `thermometer`, it ends early above
    `high_limit_c` and pauses while the thermometer is stale. It `waits` while the heater's room
    freezes or has a window open: the heater is the room's then.
    """

    power_w: float
    until: float
    high_limit_c: float | None = None
    thermometer: Thermometer | None = None
    waits: bool = False


@dataclass(frozen=True)
class Quiet:
    """The quiet schedule's word for now, for each heater in the room.

    At most so many watts, answering included; `max_fan_percent`: no fan turns faster (quiet.py).
    """

    max_w: float = float("inf")
    max_fan_percent: float | None = None


@dataclass(frozen=True)
class RoomSeen:
    """A heated room. `target_c` is what the preset and the schedule say now.

    `frost_c` is held in every mode; above `high_c`, and `over_k` above the target, nothing heats.
    `ceiling_c` bounds hashing that is only for money. In a `child`'s room fast heaters rise gently.
    """

    id: str
    name: str
    mode: HvacMode
    target_c: float
    thermometer: Thermometer
    #: The room's own outdoor thermometer; None: the house's.
    outdoor: Thermometer | None = None
    windows_open: bool = False
    #: A contact that is unavailable is no open window; it is said in the room's problems.
    frost_c: float = 7.0
    high_c: float = 28.0
    over_k: float = 2.0
    ceiling_c: float | None = None
    child: bool = False
    quiet: Quiet | None = None
    #: The heat-loss coefficient (W/K) the owner wrote down; None: it is learned.
    heat_loss_w_per_k: float | None = None
    #: A back-up (furnace, baseboard) is heating the room now.
    backup_heats: bool = False


@dataclass(frozen=True)
class LeaseSeen:
    """Our lease that the rig follows now."""

    power_w: float
    cap_w: float | None = None


@dataclass(frozen=True)
class HeaterSeen:
    """The unit that gets watts, as its inventory and its last heartbeat describe it.

    `online`: its rig is alive. `controllable`: it takes requests. `power_w` is the latest reading,
    `mean_w` the 10-minute mean; both None without a fresh one. `possible_w` is the most it can draw
    as it stands, by enforced limits read back less than 30 s ago; None where no rig can know it.
    `fan_percent` is its fastest fan's.
    `room` is where its heat goes now: a room's id, or None (outdoors; a damper's position is
    resolved before). `also_rooms` may have it instead: the coldest of them gets it.
    `may_hash_for_money`: its owner's explicit yes to hashing that nobody needs the heat of.
    """

    key: HeaterKey
    name: str
    pace: Pace
    room: str | None
    circuit: str | None
    idle_w: float
    min_w: float
    max_w: float
    unattended_w: float
    #: What it may draw for a moment while it starts; unknown is the higher of the two above.
    boot_peak_w: float | None = None
    step_w: float = 1.0
    also_rooms: tuple[str, ...] = ()
    settle_s: float = 30.0
    can_hash: bool = True
    can_answer: bool = False
    online: bool = True
    controllable: bool = True
    available_w: float = 0.0
    available_why: str = ""
    power_w: float | None = None
    mean_w: float | None = None
    possible_w: float | None = None
    fan_percent: float | None = None
    hashing: bool = False
    starting: bool = False
    #: Questions that are being answered or wait.
    questions: int = 0
    effect: Effect | str | None = None
    lease: LeaseSeen | None = None
    hands_off: bool = False
    outside: OutsideDemand | None = None
    may_hash_for_money: bool = False
    #: Joules per terahash; None: unknown, or its coin is valued by `hash_value_per_kwh`.
    j_per_th: float | None = None
    hash_value_per_kwh: float | None = None
    tokens_per_joule: float | None = None

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody else's demand holds for it now."""
        return self.outside is not None and not self.outside.waits


@dataclass(frozen=True)
class Meter:
    """A circuit's meter. With `counts_heaters` its watts include the heaters behind it."""

    power_w: float | None
    age_s: float = 0.0
    counts_heaters: bool = False


@dataclass(frozen=True)
class CircuitSeen:
    """A breaker, or what feeds several: the parent's limit binds all its children together.

    `others_w` is what else may be switched on at any moment, as its owner knows it (kettle, dryer);
    the highest load that the meter ever showed counts as well.
    """

    id: str
    name: str
    volts: float
    amps: float
    parent: str | None = None
    continuous_share: float = 0.8
    others_w: float = 0.0
    meter: Meter | None = None
    #: None: the entity that would say it is silent; the last word then holds.
    tripped: bool | None = False


@dataclass(frozen=True)
class PeakEvent:
    """A peak-price event: active now, or beginning in so many seconds."""

    active: bool
    starts_in_s: float | None = None


@dataclass(frozen=True)
class MoneySeen:
    """What watts cost and what work earns, as entities and the owner say. None is unknown.

    `price_per_kwh` is the marginal price. `hash_value_per_th_day` is what 1 TH/s earns in a day.
    `alternative_price_per_kwh` is the price of a kWh of the alternative's fuel (None: electricity
    at the marginal price), `alternative_cop` its heat per kWh of it.
    """

    price_per_kwh: float | None = None
    hash_value_per_th_day: float | None = None
    inference_value_per_mtoken: float | None = None
    #: Solo mining earns nothing on most days: its expected value is shown and credited 0.
    solo: bool = False
    alternative_cop: float | None = None
    alternative_price_per_kwh: float | None = None
    peak: PeakEvent | None = None
    #: The house runs on a generator or a battery: no hashing. None: the entity that would say it is
    #: silent; its last word holds, and before its first it does.
    on_generator: bool | None = False
    #: Watts of solar that would be exported; None: unknown or none.
    surplus_w: float | None = None


@dataclass(frozen=True)
class HouseSeen:
    """Everything the house's rules are shown at once."""

    rooms: tuple[RoomSeen, ...] = ()
    heaters: tuple[HeaterSeen, ...] = ()
    circuits: tuple[CircuitSeen, ...] = ()
    outdoor: Thermometer = field(default_factory=lambda: Thermometer(None))
    money: MoneySeen = field(default_factory=MoneySeen)
    favor: Favor = Favor.BALANCED
    stop_all: bool = False

    @cached_property
    def rooms_by_id(self) -> Mapping[str | None, RoomSeen]:
        """The rooms by their ids."""
        return {room.id: room for room in self.rooms}


def by_room(heaters: tuple[HeaterSeen, ...]) -> Mapping[str, tuple[HeaterSeen, ...]]:
    """Return the heaters of each room that has any, in their order."""
    rooms: dict[str, list[HeaterSeen]] = {}
    for heater in heaters:
        if heater.room is not None:
            rooms.setdefault(heater.room, []).append(heater)
    return {room: tuple(mine) for room, mine in rooms.items()}
