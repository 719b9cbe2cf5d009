"""What the arbiter is shown, what it remembers, and what it wants, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ..wire.values import Effect, Favor, LeasePhase

#: Why nobody may ask, as long as the owner's file says nothing else.
CONTROL_OFF = "the rig's owner has not turned control on (allow_control)"


class Running(StrEnum):
    """Where a program stands. One that is stopping may still work until it is gone."""

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    PAUSED = "paused"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True)
class Rules:
    """What the rig's owner wrote down; nothing that comes over the wire widens it.

    `max_w`, `safe_w` and `base_w` are watts at the wall. `safe_w` is what the heater may draw when
    nobody leases it. Loss: wall watts = devices / `psu_efficiency` + `base_w`. `rival`: another
    program sets these devices, too; in words.
    """

    heater: str
    max_w: float
    safe_w: float = 0.0
    base_w: float = 0.0
    psu_efficiency: float = 1.0
    coast_s: float = 1800.0
    max_temp_c: float = 85.0
    allow_control: bool = False
    resume_after_s: float = 3.0
    pause_patience_s: float = 3.0
    load_patience_s: float = 120.0
    max_waiting: int = 16
    rival: str | None = None

    @property
    def no_control(self) -> str | None:
        """Why nobody may ask for anything, None if somebody may."""
        return self.rival if self.allow_control else CONTROL_OFF


@dataclass(frozen=True)
class DeviceSeen:
    """A device now. `min_w`..`max_w` is its power limit's range; `adjustable` is False without one.

    `age_s` is the age of its last own reading; `foreign` says that somebody else's program is on
    it, `foreign_why` in which way. `noise_w` is by how much its draw wanders at least. `free_mib`
    of its memory are free; what none of our programs holds are `strangers_mib`.
    """

    uid: str
    idle_w: float
    min_w: float
    max_w: float
    adjustable: bool
    power_w: float | None
    limit_w: float | None
    temp_c: float | None
    age_s: float
    settle_s: float = 15.0
    foreign: bool = False
    fault: str | None = None
    noise_w: float = 30.0
    foreign_why: str = "another program uses it"
    memory_mib: float | None = None
    free_mib: float | None = None
    strangers_mib: float | None = None


@dataclass(frozen=True)
class MinerSeen:
    """A mining program; `devices` are what it hashes on, `owned` if the bridge may start it.

    One that does not pause (`pauses`) is stopped wherever another would be paused.
    `leaving`: it no longer hashes, but its process is not gone yet. `needs`: MiB by device.
    """

    name: str
    devices: tuple[str, ...]
    owned: bool
    running: Running
    pool_connected: bool | None = None
    hash_rate_hs: float | None = None
    why: str = ""
    pauses: bool = True
    leaving: bool = False
    needs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RunnerSeen:
    """An answering program; `models` are the ids it serves. Slot 0 of several is for voice.

    `draws`: it makes pictures and answers no questions.
    `exclusive`: no miner has room beside it; `by_memory`: those have that fit beside its `needs`
    (MiB by device). Where none has, `load_s` is how long it loads, and after an answer it stays at
    least `linger_s` more. `resumes`: what it has read of a prompt is not lost
    when that is called off.
    """

    name: str
    devices: tuple[str, ...]
    running: Running
    slots: int
    models: tuple[str, ...] = ()
    why: str = ""
    exclusive: bool = False
    load_s: float | None = None
    linger_s: float = 120.0
    resumes: bool = False
    draws: bool = False
    by_memory: bool = False
    needs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TicketSeen:
    """A question, or with `draws` a picture that is wanted.

    `runner` and `slot` are where it was granted, None while it waits.

    `priority` 0 goes first. `recallable`: it was granted and can be called off, because its client
    has heard nothing yet. `said`: the runner has said its first token.
    """

    id: int
    priority: int
    opened_at: float
    model: str | None = None
    runner: str | None = None
    slot: int | None = None
    recallable: bool = False
    said: bool = False
    draws: bool = False


@dataclass(frozen=True)
class Seen:
    """Everything the arbiter is shown at once. `warm`: somebody speaks and is about to ask."""

    devices: tuple[DeviceSeen, ...] = ()
    miners: tuple[MinerSeen, ...] = ()
    runners: tuple[RunnerSeen, ...] = ()
    tickets: tuple[TicketSeen, ...] = ()
    warm: bool = False


@dataclass(frozen=True)
class Lease:
    """Watts for the heater. Active until `ends_at`, coasting until `safe_at`, then over.

    `urgent`: pipes would freeze, so the reserve of starts may be used. `dark`: its screen is off.
    """

    controller: str
    power_w: float
    cap_w: float | None
    favor: Favor | str
    ends_at: float
    safe_at: float
    urgent: bool = False
    dark: bool = False

    def phase(self, now: float) -> LeasePhase | None:
        """Return where it is between its two ends, None when it is over."""
        if now < self.ends_at:
            return LeasePhase.ACTIVE
        return LeasePhase.COASTING if now < self.safe_at else None


@dataclass(frozen=True)
class Track:
    """How a device follows its target: see `effect.py`."""

    target_w: float
    since: float
    from_w: float | None
    from_hash_hs: float | None
    hashes: bool
    effect: Effect = Effect.SETTLING
    failures: tuple[float, ...] = ()


@dataclass(frozen=True)
class State:
    """What the arbiter remembers from one decision to the next.

    `adopted_until`: after a start, what already runs is kept as it is until then or the first
    lease. `interrupted` names miners that are kept as they are and had to give way: they go on
    afterwards. `lent` are the limits of devices kept as they are, before an answer raised them.
    `cooling` names devices that were too hot. `people_until`: hashing stays paused a little after
    an answer. `above`: since when an enforced limit has been above the wanted one. `unruly`: until
    when a device rests whose watts did not follow its limit. `held_until`: how long a model stays
    that took a device from hashing, `swaps`: when it did, `unfit_until`: it could not be loaded.
    `apart`: runner and miner that have no room together; `tried`: until when that is so because it
    was tried. `short_since`: since when a model waits for memory. `foreign_until`: a device that
    somebody else used is left alone a little longer.
    """

    lease: Lease | None = None
    stopped: bool = False
    adopted_until: float = 0.0
    interrupted: frozenset[str] = frozenset()
    lent: Mapping[str, float] = field(default_factory=dict)
    people_until: Mapping[str, float] = field(default_factory=dict)
    cooling: frozenset[str] = frozenset()
    above: Mapping[str, float] = field(default_factory=dict)
    unruly: Mapping[str, float] = field(default_factory=dict)
    tracks: Mapping[str, Track] = field(default_factory=dict)
    held_until: Mapping[str, float] = field(default_factory=dict)
    unfit_until: Mapping[str, float] = field(default_factory=dict)
    swaps: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    apart: frozenset[tuple[str, str]] = frozenset()
    tried: Mapping[tuple[str, str], float] = field(default_factory=dict)
    short_since: Mapping[str, float] = field(default_factory=dict)
    foreign_until: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceWanted:
    """A device's power limit (None: leave it) and what it should draw at most because of it."""

    limit_w: float | None
    target_w: float | None
    effect: Effect | None
    since: float | None
    reason: str


@dataclass(frozen=True)
class ProgramWanted:
    """What a program should be; None leaves it as it is."""

    running: Running | None
    reason: str


@dataclass(frozen=True)
class TicketWanted:
    """A question's fate: granted to a `slot` of `runner`, refused with `code`, or it waits.

    `recall`: it was granted, and must wait again for somebody more urgent.
    """

    reason: str
    runner: str | None = None
    slot: int | None = None
    code: str | None = None
    recall: bool = False


@dataclass(frozen=True)
class HeaterWanted:
    """What the heater aims at, at the wall, what it could be asked for now, and why."""

    target_w: float | None
    effect: Effect | None
    reason: str
    available_w: float
    available_why: str


@dataclass(frozen=True)
class Wanted:
    """The whole decision."""

    heater: HeaterWanted
    devices: Mapping[str, DeviceWanted]
    miners: Mapping[str, ProgramWanted]
    runners: Mapping[str, ProgramWanted]
    tickets: Mapping[int, TicketWanted]
