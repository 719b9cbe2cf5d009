"""What the owner set up: rooms, circuits, money, the tilt. Read from subentries and options.

The forms (room_flow.py, circuit_flow.py, options_flow.py) write the keys named here; heating.py
and the entities read these classes. Temperatures are stored in degrees Celsius, whatever the form
showed. A field that is left out has the default that its class says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry

from ..control.requests import HeaterKey
from ..control.tiers import TierPlan
from ..control.tilt import TiltPlan
from ..control.wishes import Preset

SUBENTRY_ROOM: Final = "room"
SUBENTRY_CIRCUIT: Final = "circuit"


DEFAULT_PRESETS_C: Final[Mapping[Preset, float]] = {
    Preset.COMFORT: 21.0,
    Preset.ECO: 18.0,
    Preset.AWAY: 14.0,
    Preset.BOOST: 23.0,
}
DEFAULT_BOOST_S: Final = 3600.0


def heater_id(key: HeaterKey) -> str:
    """Return how a heater is stored in a subentry and offered in a form."""
    return f"{key.rig}/{key.heater}"


def heater_key(stored: str) -> HeaterKey:
    """Return the heater that `heater_id` named; a rig's id has no slash."""
    rig, _, heater = stored.partition("/")
    return HeaterKey(rig, heater)


@dataclass(frozen=True)
class QuietPlan:
    """Every day from `start` to `end` (HH:MM:SS, over midnight if later).

    At most these watts, and no fan faster than that; one of the two may be left open.
    """

    start: str
    end: str
    max_w: float | None = None
    max_fan_percent: float | None = None


@dataclass(frozen=True)
class RoomPlan:
    """A heated room or floor, by its subentry."""

    id: str
    name: str
    thermometer: str
    outdoor: str | None = None
    windows: tuple[str, ...] = ()
    heaters: tuple[HeaterKey, ...] = ()
    #: While this entity is off or closed, the heat goes outdoors.
    damper: str | None = None
    #: A climate entity that takes over while the room needs back-up heat.
    backup: str | None = None
    presets_c: Mapping[Preset, float] = field(default_factory=lambda: DEFAULT_PRESETS_C)
    boost_s: float = DEFAULT_BOOST_S
    frost_c: float = 7.0
    high_c: float = 28.0
    #: Above it no hashing that is only for money.
    ceiling_c: float | None = None
    quiet: QuietPlan | None = None
    child: bool = False
    heat_loss_w_per_k: float | None = None

    @classmethod
    def read(cls, subentry: ConfigSubentry) -> Self:
        """Return the room of its subentry."""
        data = subentry.data
        quiet = data.get("quiet")
        return cls(
            id=subentry.subentry_id,
            name=subentry.title,
            heaters=tuple(heater_key(one) for one in data.get("heaters", ())),
            windows=tuple(data.get("windows", ())),
            presets_c={
                preset: float(data.get(f"{preset}_c", usual))
                for preset, usual in DEFAULT_PRESETS_C.items()
            },
            quiet=QuietPlan(**_known(QuietPlan, quiet)) if quiet else None,
            **_given(data, *_ROOM_FIELDS),
        )


_ROOM_FIELDS: Final = (
    "thermometer",
    "outdoor",
    "damper",
    "backup",
    "boost_s",
    "frost_c",
    "high_c",
    "ceiling_c",
    "child",
    "heat_loss_w_per_k",
)


@dataclass(frozen=True)
class CircuitPlan:
    """A breaker or what feeds several; `parent` is another circuit's subentry id."""

    id: str
    name: str
    volts: float
    amps: float
    parent: str | None = None
    heaters: tuple[HeaterKey, ...] = ()
    #: A power sensor; with `meter_counts_heaters` it shows the heaters behind it as well.
    meter: str | None = None
    meter_counts_heaters: bool = False
    #: What else may be switched on at any moment (kettle, dryer).
    others_w: float = 0.0
    #: An entity that is on while the breaker is off.
    tripped: str | None = None

    @classmethod
    def read(cls, subentry: ConfigSubentry) -> Self:
        """Return the circuit of its subentry."""
        data = subentry.data
        return cls(
            id=subentry.subentry_id,
            name=subentry.title,
            heaters=tuple(heater_key(one) for one in data.get("heaters", ())),
            **_given(data, *_CIRCUIT_FIELDS),
        )


