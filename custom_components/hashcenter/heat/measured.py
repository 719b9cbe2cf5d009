"""What heaters really did: the 10-minute mean of their watts, and what a terahash takes them.

Fed with every heartbeat of a rig, in the rig's own ticks, so that no clock matters and each joule
counts once. What was never measured, or too long ago, is None.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from ..control.requests import HeaterKey
from ..rigs.rig import Rig
from ..wire.codec import decode, encode
from ..wire.messages import Heater
from ..wire.values import Activity, DeviceKind

_MEAN_S: Final = 600.0
#: Between two readings further apart nobody knows what was drawn.
_GAP_S: Final = 30.0
#: How much one more look counts for what a terahash takes.
_WEIGHT: Final = 0.1


class Mean:
    """The mean watts of the last ten minutes, each reading held until the next."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._parts: deque[tuple[float, float, float]] = deque()  # ends at, seconds, joules
        self._seconds = self._joules = 0.0
        self._last: tuple[str, float, float | None] | None = None

    def note(self, boot_id: str, tick: float, power_w: float | None) -> None:
        """Take one reading, made at `tick` of the rig's run `boot_id`."""
        last, self._last = self._last, (boot_id, tick, power_w)
        if last is None:
            return
        if last[0] != boot_id:
            self._parts.clear()
            self._seconds = self._joules = 0.0
            return
        passed_s = tick - last[1]
        if last[2] is not None and 0.0 < passed_s <= _GAP_S:
            self._parts.append((tick, passed_s, last[2] * passed_s))
            self._seconds += passed_s
            self._joules += last[2] * passed_s
        while self._parts and self._parts[0][0] <= tick - _MEAN_S:
            _, seconds, joules = self._parts.popleft()
            self._seconds -= seconds
            self._joules -= joules

    @property
    def mean_w(self) -> float | None:
        """The mean, None without a reading now."""
        if self._last is None or self._last[2] is None:
            return None
        return max(0.0, self._joules / self._seconds) if self._seconds > 0 else self._last[2]


class Measured:
    """The means and the efficiency of every heater, and what its inventory said last."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._means: dict[HeaterKey, Mean] = {}
        self._j_per_th: dict[HeaterKey, float] = {}
        #: By rig, so that one rig's are found among a thousand's.
        self._facts: dict[str, dict[HeaterKey, Heater]] = {}

    def hear(self, rig: Rig) -> None:
        """Take a rig's heartbeat."""
        if (live := rig.live) is None:
            return
        for state in live.heaters:
            key = HeaterKey(rig.rig_id, state.id)
            if (mean := self._means.get(key)) is None:
                mean = self._means[key] = Mean()
            mean.note(live.boot_id, live.tick, state.power_w)

    def note_facts(self, rig: Rig) -> None:
        """Take a rig's inventory: circuits have to count its heaters also while it is away."""
        if rig.inventory is None:
            return
        self._facts[rig.rig_id] = {
            HeaterKey(rig.rig_id, heater.id): heater for heater in rig.inventory.heaters
        }

    def facts(self, rig_id: str) -> Mapping[HeaterKey, Heater]:
        """Return the rig's heaters as last heard of."""
        return self._facts.get(rig_id, {})

    def mean_w(self, key: HeaterKey) -> float | None:
        """Return the heater's 10-minute mean in watts."""
        mean = self._means.get(key)
        return mean.mean_w if mean else None

    def j_per_th(self, key: HeaterKey) -> float | None:
        """Return the joules that a terahash took the ASIC lately."""
        return self._j_per_th.get(key)

    def weigh(self, rig: Rig) -> None:
        """Take in what a terahash takes the rig's ASICs now; once a minute is enough."""
        for key, heater in self.facts(rig.rig_id).items():
            j_per_th = _j_per_th(rig, heater)
            if j_per_th is not None:
                before = self._j_per_th.get(key, j_per_th)
                self._j_per_th[key] = before + _WEIGHT * (j_per_th - before)

    def stored(self) -> list[dict[str, Any]]:
        """Return what is worth keeping over a restart, as JSON's values."""
        return [
            {"key": list(key), "heater": encode(heater), "j_per_th": self._j_per_th.get(key)}
            for facts in self._facts.values()
            for key, heater in facts.items()
        ]

    def restore(self, stored: list[dict[str, Any]]) -> None:
        """Bring back what `stored` returned; raises ValueError for what cannot be read."""
        for one in stored:
            key = HeaterKey(*one["key"])
            self._facts.setdefault(key.rig, {})[key] = decode(Heater, one["heater"])
            if one["j_per_th"]:
                self._j_per_th[key] = float(one["j_per_th"])


def _j_per_th(rig: Rig, heater: Heater) -> float | None:
    """Return what a terahash takes an ASIC that hashes now; what a GPU mines is no terahash."""
    described = rig.described(heater.devices[0]) if len(heater.devices) == 1 else None
    if described is None or described.kind != DeviceKind.ASIC:
        return None
    device, state = rig.device(described.uid), rig.heater_state(heater.id)
    if device is None or device.activity != Activity.HASHING:
        return None
    if state is None or state.power_w is None or not device.hash_rate_mhs:
        return device.joules_per_terahash or None
    return state.power_w / (device.hash_rate_mhs / 1e6) or None
