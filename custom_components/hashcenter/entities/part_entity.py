"""Entities of rooms and circuits: each is a device of its own, known by its subentry's id.

They follow the house: every heartbeat of a rig and every decision wakes them. Before the first
decision they are there and unknown.
"""

from homeassistant.const import UnitOfTemperature
from homeassistant.helpers.entity import EntityDescription

from ..control.explain import sentence
from ..control.seen import CircuitSeen, RoomSeen
from ..control.wanted import CircuitWanted, Limit, RoomWanted
from ..entity import HashcenterEntity
from ..heat.plan import CircuitPlan, RoomPlan
from ..house import House
from ..rigs.registry import part_info


class RoomEntity(HashcenterEntity[House]):
    """An entity of a room."""

    def __init__(self, house: House, room: RoomPlan, description: EntityDescription) -> None:
        """Belong to the room's device."""
        self.room = room
        owner = room_owner(room)
        info = part_info(house.hass, house.config_entry, owner, model="Room", name=room.name)
        super().__init__(house, description, owner, info)

    @property
    def seen(self) -> RoomSeen | None:
        """What the rules were shown of the room last."""
        seen = self.coordinator.heating.seen
        return seen.rooms_by_id.get(self.room.id) if seen else None

    @property
    def wanted(self) -> RoomWanted | None:
        """What the rules said of the room last."""
        wanted = self.coordinator.heating.wanted
        return wanted.rooms.get(self.room.id) if wanted else None


class CircuitEntity(HashcenterEntity[House]):
    """An entity of a circuit."""

    def __init__(self, house: House, circuit: CircuitPlan, description: EntityDescription) -> None:
        """Belong to the circuit's device."""
        self.circuit = circuit
        owner = circuit_owner(circuit)
        info = part_info(house.hass, house.config_entry, owner, model="Circuit", name=circuit.name)
        super().__init__(house, description, owner, info)

    @property
    def seen(self) -> CircuitSeen | None:
        """What the rules were shown of the circuit last."""
        seen = self.coordinator.heating.seen
        shown = (one for one in seen.circuits if one.id == self.circuit.id) if seen else ()
        return next(iter(shown), None)

    @property
    def wanted(self) -> CircuitWanted | None:
        """The circuit's books as the rules kept them last."""
        wanted = self.coordinator.heating.wanted
        return wanted.circuits.get(self.circuit.id) if wanted else None


def room_owner(room: RoomPlan) -> str:
    """Return whose a room's entities are."""
    return f"room/{room.id}"


def circuit_owner(circuit: CircuitPlan) -> str:
    """Return whose a circuit's entities are."""
    return f"circuit/{circuit.id}"


def in_words(house: House, limit: Limit) -> str:
    """Return a limit as a sentence, with people's names of circuits, in the house's unit."""
    names = {one.id: one.name for one in house.plan.circuits.values()}
    return sentence(limit, names, fahrenheit=speaks_fahrenheit(house))


def speaks_fahrenheit(house: House) -> bool:
    """Return whether temperatures are said in degrees Fahrenheit here."""
    return house.hass.config.units.temperature_unit == UnitOfTemperature.FAHRENHEIT
