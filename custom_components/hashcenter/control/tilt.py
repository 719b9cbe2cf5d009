"""Which workload the house favors: its owner's word, or what cold, price, sun or the hour says.

A policy begins to favor a workload at the owner's threshold and lets go of it only clearly on the
other side, at most every ten minutes: a favor that flaps would set heaters anew each time. A figure
that is not known changes nothing for an hour, then nothing is favored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from enum import StrEnum
from typing import Final

from ..wire.values import Favor

#: How far back over its threshold a figure has to be.
_LETS_GO_K: Final = 1.0
_LETS_GO_SHARE: Final = 0.05
_DWELL_S: Final = 600.0
_UNKNOWN_S: Final = 3_600.0


class Tilt(StrEnum):
    """What decides which workload is favored: a person, or one of the policies."""

    MANUAL = "manual"
    OUTDOOR = "outdoor"
    PRICE = "price"
    SOLAR = "solar"
    TIME = "time"


@dataclass(frozen=True)
class TiltPlan:
    """Where the policies favor which workload; in between, neither.

    Outdoor: cold favors inference, warmth hashing. Price: dear power favors inference, cheap power
    hashing. Solar: enough surplus favors hashing. Time: inference between two hours of the day
    (HH:MM:SS, over midnight if the second is earlier).
    """

    inference_below_c: float = 0.0
    hashing_above_c: float = 10.0
    inference_above_price: float | None = None
    hashing_below_price: float | None = None
    hashing_above_surplus_w: float = 500.0
    inference_from: str = "17:00:00"
    inference_to: str = "23:00:00"


@dataclass(frozen=True)
class TiltSeen:
    """What the policies look at. None is unknown; `local_time` is the house's clock."""

    local_time: time
    outdoor_c: float | None = None
    price_per_kwh: float | None = None
    surplus_w: float | None = None


class TiltCode(StrEnum):
    """Why a workload is favored, or none. The values are in brackets."""

    MANUAL = "manual"
    #: [outdoor_c, limit_c], [outdoor_c].
    COLD = "cold"
    WARM = "warm"
    MILD = "mild"
    #: [price_per_kwh, limit_per_kwh], [price_per_kwh].
    DEAR = "dear"
    CHEAP = "cheap"
    USUAL_PRICE = "usual_price"
    #: [surplus_w].
    SURPLUS = "surplus"
    NO_SURPLUS = "no_surplus"
    #: [from, to].
    IN_HOURS = "in_hours"
    OUT_OF_HOURS = "out_of_hours"
    #: What the policy looks at is not known [].
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TiltReason:
    """Why it is favored, and the figures its sentence needs."""

    code: TiltCode = TiltCode.MANUAL
    values: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class TiltMemory:
    """What is favored now and since when (seconds since 1970), and by which policy.

    After a restart begin with the favor that held: `TiltMemory(favor)`. Nothing jumps then.
    """

    favor: Favor = Favor.BALANCED
    policy: Tilt | None = None
    reason: TiltReason = field(default_factory=TiltReason)
    changed_at: float = 0.0
    unknown_since: float = 0.0


def tilt(
    memory: TiltMemory, policy: Tilt, chosen: Favor, plan: TiltPlan, seen: TiltSeen, now: float
) -> TiltMemory:
    """Return the memory with the favor that holds from `now` on.

    `chosen` is what a person picked; it holds as long as no policy does.
    """
    if policy is Tilt.MANUAL:
        same = memory.policy is policy and memory.favor is chosen
        return memory if same else TiltMemory(chosen, policy, TiltReason(), now)
    changed_policy = memory.policy is not None and memory.policy is not policy
    before = Favor.BALANCED if changed_policy else memory.favor
    since = 0.0 if changed_policy else memory.changed_at
    favor, reason = _POLICIES[policy](plan, seen, before)
    unknown_since = 0.0
    if reason.code is TiltCode.UNKNOWN:
        unknown_since = memory.unknown_since or now
        if not changed_policy and 0 <= now - unknown_since < _UNKNOWN_S:
            return replace(memory, policy=policy, unknown_since=unknown_since)
    elif favor is not before and 0 <= now - since < _DWELL_S:
        return replace(memory, policy=policy, unknown_since=0.0)
    changed_at = since if favor is before and since else now
    return TiltMemory(favor, policy, reason, changed_at, unknown_since)


