"""The circuits' books: what may be drawn behind each breaker, so that none ever carries too much.

A breaker's continuous limit is 80 % of its rating. Against it count, up to the main: every heater
with the most it may draw (`bounds.py`), and other loads with the most of what the meter shows, what
it showed at worst lately, and what the owner says may be switched on at any moment. A breaker does
not wait for a thermostat, so a load that may come is kept free, not reacted to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from .requests import HeaterKey
from .seen import CircuitSeen, HeaterSeen
from .state import CircuitMemory

METER_STALE_S: Final = 120.0
_NO_LIMIT: Final = float("inf")
#: A load that the meter showed is expected again for about this long.
_REMEMBERED_S: Final = 7 * 86_400.0
#: For a day after a heater left it a load is forgotten sooner: it may have been that heater, which
#: was still plugged in there.
_MOVING_S: Final = 86_400.0
_REMEMBERED_MOVING_S: Final = 3_600.0


def limit_w(circuit: CircuitSeen) -> float:
    """Return what the circuit may carry for hours: 80 % of its rating (0 while it is tripped)."""
    return 0.0 if circuit.tripped else circuit.volts * circuit.amps * circuit.continuous_share


def is_stale(circuit: CircuitSeen) -> bool:
    """Return whether the circuit has a meter that does not speak."""
    meter = circuit.meter
    return meter is not None and (meter.power_w is None or meter.age_s > METER_STALE_S)


def chain(circuit_id: str | None, circuits: Mapping[str, CircuitSeen]) -> tuple[str, ...]:
    """Return the circuit and everything that feeds it; a parent named twice is followed once."""
    found: list[str] = []
    while circuit_id is not None and circuit_id in circuits and circuit_id not in found:
        found.append(circuit_id)
        circuit_id = circuits[circuit_id].parent
    return tuple(found)


def remember(
    memory: CircuitMemory,
    circuit: CircuitSeen,
    heaters: Iterable[HeaterKey],
    heaters_w: float,
    now: float,
) -> CircuitMemory:
    """Return the memory with the highest load of others.

    `heaters` are ours behind the circuit, and `heaters_w` what they draw now.
    """
    behind = sorted("/".join(key) for key in heaters)
    gone = memory.behind is not None and set(memory.behind.split("\n")) - {*behind, ""}
    moved_at = now if gone else memory.moved_at
    is_moving = moved_at > 0 and now - moved_at < _MOVING_S
    remembered_s = _REMEMBERED_MOVING_S if is_moving else _REMEMBERED_S
    dt_s = max(0.0, now - memory.at) if memory.at > 0 else 0.0
    peak_w = memory.others_peak_w * max(0.0, 1.0 - dt_s / remembered_s)
    measured_w = others_now_w(circuit, heaters_w)
    return CircuitMemory(
        max(peak_w, measured_w or 0.0),
        now,
        memory.started_at,
        tripped=bool(circuit.tripped),
        behind="\n".join(behind),
        moved_at=moved_at,
    )


def known(circuit: CircuitSeen, memory: CircuitMemory | None) -> CircuitSeen:
    """Return the circuit, tripped as it was while nobody can say: only a word puts it back."""
    if circuit.tripped is not None:
        return circuit
    return replace(circuit, tripped=memory.tripped if memory else False)


def others_now_w(circuit: CircuitSeen, heaters_w: float) -> float | None:
    """Return what others on the circuit draw now; None without a meter that speaks."""
    if circuit.meter is None or circuit.meter.power_w is None or is_stale(circuit):
        return None
    power_w = circuit.meter.power_w
    return max(0.0, power_w - heaters_w) if circuit.meter.counts_heaters else power_w


@dataclass
class Books:
    """What is still free on each circuit. A scratch value of one decision: `copy` before trying."""

    free_w: dict[str, float]
    chains: Mapping[HeaterKey, tuple[str, ...]]

    def copy(self) -> "Books":
        """Return books in which something can be tried."""
        return Books(dict(self.free_w), self.chains)

    def room_w(self, key: HeaterKey) -> float:
        """Return what may still be added at the heater; infinite on no circuit."""
        return min([self.free_w[circuit] for circuit in self.chains[key]], default=_NO_LIMIT)

    def tightest(self, key: HeaterKey) -> str | None:
        """Return the circuit that leaves the heater the least."""
        return min(self.chains[key], key=lambda circuit: self.free_w[circuit], default=None)

    def take(self, key: HeaterKey, watts: float) -> None:
        """Count `watts` more (or less) at the heater."""
        for circuit in self.chains[key]:
            self.free_w[circuit] -= watts


def chains(
    heaters: Iterable[HeaterSeen], circuits: Mapping[str, CircuitSeen]
) -> dict[HeaterKey, tuple[str, ...]]:
    """Return each heater's circuit and everything that feeds it."""
    of_circuit = {name: chain(name, circuits) for name in circuits}
    return {heater.key: of_circuit.get(heater.circuit or "", ()) for heater in heaters}


def opened(
    heater_chains: Mapping[HeaterKey, tuple[str, ...]],
    circuits: Mapping[str, CircuitSeen],
    memories: Mapping[str, CircuitMemory],
) -> Books:
    """Return books in which no heater has anything yet, and others have all they may take."""
    free_w = {
        name: limit_w(circuit)
        - max(circuit.others_w, memories[name].others_peak_w if name in memories else 0.0)
        for name, circuit in circuits.items()
    }
    return Books(free_w, heater_chains)


def refused(
    heaters: Iterable[HeaterSeen], books: Books, unattended: Mapping[HeaterKey, float]
) -> Mapping[HeaterKey, str]:
    """Return which heaters no lease is given to, with the circuit that could not carry them.

    After a power cut everything starts by itself at once, with its boot peak, beside whatever else
    was on: what does not fit then must not be used, in the house's order.
    """
    books = books.copy()
    found: dict[HeaterKey, str] = {}
    for heater in heaters:
        watts = unattended[heater.key]
        tightest = books.tightest(heater.key)
        if tightest is not None and watts > books.room_w(heater.key) + 0.5:
            found[heater.key] = tightest
        books.take(heater.key, watts)
    return found
