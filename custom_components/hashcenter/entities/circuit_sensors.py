"""A circuit's sensors: what it carries, what it might, what it may."""

from typing import Final, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.const import EntityCategory, UnitOfRatio

from ..control.wanted import CircuitWanted
from ..heat.plan import CircuitPlan
from ..house import House
from .calm import Calm
from .calm_sensor import CalmSensor
from .part_entity import CircuitEntity
from .sensor_kinds import Value, measured, power


def load_percent(circuit: CircuitWanted) -> float | None:
    """Return the load's share of what the circuit may carry for hours; a tripped one has none."""
    if circuit.load_w is None or circuit.limit_w <= 0:
        return None
    return 100.0 * circuit.load_w / circuit.limit_w


#: A breaker is sized in hundreds of watts.
_WATTS: Final = Calm(deadband=25.0, share=0.1)

CIRCUIT: Final = (
    power("load_w", calm=_WATTS),
    measured(
        "load_percent", UnitOfRatio.PERCENTAGE, calm=Calm(deadband=3.0), value_fn=load_percent
    ),
    power("possible_w", calm=_WATTS),
    power("headroom_w", calm=_WATTS, detail=True),
    power("limit_w", entity_category=EntityCategory.DIAGNOSTIC),
    power("others_w", detail=True),
)


def circuit_sensors(house: House, circuit: CircuitPlan) -> list[SensorEntity]:
    """Return the sensors of a circuit."""
    return [CircuitSensor(house, circuit, one) for one in CIRCUIT]


class CircuitSensor(CalmSensor[House], CircuitEntity):
    """A sensor of a circuit; unknown before the first decision."""

    @override
    def read(self) -> Value:
        return self.entity_description.value_fn(self.wanted) if self.wanted else None
