"""What each GPU's limit should be: what the bridge was granted while it renews, else the safe one.

`decide(state, seen, rules, now) -> (state, wanted)`. A limit that was granted is what the house may
count on: when the bridge falls silent the limit goes down to the owner's safe one and never above
what was granted last (a card's factory default may be more than its breaker allows).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

#: Nearer to the wanted limit than this is there: drivers round to a watt or so.
CLOSE_W: Final = 1.5


@dataclass(frozen=True)
class GpuRules:
    """The owner's watts for one GPU. `max_w` None: what the driver allows."""

    safe_w: float
    max_w: float | None = None


@dataclass(frozen=True)
class GpuSeen:
    """A GPU now. `limit_w` is the enforced limit, None if it cannot be read."""

    uid: str
    min_w: float
    max_w: float
    default_w: float
    limit_w: float | None


@dataclass(frozen=True)
class State:
    """What is remembered. `granted` are the last limits by uid; at `held_until` the bridge is gone.

    `released`: the owner let go of the limits; nothing is touched until a bridge asks again.
    """

    granted: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    held_until: float = 0.0
    released: bool = False

    def with_grant(self, uid: str, power_w: float) -> "State":
        """Return the state after the bridge was granted a limit."""
        granted = {**self.granted, uid: power_w}
        return replace(self, granted=MappingProxyType(granted), released=False)


def clamp(gpu: GpuSeen, rules: GpuRules, power_w: float) -> float:
    """Return `power_w` inside the driver's range and below the owner's `max_w`.

    An owner's limit below what the card can do becomes the card's lowest.
    """
    most_w = gpu.max_w if rules.max_w is None else min(gpu.max_w, rules.max_w)
    return max(gpu.min_w, min(power_w, most_w))


def decide(
    state: State, seen: Iterable[GpuSeen], rules: Mapping[str, GpuRules], now: float
) -> tuple[State, Mapping[str, float]]:
    """Return what to remember, and the limits in watts that have to be set now, by uid.

    While a bridge holds the limits it moves them itself; only one above what was granted (a driver
    that was loaded again, another program) is taken back.
    """
    if state.released:
        return state, {}
    held = now < state.held_until
    wanted: dict[str, float] = {}
    granted = dict(state.granted)
    for gpu in seen:
        if held:
            most_w = granted.get(gpu.uid)
            if most_w is not None and gpu.limit_w is not None and gpu.limit_w > most_w + CLOSE_W:
                wanted[gpu.uid] = most_w
            continue
        safe_w = clamp(gpu, rules[gpu.uid], rules[gpu.uid].safe_w)
        target_w = granted[gpu.uid] = min(safe_w, granted.get(gpu.uid, safe_w))
        if gpu.limit_w is None or abs(gpu.limit_w - target_w) > CLOSE_W:
            wanted[gpu.uid] = target_w
    return replace(state, granted=MappingProxyType(granted)), wanted
