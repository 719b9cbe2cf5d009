"""Heat requests: watts that somebody asks of one heater for a time, whatever the rooms want."""

from dataclasses import dataclass
from typing import NamedTuple


class HeaterKey(NamedTuple):
    """Names one heater of one rig."""

    rig: str
    heater: str


@dataclass(frozen=True)
class HeatRequest:
    """Watts that somebody asked for, until a moment (seconds since 1970).

    With a `thermometer` (an entity's id) it gives nothing above `high_limit_c`, nor while that
    thermometer is silent.
    """

    power_w: float
    until: float
    high_limit_c: float | None = None
    thermometer: str | None = None
