"""What the house's rules want: a lease per heater, a word per room and circuit, what it costs.

Every decision carries the one limit that binds it, as a code with its values; `explain.py` says it
in an English sentence, translations say it in any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..wire.values import Favor
from .requests import HeaterKey


class LimitCode(StrEnum):
    """The one thing that decides a heater's or a room's watts. The values are in brackets."""

    #: Nothing binds: the room gets what it needs [power_w].
    DEMAND = "demand"
    #: A room that needs no heat from this heater now [].
    NO_DEMAND = "no_demand"
    STOP_ALL = "stop_all"
    HANDS_OFF = "hands_off"
    #: Its rig does not answer [].
    OFFLINE = "offline"
    #: Its rig takes no requests [].
    NOT_CONTROLLABLE = "not_controllable"
    #: What the rig says it can do: pool lost, dwell, restart budget, heat [available_w, why].
    AVAILABLE = "available"
    #: Its watts do not follow its lease [].
    NO_EFFECT = "no_effect"
    #: The circuit is full [circuit, limit_w].
    CIRCUIT = "circuit"
    #: Another heater's reduction on the circuit is still to be measured [circuit].
    STAGED = "staged"
    #: The circuit's meter is silent, so nothing goes up [circuit, age_s].
    METER_STALE = "meter_stale"
    #: After a power cut everything behind the breaker would draw too much [circuit, limit_w,
    #: unattended_w].
    UNATTENDED = "unattended"
    #: The breaker is off [circuit].
    TRIPPED = "tripped"
    #: Another heater on the circuit is just starting [circuit].
    STAGGERED = "staggered"
    #: What is needed is less than the heater's lowest step [power_w, min_w].
    BELOW_STEP = "below_step"
    #: A slow heater waits to see whether the demand lasts [remaining_s].
    PATIENCE = "patience"
    #: All of the room's heaters are at their highest [max_w].
    CAPACITY = "capacity"
    ROOM_OFF = "room_off"
    WINDOW = "window"
    FROST = "frost"
    #: [temp_c, limit_c].
    OVER_TARGET = "over_target"
    HIGH_LIMIT = "high_limit"
    #: [age_s]; -1: unavailable.
    THERMOMETER_STALE = "thermometer_stale"
    QUIET = "quiet"
    PEAK = "peak"
    GENERATOR = "generator"
    #: Somebody else asks for these watts [power_w, remaining_s].
    OUTSIDE = "outside"
    #: It hashes because that pays [net_price_per_kwh].
    PAYS = "pays"
    #: Its heat goes nowhere that needs it, and its owner wants no hashing for money [].
    NO_ROOM = "no_room"
    #: The back-up heats the room [].
    BACKUP = "backup"


@dataclass(frozen=True)
class Limit:
    """The limit that binds, and the figures its sentence needs."""

    code: LimitCode
    values: Mapping[str, float | str] = field(default_factory=dict)


class Do(StrEnum):
    """What to say to a heater's rig."""

    LEASE = "lease"
    RELEASE = "release"
    #: Say nothing: hands-off, offline, not controllable, or Stop all (said to the whole rig).
    NOTHING = "nothing"


@dataclass(frozen=True)
class HeaterWanted:
    """A heater's lease. `power_w` is for heat; `cap_w` bounds it for any purpose.

    `urgent`: it keeps a room from freezing, so the rig may spend its reserve of starts. `dark`: a
    child's room, so its screen is off.
    """

    key: HeaterKey
    do: Do
    limit: Limit
    power_w: float = 0.0
    cap_w: float | None = None
    favor: Favor = Favor.BALANCED
    urgent: bool = False
    dark: bool = False


class HvacAction(StrEnum):
    """What really happens in a room."""

    OFF = "off"
    IDLE = "idle"
    HEATING = "heating"
    PREHEATING = "preheating"


@dataclass(frozen=True)
class RoomWanted:
    """A room's state. `demand_w` is before every clamp; `delivered_w` the measured 10-minute mean.

    `installed_w` is what its heaters could deliver if nothing stood against it, `deliverable_w`
    what they can now.
    """

    id: str
    action: HvacAction
    limit: Limit
    demand_w: float
    delivered_w: float
    planned_w: float
    installed_w: float
    deliverable_w: float
    heat_loss_w_per_k: float
    thermometer_stale: bool = False
    needs_backup: bool = False
    backup_why: Limit | None = None


@dataclass(frozen=True)
class CircuitWanted:
    """A circuit's books. `load_w` is measured (others included), `possible_w` is what could be.

    `limit_w` is the continuous limit; `headroom_w` is what may still be granted. `problem` is said
    to the owner: what does not fit, or a silent meter.
    """

    id: str
    limit_w: float
    load_w: float | None
    possible_w: float
    headroom_w: float
    others_w: float
    binds: bool = False
    problem: Limit | None = None


@dataclass(frozen=True)
class Price:
    """Money per kWh of heat: what it costs net of what the work earns. None is unknown."""

    work_value_per_kwh: float | None
    net_per_kwh: float | None
    #: Whether that is less than the alternative's heat; None if either is unknown.
    cheaper: bool | None


@dataclass(frozen=True)
class MoneyWanted:
    """Prices of heat by heater and for the house (weighted by measured watts)."""

    heaters: Mapping[HeaterKey, Price]
    house: Price
    alternative_per_kwh: float | None
    #: Money per hour at the watts measured now, net of work.
    cost_per_hour: float | None


@dataclass(frozen=True)
class HouseWanted:
    """Everything the house wants now."""

    heaters: Mapping[HeaterKey, HeaterWanted]
    rooms: Mapping[str, RoomWanted]
    circuits: Mapping[str, CircuitWanted]
    money: MoneyWanted
