"""The electricity of a house by the second: rigs, miners, what people switch on, a power cut.

A device takes what was asked after a delay and draws one value per second. A GPU rig follows its
limit within seconds; a miner sleeps, boots for minutes with a peak, creeps to its watts, sometimes
ignores "off", rests after a stop, and starts by itself after a power cut.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
_S: Final = np.arange(60, dtype=np.float64)


@dataclass(frozen=True)
class GpuOf:
    """A GPU rig. Bursts are questions: (start, end) in minutes."""

    name: str
    idle_w: float
    min_w: float
    max_w: float
    draw_share: float
    circuit: str
    questions: tuple[tuple[int, int], ...]
    delay_s: int
    value_per_kwh: float = 0.0
    boot_s: float = 100.0

    @property
    def unattended_w(self) -> float:
        """A machine that boots draws about twice its idle watts."""
        return 2.0 * self.idle_w


@dataclass(frozen=True)
class AsicOf:
    """A miner. `stored_w` is its own setting: what it does after its own reboot (0: it sleeps)."""

    name: str
    idle_w: float
    min_w: float
    max_w: float
    step_w: float
    circuit: str
    boot_s: float
    peak_w: float
    stored_w: float
    draw_share: float
    w_per_s: float
    delay_s: int
    ignores_off: float
    value_per_kwh: float = 0.0
    rest_s: float = 600.0

    @property
    def unattended_w(self) -> float:
        """What it draws when nobody talks to it."""
        return max(self.stored_w * 1.04, self.idle_w)


class Gpu:
    """A GPU rig's watts."""

    starts = 0

    def __init__(self, of: GpuOf, rng: np.random.Generator) -> None:
        self.of = of
        self._noise = 1.0 + np.minimum(rng.normal(0.0, 0.004, 4096), 0.012)
        self._asked_in = {one for start, end in of.questions for one in range(start, end)}
        self._later = np.exp(-np.maximum(_S - of.delay_s, 0.0) / 3.0)
        self.power_w = of.idle_w
        self.asked_w = 0.0
        self.cap_w: float | None = None
        self._enforced_w: float | None = None
        self.booting_s = 0.0
        self.minute_mean_w = of.idle_w

    @property
    def enforced_w(self) -> float:
        """The limit as it was read back."""
        cap_w = self._enforced_w
        return self.of.max_w if cap_w is None else min(cap_w, self.of.max_w)

    @property
    def hashing(self) -> bool:
        """Whether it hashes."""
        return self.asked_w >= self.of.min_w and self.booting_s <= 0

    def ask(self, power_w: float, cap_w: float | None, minute: int) -> None:
        """Take a lease."""
        self.asked_w, self.cap_w = power_w, cap_w

    def questions(self, minute: int) -> bool:
        """Return whether somebody asks in this minute."""
        return minute in self._asked_in

    def cut(self) -> None:
        """Lose the mains."""
        self.booting_s, self.asked_w, self.cap_w = self.of.boot_s, 0.0, None
        self.power_w = 0.0

    def seconds(self, minute: int, *, mains: bool) -> Seconds:
        """Return the draw in each second of this minute."""
        of = self.of
        if not mains:
            self.cut()
            self.minute_mean_w = 0.0
            return np.zeros(60)
        if self.booting_s > 0:
            self.booting_s -= 60.0
            self.power_w = of.unattended_w * 0.9
            self.minute_mean_w = self.power_w
            return np.full(60, self.power_w)
        before = self.power_w
        cap_w = of.max_w if self.cap_w is None else min(self.cap_w, of.max_w)
        target = of.idle_w
        if self.asked_w >= of.min_w:
            target = min(self.asked_w, of.max_w) * of.draw_share
        if self.questions(minute):
            target = max(cap_w * of.draw_share, of.idle_w)
        draw: Seconds = target + (before - target) * self._later
        self._enforced_w = self.cap_w
        start = (minute * 61) % 4000
        draw *= self._noise[start : start + 60]
        self.power_w = float(draw[-1])
        self.minute_mean_w = float(draw.mean())
        return draw