_UNKNOWN: Final = (Favor.BALANCED, TiltReason(TiltCode.UNKNOWN))


def _by_outdoor(plan: TiltPlan, seen: TiltSeen, before: Favor) -> tuple[Favor, TiltReason]:
    outdoor_c = seen.outdoor_c
    if outdoor_c is None:
        return _UNKNOWN
    cold_c, warm_c = plan.inference_below_c, plan.hashing_above_c
    if outdoor_c < cold_c + (_LETS_GO_K if before is Favor.INFERENCE else 0.0):
        values = {"outdoor_c": outdoor_c, "limit_c": cold_c}
        return Favor.INFERENCE, TiltReason(TiltCode.COLD, {**values})
    if outdoor_c > warm_c - (_LETS_GO_K if before is Favor.HASHING else 0.0):
        values = {"outdoor_c": outdoor_c, "limit_c": warm_c}
        return Favor.HASHING, TiltReason(TiltCode.WARM, {**values})
    return Favor.BALANCED, TiltReason(TiltCode.MILD, {"outdoor_c": outdoor_c})


def _by_price(plan: TiltPlan, seen: TiltSeen, before: Favor) -> tuple[Favor, TiltReason]:
    price = seen.price_per_kwh
    if price is None:
        return _UNKNOWN
    dear, cheap = plan.inference_above_price, plan.hashing_below_price
    if dear is not None and price > dear - _margin(dear, holds=before is Favor.INFERENCE):
        values = {"price_per_kwh": price, "limit_per_kwh": dear}
        return Favor.INFERENCE, TiltReason(TiltCode.DEAR, {**values})
    if cheap is not None and price < cheap + _margin(cheap, holds=before is Favor.HASHING):
        values = {"price_per_kwh": price, "limit_per_kwh": cheap}
        return Favor.HASHING, TiltReason(TiltCode.CHEAP, {**values})
    return Favor.BALANCED, TiltReason(TiltCode.USUAL_PRICE, {"price_per_kwh": price})


def _margin(limit: float, *, holds: bool) -> float:
    return _LETS_GO_SHARE * abs(limit) if holds else 0.0


def _by_solar(plan: TiltPlan, seen: TiltSeen, before: Favor) -> tuple[Favor, TiltReason]:
    surplus_w = seen.surplus_w
    if surplus_w is None:
        return _UNKNOWN
    values = {"surplus_w": surplus_w}
    # What the favor adds to the load comes off the surplus: it ends when nothing is left of it.
    enough_w = 0.0 if before is Favor.HASHING else plan.hashing_above_surplus_w
    if surplus_w > enough_w:
        return Favor.HASHING, TiltReason(TiltCode.SURPLUS, {**values})
    return Favor.BALANCED, TiltReason(TiltCode.NO_SURPLUS, {**values})


def _by_time(plan: TiltPlan, seen: TiltSeen, before: Favor) -> tuple[Favor, TiltReason]:
    values = {"from": plan.inference_from, "to": plan.inference_to}
    begins, ends = time.fromisoformat(values["from"]), time.fromisoformat(values["to"])
    if is_within(seen.local_time, begins, ends):
        return Favor.INFERENCE, TiltReason(TiltCode.IN_HOURS, {**values})
    return Favor.BALANCED, TiltReason(TiltCode.OUT_OF_HOURS, {**values})


def is_within(moment: time, begins: time, ends: time) -> bool:
    """Return whether the hours from `begins` to `ends` hold `moment`, over midnight if need be.

    The same hour twice is the whole day.
    """
    if begins < ends:
        return begins <= moment < ends
    return moment >= begins or moment < ends


_POLICIES: Final = {
    Tilt.OUTDOOR: _by_outdoor,
    Tilt.PRICE: _by_price,
    Tilt.SOLAR: _by_solar,
    Tilt.TIME: _by_time,
}
