"""Which lease each heater should have, from what people asked for and what rigs say.

`decide(state, seen, now) -> (state, wanted)`, as an ordered list; the first rule that applies wins:

1. Stop all: every rig is stopped, nothing is leased.
2. A rig that has not heard the release of Stop all yet is released.
3. Hands-off: the heater is left alone.
4. A heat request whose time is over is forgotten.
5. A heat request is a lease of its watts, at most what the heater may take.
6. A lease of ours that nobody asks for any more is released.

`due` then says what of it has to be said now: at once when it is new or the bridge began a new run,
again before it runs out. `now` is seconds since 1970, so that a hold outlives a restart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from ..wire.values import Favor

TTL_S: Final = 300.0
RENEW_S: Final = 60.0
RETRY_S: Final = 30.0


class HeaterKey(NamedTuple):
    """Names one heater of one rig."""

    rig: str
    heater: str


@dataclass(frozen=True)
class HeatRequest:
    """Watts that somebody asked for, until a moment (seconds since 1970)."""

    power_w: float
    until: float


@dataclass(frozen=True)
class State:
    """What people want. `unreleased` are rigs that have not heard the end of Stop all."""

    requests: Mapping[HeaterKey, HeatRequest] = field(default_factory=lambda: MappingProxyType({}))
    hands_off: frozenset[HeaterKey] = frozenset()
    stopped: bool = False
    unreleased: frozenset[str] = frozenset()
    favor: Favor = Favor.BALANCED

    def with_request(self, key: HeaterKey, request: HeatRequest | None) -> "State":
        """Return the state with the heater's request replaced, or dropped with None."""
        others = {other: held for other, held in self.requests.items() if other != key}
        if request is not None:
            others[key] = request
        return replace(self, requests=MappingProxyType(others))


@dataclass(frozen=True)
class HeaterSeen:
    """A heater of a live rig. `leased` is whether a lease of ours is in force."""

    id: str
    max_w: float
    leased: bool


@dataclass(frozen=True)
class RigSeen:
    """A live rig: its run, whether it takes requests, whether it is stopped."""

    id: str
    boot_id: str
    controllable: bool
    stopped: bool
    max_ttl_s: float
    heaters: tuple[HeaterSeen, ...] = ()


class Action(StrEnum):
    """What is to be said to a rig."""

    LEASE = "lease"
    RELEASE = "release"
    STOP = "stop"
    RESUME = "resume"


@dataclass(frozen=True)
class Want:
    """One thing to say to a rig; `heater` is None for what concerns the whole rig."""

    action: Action
    rig: str
    boot_id: str
    heater: str | None = None
    power_w: float = 0.0
    ttl_s: float = TTL_S
    favor: Favor = Favor.BALANCED

    @property
    def target(self) -> tuple[str, str | None]:
        """What it is about; one thing at a time is said about a target."""
        return self.rig, self.heater


@dataclass(frozen=True)
class Said:
    """What was said last about a target, when, and whether the rig took it."""

    want: Want
    at: float
    accepted: bool


def decide(state: State, seen: Iterable[RigSeen], now: float) -> tuple[State, tuple[Want, ...]]:
    """Return the state without what is over, and everything that should hold, rig by rig."""
    over = [key for key, request in state.requests.items() if request.until <= now]
    for key in over:
        state = state.with_request(key, None)
    wanted: list[Want] = []
    for rig in seen:
        if state.stopped:
            if not rig.stopped:
                wanted.append(Want(Action.STOP, rig.id, rig.boot_id))
            continue
        if rig.id in state.unreleased:
            wanted.append(Want(Action.RESUME, rig.id, rig.boot_id))
        elif rig.controllable and not rig.stopped:
            wanted.extend(want for heater in rig.heaters if (want := _heater(state, rig, heater)))
    return state, tuple(wanted)


def _heater(state: State, rig: RigSeen, heater: HeaterSeen) -> Want | None:
    key = HeaterKey(rig.id, heater.id)
    if key in state.hands_off:
        return None
    if (request := state.requests.get(key)) is not None:
        return lease(rig, heater, request.power_w, state.favor)
    if heater.leased:
        return Want(Action.RELEASE, rig.id, rig.boot_id, heater.id)
    return None


def lease(rig: RigSeen, heater: HeaterSeen, power_w: float, favor: Favor) -> Want:
    """Return the lease of `power_w` watts, inside what the heater and the rig allow."""
    return Want(
        Action.LEASE,
        rig.id,
        rig.boot_id,
        heater.id,
        power_w=min(power_w, heater.max_w),
        ttl_s=min(TTL_S, rig.max_ttl_s),
        favor=favor,
    )


def due(want: Want, said: Said | None, now: float) -> bool:
    """Return whether `want` has to be said now, after what was `said` about the same target."""
    if said is None or said.want != want:
        return True
    age_s = now - said.at
    if age_s < 0 or not said.accepted:
        return age_s < 0 or age_s >= RETRY_S
    if want.action is Action.LEASE:
        return age_s >= min(RENEW_S, want.ttl_s / 3)
    return age_s >= RETRY_S