class Asic:
    """A miner's watts. `phase`: asleep, booting, hashing."""

    def __init__(self, of: AsicOf, rng: np.random.Generator) -> None:
        self.of = of
        self._noise = 1.0 + np.minimum(rng.normal(0.0, 0.004, 4096), 0.012)
        self._chance = rng
        self.phase = "asleep"
        self.power_w = of.idle_w
        self.asked_w = 0.0
        self.cap_w: float | None = None
        self.setting_w = of.stored_w
        self.boots_s = 0.0
        self.rests_until = -1e9
        self.deaf_until = -1e9
        self.starts = 0
        self.minute_mean_w = of.idle_w
        #: Whether anybody has a lease on it; a power cut ends it.
        self.leased = False

    @property
    def hashing(self) -> bool:
        """Whether it hashes."""
        return self.phase == "hashing"

    def ask(self, power_w: float, _cap_w: float | None, minute: int) -> None:
        """Take a lease."""
        turned_off = power_w <= 0 < self.asked_w
        if turned_off and self._chance.random() < self.of.ignores_off:
            self.deaf_until = minute + self._chance.uniform(2.0, 8.0)
        self.asked_w, self.leased = power_w, True

    def resting(self, minute: int) -> bool:
        """Return whether its rig holds it back from a start."""
        return self.phase == "asleep" and minute * 60.0 < self.rests_until

    def cut(self) -> None:
        """Lose the mains; afterwards it follows its own setting."""
        if self.phase != "asleep":
            self.phase = "cut"
        self.power_w, self.leased = 0.0, False

    def seconds(self, minute: int, *, mains: bool) -> Seconds:
        """Return the draw in each second of this minute."""
        of = self.of
        if not mains:
            self.cut()
            self.minute_mean_w = 0.0
            return np.zeros(60)
        if self.phase == "cut" or (self.phase == "asleep" and self.power_w == 0.0):
            # It starts by itself, as its own setting says.
            self.phase = "asleep"
            if of.stored_w > 0:
                self.setting_w = of.stored_w
                self._boot()
        deaf = minute < self.deaf_until
        draw = np.empty(60)
        at = 0
        if self.leased and not deaf:
            at = of.delay_s
            draw[:at] = self._go_on(at)
            if self.asked_w > 0:
                self.setting_w = min(max(self.asked_w, of.min_w), of.max_w)
                if self.phase == "asleep" and not self.resting(minute):
                    self._boot()
            elif self.phase != "asleep":
                self.phase = "asleep"
                self.rests_until = minute * 60.0 + of.rest_s
        draw[at:] = self._go_on(60 - at)
        start = (minute * 59) % 4000
        draw *= self._noise[start : start + 60]
        self.power_w = float(draw[-1])
        self.minute_mean_w = float(draw.mean())
        return draw

    def _boot(self) -> None:
        self.phase, self.boots_s = "booting", self.of.boot_s
        self.starts += 1

    def _go_on(self, seconds: int) -> Seconds:
        """Return the next `seconds` of draw (without noise)."""
        of = self.of
        if self.phase == "asleep":
            low = np.maximum(self.power_w - 200.0 * np.arange(1, seconds + 1), of.idle_w)
            if seconds:
                self.power_w = float(low[-1])
            return np.asarray(low[:seconds])
        target = self.setting_w * of.draw_share
        out = np.empty(seconds)
        for second in range(seconds):
            if self.phase == "booting":
                self.boots_s -= 1.0
                if self.boots_s > 20.0:
                    self.power_w = of.idle_w * 3.0
                else:  # the chips wake up all at once, whatever was asked
                    self.power_w = of.peak_w / 1.012
                if self.boots_s <= 0:
                    self.phase = "hashing"
                    self.power_w = min(of.min_w, target)
            else:
                change = target - self.power_w
                if abs(change) < 0.5:
                    out[second:] = target
                    self.power_w = target
                    break
                self.power_w += max(-3.0 * of.w_per_s, min(of.w_per_s, change))
                self.power_w = max(target, self.power_w) if change < 0 else self.power_w
            out[second] = self.power_w
        return out
