"""What the house's rules remember from one decision to the next; plain values, so that they store.

`stored` and `restored` bring it over a restart of Home Assistant as JSON, so that no room jumps.
What cannot be read (an older or a damaged store) is forgotten, never an error: it is learned again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from .requests import HeaterKey

RememberedT = TypeVar("RememberedT")


@dataclass(frozen=True)
class Learned:
    """The heat loss of a room, learned over whole days: see `heat_loss.py`.

    `coefficient_w_per_k` and `weight` are the estimate; the sums are of the day that is running.
    """

    coefficient_w_per_k: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0
    heat_j: float = 0.0
    difference_ks: float = 0.0
    first_c: float | None = None


@dataclass(frozen=True)
class Rhythm:
    """How often a thermometer speaks: its last word, and the longest silence that was normal."""

    spoke_at: float = 0.0
    longest_s: float = 0.0


@dataclass(frozen=True)
class RoomState:
    """A room's controller. Watts; seconds since 1970; 0.0 for a moment that has not come."""

    at: float = 0.0
    #: The PI controller's slow part.
    integral_w: float = 0.0
    #: The demand before every clamp.
    demand_w: float = 0.0
    filtered_c: float | None = None
    outdoor_c: float | None = None
    target_c: float | None = None
    rhythm: Rhythm = Rhythm()
    learned: Learned = Learned()
    #: Joules that slow heaters left undone or would do too much, until another set of them is due.
    missing_j: float = 0.0
    surplus_j: float = 0.0
    #: The first guess of the integral has been made.
    started: bool = False
    heat_loss_w_per_k: float = 0.0
    #: How far a peak-price event still holds the target down.
    peak_shift_k: float = 0.0
    frost: bool = False
    blind_since: float = 0.0
    over: bool = False
    short_since: float = 0.0
    enough_since: float = 0.0
    backup: bool = False


@dataclass(frozen=True)
class HeaterMemory:
    """A heater's books. `ceiling_w` is the most it may be drawing as far as was ever measured.

    `said_w` and `said_cap_w` are the last lease that was wanted, `said_at` when it changed.
    `started_at` are the wanted starts of the last day.
    """

    ceiling_w: float | None = None
    said_w: float = 0.0
    said_cap_w: float | None = None
    said_at: float = 0.0
    started_at: tuple[float, ...] = ()
    booting_until: float = 0.0
    #: Until when nothing is asked of a heater whose watts did not follow.
    barred_until: float = 0.0
    #: The most watts at which its fan was quiet enough, and when that was changed.
    quiet_w: float | None = None
    quiet_at: float = 0.0
    #: The room that has a heater which several rooms share.
    room: str | None = None


@dataclass(frozen=True)
class CircuitMemory:
    """The highest load of others that the meter showed lately, the last start, tripped or not.

    `behind` names the heaters behind it, one a line, and `moved_at` is when one of them left.
    """

    others_peak_w: float = 0.0
    at: float = 0.0
    started_at: float = 0.0
    tripped: bool = False
    behind: str | None = None
    moved_at: float = 0.0


@dataclass(frozen=True)
class State:
    """Everything remembered."""

    rooms: Mapping[str, RoomState] = field(default_factory=lambda: MappingProxyType({}))
    heaters: Mapping[HeaterKey, HeaterMemory] = field(default_factory=lambda: MappingProxyType({}))
    circuits: Mapping[str, CircuitMemory] = field(default_factory=lambda: MappingProxyType({}))
    #: The last word on whether the house runs on a generator or a battery.
    on_generator: bool | None = None


def not_after(state: State, now: float) -> State:
    """Return the state after the clock went back: nothing in it lies ahead of `now`."""
    moments = [part.at for part in state.rooms.values()]
    moments += [part.at for part in state.circuits.values()]
    if all(at <= now for at in moments):
        return state
    rooms = {
        name: replace(
            room,
            at=min(room.at, now),
            rhythm=replace(room.rhythm, spoke_at=min(room.rhythm.spoke_at, now)),
            blind_since=min(room.blind_since, now),
            short_since=min(room.short_since, now),
            enough_since=min(room.enough_since, now),
        )
        for name, room in state.rooms.items()
    }
    heaters = {
        key: replace(
            heater,
            said_at=min(heater.said_at, now),
            started_at=tuple(at for at in heater.started_at if at <= now),
            booting_until=min(heater.booting_until, now),
            barred_until=min(heater.barred_until, now),
            quiet_at=min(heater.quiet_at, now),
        )
        for key, heater in state.heaters.items()
    }
    circuits = {
        name: replace(
            one,
            at=min(one.at, now),
            started_at=min(one.started_at, now),
            moved_at=min(one.moved_at, now),
        )
        for name, one in state.circuits.items()
    }
    return State(
        MappingProxyType(rooms),
        MappingProxyType(heaters),
        MappingProxyType(circuits),
        state.on_generator,
    )


def stored(state: State) -> dict[str, Any]:
    """Return `state` as JSON's values."""
    return {
        "rooms": {room: asdict(memory) for room, memory in state.rooms.items()},
        "heaters": [{"key": list(key), **asdict(memory)} for key, memory in state.heaters.items()],
        "circuits": {circuit: asdict(memory) for circuit, memory in state.circuits.items()},
        "on_generator": state.on_generator,
    }


def restored(data: Mapping[str, Any]) -> State:
    """Return the state that `stored` wrote; parts that cannot be read are left out."""
    rooms: dict[str, RoomState] = {}
    for name, part in _items(data.get("rooms")):
        if (room := _read(RoomState, part)) is not None:
            rooms[name] = room
    circuits: dict[str, CircuitMemory] = {}
    for name, part in _items(data.get("circuits")):
        if (circuit := _read(CircuitMemory, part)) is not None:
            circuits[name] = circuit
    heaters: dict[HeaterKey, HeaterMemory] = {}
    listed = data.get("heaters")
    for part in listed if isinstance(listed, list) else []:
        if not isinstance(part, Mapping):
            continue
        key, heater = part.get("key"), _read(HeaterMemory, part)
        if heater is not None and isinstance(key, list) and len(key) == 2:
            heaters[HeaterKey(str(key[0]), str(key[1]))] = heater
    supply = data.get("on_generator")
    return State(
        MappingProxyType(rooms),
        MappingProxyType(heaters),
        MappingProxyType(circuits),
        supply if isinstance(supply, bool) else None,
    )


def _items(part: object) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(part, Mapping):
        return []
    return [(str(name), value) for name, value in part.items() if isinstance(value, Mapping)]


def _read(kind: type[RememberedT], part: Mapping[str, Any]) -> RememberedT | None:
    """Return `part` as a `kind`; None where a value is not what it has to be."""
    values: dict[str, Any] = {}
    default = kind()
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name not in part:
            continue
        value, usual = part[one.name], getattr(default, one.name)
        if isinstance(usual, (Rhythm, Learned)):
            value = _read(type(usual), value) if isinstance(value, Mapping) else None
            if value is None:
                return None
        elif isinstance(usual, tuple):
            if not isinstance(value, list | tuple) or not all(map(_is_number, value)):
                return None
            value = tuple(value)
        elif isinstance(usual, bool):
            if not isinstance(value, bool):
                return None
        elif str in get_args(one.type):
            if not isinstance(value, str | None):
                return None
        elif not (_is_number(value) or (value is None and usual is None)):
            return None
        values[one.name] = value
    return kind(**values)


def _is_number(value: object) -> bool:
    # NaN and infinities are no numbers that anything could go on from.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