_CIRCUIT_FIELDS: Final = (
    "volts",
    "amps",
    "parent",
    "meter",
    "meter_counts_heaters",
    "others_w",
    "tripped",
)


@dataclass(frozen=True)
class MoneyPlan:
    """What watts cost and what work earns. An entity, where one is named, wins over a figure."""

    price_entity: str | None = None
    price_per_kwh: float | None = None
    tiers: tuple[TierPlan, ...] = ()
    #: The house's own energy counter (kWh) that the steps go by; without one, the heaters' energy.
    energy_entity: str | None = None
    #: On while a peak-price event runs; its `start_time` attribute or state announces the next.
    peak_entity: str | None = None
    #: On while the house runs on a generator or a battery.
    generator_entity: str | None = None
    #: Watts of solar that would be exported.
    surplus_entity: str | None = None
    hash_value_entity: str | None = None
    hash_value_per_th_day: float | None = None
    #: What a bitcoin costs, for a hash value entity that is in satoshis.
    bitcoin_price_entity: str | None = None
    #: What a kWh of hashing on GPUs earns: their coins are not paid by the TH/s.
    gpu_hash_value_per_kwh: float | None = None
    solo: bool = False
    inference_value_per_mtoken: float | None = None
    alternative_cop: float | None = None
    alternative_price_per_kwh: float | None = None

    @property
    def has_price(self) -> bool:
        """Whether the owner said what a kWh costs."""
        figures = (self.price_entity, self.price_per_kwh)
        return bool(self.tiers) or any(one is not None for one in figures)

    @property
    def has_alternative(self) -> bool:
        """Whether the owner said what else could heat, and its price can be known."""
        if self.alternative_price_per_kwh is not None:
            return True
        return self.alternative_cop is not None and self.has_price

    @property
    def has_value(self) -> bool:
        """Whether the owner said what work is worth."""
        figures = (self.hash_value_entity, self.hash_value_per_th_day)
        return any(one is not None for one in (*figures, self.inference_value_per_mtoken))


@dataclass(frozen=True)
class HousePlan:
    """Everything the owner set up."""

    rooms: Mapping[str, RoomPlan] = field(default_factory=dict)
    circuits: Mapping[str, CircuitPlan] = field(default_factory=dict)
    outdoor: str | None = None
    money: MoneyPlan = field(default_factory=MoneyPlan)
    tilt: TiltPlan = field(default_factory=TiltPlan)

    @classmethod
    def read(cls, entry: ConfigEntry) -> Self:
        """Return what the house entry holds."""
        options = entry.options
        money = _known(MoneyPlan, options.get("money", {}))
        money["tiers"] = tuple(TierPlan(**one) for one in money.get("tiers", ()))
        rooms = map(RoomPlan.read, entry.get_subentries_of_type(SUBENTRY_ROOM))
        circuits = map(CircuitPlan.read, entry.get_subentries_of_type(SUBENTRY_CIRCUIT))
        return cls(
            rooms={room.id: room for room in rooms},
            circuits={circuit.id: circuit for circuit in circuits},
            outdoor=options.get("outdoor"),
            money=MoneyPlan(**money),
            tilt=TiltPlan(**_known(TiltPlan, options.get("tilt", {}))),
        )


def _known(plan: type[QuietPlan | MoneyPlan | TiltPlan], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that this version knows; a later one may have written more."""
    return _given(data, *(one.name for one in fields(plan)))


def _given(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the named values that are there; the others have their defaults."""
    return {name: data[name] for name in names if data.get(name) is not None}
