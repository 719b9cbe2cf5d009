"""What has to be said to rigs, so that heaters have the leases that the house decided on.

`sayings` is an ordered list; the first rule that applies to a rig or a heater wins:

1. Stop all: every rig is stopped, nothing is leased.
2. A rig that has not heard the release of Stop all yet is released.
3. A rig that takes no requests, or that its owner stopped, is not asked.
4. Hands-off: the heater is left alone.
5. Before the house's first decision a lease of ours is renewed as it is: a restart moves nothing.
6. What the house decided: a lease, at most what the heater may take, or the end of one of ours.

`due` then says what of it has to be said now: at once when it is new or the bridge began a new run,
again before it runs out. `now` is seconds since 1970.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ..wire.values import Favor
from .people import People
from .requests import HeaterKey
from .wanted import Do, HeaterWanted

TTL_S: Final = 300.0
RENEW_S: Final = 60.0
RETRY_S: Final = 30.0


@dataclass(frozen=True)
class LeaseHeld:
    """A lease of ours that a rig follows."""

    power_w: float
    cap_w: float | None = None
    favor: Favor = Favor.BALANCED
    dark: bool = False


@dataclass(frozen=True)
class RigHeater:
    """A heater of a live rig, and the lease of ours that it has."""

    id: str
    max_w: float
    lease: LeaseHeld | None = None


@dataclass(frozen=True)
class RigLive:
    """A live rig: its run, whether it takes requests, whether it is stopped."""

    id: str
    boot_id: str
    controllable: bool
    stopped: bool
    max_ttl_s: float
    heaters: tuple[RigHeater, ...] = ()


class Action(StrEnum):
    """What is to be said to a rig."""

    LEASE = "lease"
    RELEASE = "release"
    STOP = "stop"
    RESUME = "resume"


@dataclass(frozen=True)
class Saying:
    """One thing to say to a rig; `heater` is None for what concerns the whole rig."""

    action: Action
    rig: str
    boot_id: str
    heater: str | None = None
    power_w: float = 0.0
    ttl_s: float = TTL_S
    favor: Favor = Favor.BALANCED
    cap_w: float | None = None
    urgent: bool = False
    dark: bool = False

    @property
    def target(self) -> tuple[str, str | None]:
        """What it is about; one thing at a time is said about a target."""
        return self.rig, self.heater


@dataclass(frozen=True)
class Said:
    """What was said last about a target, when, and whether the rig took it."""

    saying: Saying
    at: float
    accepted: bool


def sayings(
    people: People,
    rigs: Iterable[RigLive],
    wanted: Mapping[HeaterKey, HeaterWanted],
    *,
    decided: bool = True,
) -> tuple[Saying, ...]:
    """Return everything that should hold, rig by rig.

    `decided` is false before the house's first decision: `wanted` is then what people asked for
    since the start, and nothing is known of the other heaters.
    """
    found: list[Saying] = []
    for rig in rigs:
        if people.stopped:
            if not rig.stopped:
                found.append(Saying(Action.STOP, rig.id, rig.boot_id))
            continue
        if rig.id in people.unreleased:
            found.append(Saying(Action.RESUME, rig.id, rig.boot_id))
        elif rig.controllable and not rig.stopped:
            for heater in rig.heaters:
                key = HeaterKey(rig.id, heater.id)
                if key in people.hands_off:
                    continue
                if (one := _heater(rig, heater, wanted.get(key), decided=decided)) is not None:
                    found.append(one)
    return tuple(found)


def _heater(
    rig: RigLive, heater: RigHeater, want: HeaterWanted | None, *, decided: bool
) -> Saying | None:
    held = heater.lease
    if want is None and not decided and held is not None:
        renewed = lease(rig, heater, held.power_w, held.favor, held.cap_w)
        return replace(renewed, dark=held.dark)
    if want is None or want.do is Do.NOTHING:
        return None
    if want.do is Do.LEASE:
        return wanted_lease(rig, heater, want)
    return release(rig, heater) if held else None


def lease(
    rig: RigLive, heater: RigHeater, power_w: float, favor: Favor, cap_w: float | None = None
) -> Saying:
    """Return the lease of `power_w` watts, inside what the heater and the rig allow.

    Whole watts, rounded down: nothing in a heater is finer, and what did not really change is not
    said anew.
    """
    return Saying(
        Action.LEASE,
        rig.id,
        rig.boot_id,
        heater.id,
        power_w=float(int(min(power_w, heater.max_w) + 1e-6)),
        ttl_s=min(TTL_S, rig.max_ttl_s),
        favor=favor,
        cap_w=None if cap_w is None else float(int(cap_w + 1e-6)),
    )


def wanted_lease(rig: RigLive, heater: RigHeater, want: HeaterWanted) -> Saying:
    """Return the lease that was decided on."""
    saying = lease(rig, heater, want.power_w, want.favor, want.cap_w)
    return replace(saying, urgent=want.urgent, dark=want.dark)


def release(rig: RigLive, heater: RigHeater) -> Saying:
    """Return the end of the heater's lease."""
    return Saying(Action.RELEASE, rig.id, rig.boot_id, heater.id)


def due(saying: Saying, said: Said | None, now: float) -> bool:
    """Return whether it has to be said now, after what was `said` about the same target."""
    if said is None or said.saying != saying:
        return True
    age_s = now - said.at
    if age_s < 0 or not said.accepted:
        return age_s < 0 or age_s >= RETRY_S
    if saying.action is Action.LEASE:
        return age_s >= min(RENEW_S, saying.ttl_s / 3)
    return age_s >= RETRY_S
