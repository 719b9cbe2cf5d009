"""The physics behind every simulated ASIC: watts, heat, starts, a meter that lags, overheating.

    booting --boot_s--> hashing <--> paused          hashing --too hot--> tripped --30 s--> hashing

Watts and temperatures follow their goals exponentially, so that a step of any length is exact
within a phase. Time is the caller's clock, which may run faster than the wall's.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

#: How long firmware lets a machine cool that became too hot, and how much lower it sets it then.
TRIP_REST_S = 30.0
TRIP_FACTOR = 0.9
_STEP_S = 5.0
_SHARE_HASHES = 2.0**32 * 65_536


@dataclass(frozen=True)
class Spec:
    """What a model is. Watts are the machine's own; `draw_ratio` is drawn for each watt asked.

    `rise_s`, `pause_s`, `meter_lag_s` and `heat_s` are time constants. `rise_c` is how much hotter
    than the room its chips are at `full_w`.
    """

    model: str
    firmware: str
    full_w: float
    lowest_w: float
    idle_w: float
    hash_ths: float
    boot_s: float = 60.0
    down_s: float = 20.0
    rise_s: float = 20.0
    pause_s: float = 2.0
    meter_lag_s: float = 3.0
    draw_ratio: float = 1.0
    heat_s: float = 120.0
    rise_c: float = 45.0
    trip_c: float = 95.0
    keeps_pause: bool = False


class Phase(StrEnum):
    """What the machine is doing."""

    DOWN = "down"
    BOOTING = "booting"
    HASHING = "hashing"
    PAUSED = "paused"
    TRIPPED = "tripped"
    NO_WORK = "no_work"


class Machine:
    """One simulated ASIC, warmed up and at work. Look at it through `look()`."""

    def __init__(
        self, spec: Spec, clock: Callable[[], float], target_w: float | None = None
    ) -> None:
        self.spec = spec
        self._clock = clock
        self._at = clock()
        self._booted_at = self._at - 3600.0
        self._ready_at = self._at - 3000.0
        self._down_until = 0.0
        self._tripped_until = 0.0
        self.target_w = spec.full_w if target_w is None else target_w
        self.paused = False
        self.pool_alive = True
        self.room_c = 22.0
        self.starts = 0
        self.reboots = 0
        self.trips = 0
        self.energy_j = 0.0
        self.shares = 1000.0
        self.power_w = self.meter_w = self._goal_w(Phase.HASHING)
        self.chip_c = self._goal_c()

    @property
    def phase(self) -> Phase:
        """What it does now."""
        return self._phase_at(self._clock())

    def _phase_at(self, now: float) -> Phase:
        if now < self._down_until:
            return Phase.DOWN
        if now < self._ready_at:
            return Phase.BOOTING
        if self.paused:
            return Phase.PAUSED
        if now < self._tripped_until:
            return Phase.TRIPPED
        return Phase.HASHING if self.pool_alive else Phase.NO_WORK

    @property
    def reachable(self) -> bool:
        """Whether its control board answers."""
        return self.look().phase is not Phase.DOWN

    @property
    def uptime_s(self) -> float:
        """Seconds since its control board started."""
        return max(0.0, self._clock() - self._booted_at)

    @property
    def hash_ths(self) -> float:
        """TH/s now: what its watts above idle compute."""
        if self.phase is not Phase.HASHING:
            return 0.0
        spec = self.spec
        share = (self.power_w - spec.idle_w) / (spec.full_w * spec.draw_ratio - spec.idle_w)
        return spec.hash_ths * max(0.0, share)

    def look(self) -> "Machine":
        """Let the time pass that has passed, and return it."""
        now = self._clock()
        while self._at < now:
            self._step(min(_STEP_S, now - self._at))
        return self

    def _step(self, dt_s: float) -> None:
        spec, phase = self.spec, self._phase_at(self._at)
        goal_w = self._goal_w(phase)
        falling = phase is not Phase.HASHING
        before_w = self.power_w
        self.power_w = _toward(self.power_w, goal_w, dt_s, spec.pause_s if falling else spec.rise_s)
        self.meter_w = _toward(self.meter_w, self.power_w, dt_s, spec.meter_lag_s)
        self.chip_c = _toward(self.chip_c, self._goal_c(), dt_s, spec.heat_s)
        self.energy_j += dt_s * (before_w + self.power_w) / 2
        self.shares += self.hash_ths * 1e12 * dt_s / _SHARE_HASHES
        self._at += dt_s
        if phase is Phase.HASHING and self.chip_c >= spec.trip_c:
            self.trips += 1
            self._tripped_until = self._at + TRIP_REST_S
            self.target_w = max(spec.lowest_w, self.target_w * TRIP_FACTOR)

    def _goal_w(self, phase: Phase) -> float:
        if phase is Phase.DOWN:
            return 0.0
        if phase is not Phase.HASHING:
            return self.spec.idle_w
        return self.target_w * self.spec.draw_ratio

    def _goal_c(self) -> float:
        return self.room_c + self.spec.rise_c * self.power_w / self.spec.full_w

    def set_target(self, target_w: float, *, reboot: bool = False) -> None:
        """Set what it should draw at work."""
        self.look()
        self.target_w = target_w
        if reboot:
            self.reboot()

    def pause(self) -> None:
        """Stop hashing."""
        self.look()
        self.paused = True

    def resume(self) -> None:
        """Hash again: chips are ramped up anew."""
        self.look()
        if self.paused:
            self.paused = False
            self.starts += 1

    def interrupt(self) -> None:
        """The mining program starts anew, the control board stays up."""
        self.look()
        self._ready_at = self._clock() + self.spec.boot_s

    def reboot(self) -> None:
        """The control board restarts; a pause is forgotten unless this model keeps it."""
        self.look()
        now = self._clock()
        self._down_until = now + self.spec.down_s
        self._booted_at = self._down_until
        self._ready_at = self._down_until + self.spec.boot_s
        self._tripped_until = 0.0
        self.reboots += 1
        self.starts += 1
        if not self.spec.keeps_pause:
            self.paused = False


def _toward(value: float, goal: float, dt_s: float, tau_s: float) -> float:
    """Return `value` after `dt_s` on its way to `goal`; never quite there, so it is snapped."""
    if tau_s <= 0:
        return goal
    there = goal + (value - goal) * math.exp(-dt_s / tau_s)
    return goal if abs(there - goal) < 0.01 else there
