"""Simulated GPUs and ASICs: their watts follow a target as the real ones' do, roughly.

First-order lags, and the noise that a real reading has: enough for a house to see numbers that
change as often as they do in reality, and effects that are reached when they should be.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Any, Final

from hashcenter_bridge.arbiter.effect import tolerance_w
from hashcenter_bridge.wire.messages import Device
from hashcenter_bridge.wire.values import (
    Activity,
    Capabilities,
    DeviceKind,
    Effect,
    PowerSource,
    Throttle,
    WattRange,
)

_GPU_READINGS: Final = (
    "power_w", "power_limit_w", "energy_kwh", "temp_c", "fan_percent", "utilization_percent",
    "memory_used_mib", "memory_total_mib", "clock_mhz", "memory_clock_mhz", "throttle",
    "foreign_processes",
)  # fmt: skip
_ASIC_READINGS: Final = (
    "power_w", "power_limit_w", "energy_kwh", "temp_c", "chip_temp_c", "fan_rpm", "hash_rate_mhs",
    "joules_per_terahash", "shares_accepted_total", "shares_rejected_total", "pool",
    "pool_connected", "uptime_s",
)  # fmt: skip
_ROOM_C: Final = 20.0
#: Hashes per second and watt: an RTX 3090's KawPow, an S19j Pro's SHA-256.
_GPU_MHS_PER_W: Final = 0.17
_ASIC_MHS_PER_W: Final = 34_500.0


@dataclass(frozen=True)
class Kind:
    """What all devices of one model have in common; watts as the device draws them.

    `lag_s` is the time constant of its watts, `k_per_w` of how far it warms up.
    """

    kind: DeviceKind
    model: str
    readings: tuple[str, ...]
    idle_w: float
    low_w: float
    high_w: float
    lag_s: float
    noise_w: float
    k_per_w: float
    settle_s: float
    step_w: float = 1.0
    start_s: float = 0.0


GPU: Final = Kind(
    DeviceKind.GPU, "GeForce RTX 3090", _GPU_READINGS, 22.0, 100.0, 350.0, 2.0, 2.0, 0.14, 15.0
)
ASIC: Final = Kind(
    DeviceKind.ASIC, "Antminer S19j Pro", _ASIC_READINGS,
    35.0, 1250.0, 3068.0, 30.0, 12.0, 0.015, 180.0, 50.0, 240.0,
)  # fmt: skip


@dataclass
class Simulated:
    """One device. `target_w` is what it aims at now: below its lowest step it rests."""

    kind: Kind
    uid: str
    name: str
    ordinal: int
    chance: random.Random
    target_w: float | None = None
    since: float = 0.0
    power_w: float = 0.0
    energy_kwh: float = 0.0
    temp_c: float = _ROOM_C
    shares: int = 0
    answering: bool = False
    _limit_w: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Begin at rest."""
        self.power_w = self.kind.idle_w
        self._limit_w = self.kind.high_w
        self.energy_kwh = round(self.chance.uniform(10, 1000), 4)

    @property
    def described(self) -> Device:
        """Return it as the inventory lists it."""
        kind = self.kind
        is_asic = kind.kind is DeviceKind.ASIC
        return Device(
            uid=self.uid,
            kind=kind.kind,
            name=self.name,
            ordinal=self.ordinal,
            model=kind.model,
            firmware="595.71.05" if not is_asic else "Braiins OS 26.04",
            mac=self.uid if is_asic else None,
            capabilities=Capabilities(
                readings=kind.readings,
                power_source=PowerSource.MEASURED,
                power_limit=WattRange(
                    min_w=kind.low_w, max_w=kind.high_w, step_w=kind.step_w, default_w=kind.high_w
                ),
                can_pause=is_asic,
                can_restart=is_asic,
                idle_w=kind.idle_w,
                nominal_w=kind.high_w,
                settle_s=kind.settle_s,
                start_s=kind.start_s,
            ),
        )

    @property
    def hashes(self) -> bool:
        """Whether its target lets it hash."""
        return self.target_w is not None and self.target_w >= self.kind.low_w

    @property
    def activity(self) -> Activity:
        """Return what it does now."""
        if self.answering:
            return Activity.ANSWERING
        if not self.hashes:
            return Activity.IDLE if self.kind.kind is DeviceKind.GPU else Activity.PAUSED
        started = self.power_w > 0.5 * self.kind.low_w
        return Activity.HASHING if started else Activity.STARTING

    @property
    def hash_rate_mhs(self) -> float:
        """Return what it hashes now, in millions a second."""
        if self.activity is not Activity.HASHING:
            return 0.0
        per_w = _GPU_MHS_PER_W if self.kind.kind is DeviceKind.GPU else _ASIC_MHS_PER_W
        return per_w * self.power_w

    @property
    def effect(self) -> Effect | None:
        """Return whether its watts have followed its target."""
        if self.target_w is None:
            return None
        aim_w = self.target_w if self.hashes else self.kind.idle_w
        reached = abs(self.power_w - aim_w) <= tolerance_w(aim_w)
        return Effect.REACHED if reached or self.answering else Effect.SETTLING

    def aim(self, target_w: float | None, now: float) -> None:
        """Take a target; the same one again changes nothing."""
        if target_w != self.target_w:
            self.target_w, self.since = target_w, now
            if self.hashes:
                assert target_w is not None
                step_w = self.kind.step_w
                self._limit_w = min(self.kind.high_w, math.floor(target_w / step_w) * step_w)

    def live(self, seconds: float) -> None:
        """Let this much time pass."""
        kind = self.kind
        aim_w = self._limit_w if self.hashes or self.answering else kind.idle_w
        self.power_w += (aim_w - self.power_w) * (1 - math.exp(-seconds / kind.lag_s))
        self.energy_kwh += self.power_w * seconds / 3.6e6
        warm_c = _ROOM_C + kind.k_per_w * self.power_w
        self.temp_c += (warm_c - self.temp_c) * (1 - math.exp(-seconds / 60))
        if self.activity is Activity.HASHING:
            self.shares += self.chance.random() < seconds / 15

    def read(self, now: float) -> dict[str, Any]:
        """Return its readings by the wire's names."""
        chance, power_w = self.chance, self.power_w
        busy = self.hashes or self.answering
        found: dict[str, Any] = {
            "power_w": round(max(0.0, power_w + chance.gauss(0, self.kind.noise_w)), 1),
            "power_limit_w": self._limit_w,
            "energy_kwh": round(self.energy_kwh, 4),
            "temp_c": float(round(self.temp_c)),
        }
        if self.kind.kind is DeviceKind.GPU:
            return found | {
                "fan_percent": float(round(min(100.0, 0.9 * self.temp_c))),
                "utilization_percent": 100.0 if busy else 0.0,
                "memory_used_mib": 21_874.0 if busy else 412.0,
                "memory_total_mib": 24_576.0,
                "clock_mhz": float(round(chance.gauss(1290, 12))) if busy else 210.0,
                "memory_clock_mhz": 9501.0 if busy else 405.0,
                "throttle": Throttle.POWER_LIMIT if self.hashes else Throttle.NONE,
                "foreign_processes": 0,
            }
        rate_mhs = self.hash_rate_mhs * chance.gauss(1, 0.02)
        return found | {
            "chip_temp_c": float(round(self.temp_c + 13)),
            "fan_rpm": float(round(1200 + 40 * (self.temp_c - _ROOM_C))),
            "hash_rate_mhs": round(rate_mhs),
            "joules_per_terahash": round(1e6 * power_w / rate_mhs, 1) if rate_mhs else 0.0,
            "shares_accepted_total": self.shares,
            "shares_rejected_total": self.shares // 500,
            "pool": "stratum+tcp://pool.example:3333",
            "pool_connected": True,
            "uptime_s": float(round(now)),
        }
