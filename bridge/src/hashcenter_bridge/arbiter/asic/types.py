"""What the arbiter is shown of an ASIC, what it remembers of it, and what it wants of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from ...wire.values import Activity, Capabilities, Effect
from ..types import Lease, Track

#: Where a knob stands: watts or percent as a number, a step by its name.
Setting: TypeAlias = float | str

DAY_S: Final = 86_400.0


@dataclass(frozen=True)
class AsicRules:
    """What the owner wrote down for one ASIC; nothing that comes over the wire widens it.

    `max_w` is None where the machine's own limit is the only one. `starts_per_day` may be exceeded
    by `spare_starts` after a power cut and against frost.
    """

    max_w: float | None = None
    safe_w: float = 0.0
    coast_s: float = 1800.0
    allow_control: bool = False
    hands_off: bool = False
    starts_per_day: int = 6
    spare_starts: int = 2
    #: So long it rests between a stop and the next start.
    rest_s: float = 600.0


@dataclass(frozen=True)
class AsicSeen:
    """An ASIC now; None is unknown. `age_s` is the age of its last own reading.

    `look` counts the looks at it; `looked` is the number of the last act that was over when the
    latest began, `refused` why that act failed, if it did. `pool_connected` False: there is no
    work. `fault` bars it from being asked for heat.
    """

    can: Capabilities
    activity: Activity
    age_s: float
    power_w: float | None = None
    hash_rate_mhs: float | None = None
    setting: Setting | None = None
    pool_connected: bool | None = None
    uptime_s: float | None = None
    protecting: str | None = None
    fault: str | None = None
    look: int = 0
    looked: int = 0
    refused: str | None = None


class Verb(StrEnum):
    """What can be done to an ASIC."""

    PAUSE = "pause"
    RESUME = "resume"
    SET = "set"
    RESTART = "restart"


@dataclass(frozen=True)
class Act:
    """Something to be done now, once; `number` tells it from the last. `lowers`: do not wait."""

    number: int
    verb: Verb
    setting: Setting | None = None
    lowers: bool = False


@dataclass(frozen=True)
class Stand:
    """How a machine stood, or is to stand: hashing at a setting, or not hashing."""

    hashes: bool
    setting: Setting | None = None


@dataclass(frozen=True)
class AsicState:
    """What the arbiter remembers of one ASIC.

    Asking: the `lease`; what ran at the start is kept until `adopted_until`; a person's hand holds
    until `hold_until`; it hashed by itself when a person stopped everything (`interrupted`).

    Wear: the times it was started (`starts`, the newest last), when it stopped hashing, until when
    it is not started because it would not, and rests because its watts do not follow.

    Acting: `act`, the last one asked for `act_at` (the `tries`th time in a row, the `acts`th of
    all) and not yet seen to have come true; where the knob was `set_to`; until when it is known to
    take no setting while it is paused; `ours` is how it stood when it last was as we wanted it, so
    that a difference later has another cause.

    Seeing: the last `look`; whether it hashed then and where the knob stood, since `steady_since`;
    when it booted by its own clock, and when we saw that it had; whether it was `silent`. It has
    protected itself, so not above `shy_w` until `shy_until`. `ratios` are measured watts per
    nominal watt along its knob; `track` is how it follows its target, that of `aimed`.
    """

    lease: Lease | None = None
    adopted_until: float = 0.0
    hold_until: float = 0.0
    interrupted: bool = False

    starts: tuple[float, ...] = ()
    stopped_at: float | None = None
    barred_until: float = 0.0
    unruly_until: float = 0.0

    acts: int = 0
    act: Act | None = None
    act_at: float = float("-inf")
    tries: int = 0
    set_to: Setting | None = None
    unset_until: float = 0.0
    ours: Stand | None = None

    look: int = 0
    steady: Stand | None = None
    steady_since: float = 0.0
    booted_at: float | None = None
    boot_seen_at: float | None = None
    silent: bool = False
    shy_until: float = 0.0
    shy_w: float = 0.0
    ratios: Mapping[str, float] = field(default_factory=dict)
    aimed: Stand | None = None
    track: Track | None = None


@dataclass(frozen=True)
class House:
    """What all ASICs of a bridge share: Stop all, and whether one may start now."""

    stopped: bool = False
    may_start: bool = True


@dataclass(frozen=True)
class AsicWanted:
    """What an ASIC should be, what it could be asked for now, and why. `act` closes the gap."""

    hashes: bool | None
    setting: Setting | None
    target_w: float | None
    effect: Effect | None
    since: float | None
    reason: str
    available_w: float
    available_why: str
    min_w: float
    max_w: float
    starts_left: int
    hold_s: float | None = None
    act: Act | None = None
    starting: bool = False
