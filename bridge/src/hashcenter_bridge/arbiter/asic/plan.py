"""How an ASIC should stand: the policy as an ordered list, the first that applies decides.

1. Stop all: paused; what cannot be paused goes to its lowest setting.
2. Hands off, no `allow_control`, just started: what runs is kept as it is. What Stop all had
   interrupted goes on.
3. A person's hand is left alone, inside the owner's and the circuit's limit.
4. The lease, the lowest setting when the house is silent, the owner's safe state: the highest
   setting that fits. Below its lowest one it is paused.
"""

from dataclasses import dataclass
from typing import Final

from ..leases import Aim, aim
from ..types import CONTROL_OFF
from .hand import standing
from .knob import Knob
from .starts import in_words
from .types import AsicRules, AsicSeen, AsicState, House, Setting, Stand

#: A setting stays while its watts are so near to what is asked for.
_NEAR: Final = 0.03
_OVER: Final = 0.02
#: What runs is not stopped for a few watts: its lowest setting may draw so much more.
_LOWEST_OVER: Final = 0.05
#: Where every turn is a start, a turn up must be worth it.
_WORTH_A_START: Final = 0.10
NO_CONTROL: Final = "this firmware can only be read"
UNRULY: Final = "its watts do not follow its setting: it rests for an hour"
HANDS_OFF: Final = "the owner's file says hands off"


@dataclass(frozen=True)
class Plan:
    """How it should stand (None: leave it), and why. `most_w` bounds it for any purpose."""

    stand: Stand | None
    reason: str
    most_w: float


@dataclass(frozen=True)
class _Owner:
    max_w: float
    safe_w: float
    no_control: str | None


def can_be_told(seen: AsicSeen, knob: Knob) -> bool:
    """Return whether anything can be changed at all."""
    return seen.can.can_pause or knob.exists


def most_w(rules: AsicRules, knob: Knob) -> float:
    """Return the most it may draw: its own highest setting, or less by its owner's word."""
    return knob.max_w if rules.max_w is None else min(rules.max_w, knob.max_w)


def plan(
    state: AsicState, seen: AsicSeen, knob: Knob, rules: AsicRules, house: House, now: float
) -> Plan:
    """Return how it should stand now."""
    there = standing(state, seen)
    owner = _Owner(most_w(rules, knob), rules.safe_w, None if rules.allow_control else CONTROL_OFF)
    aimed = aim(
        state.lease,
        owner,
        knob.min_w,
        now,
        stopped=house.stopped,
        adopted_until=state.adopted_until,
    )
    if not can_be_told(seen, knob):
        return Plan(None, NO_CONTROL, aimed.cap_w)
    if house.stopped:
        return Plan(_halted(seen, there, knob), aimed.reason, owner.max_w)
    if rules.hands_off or not rules.allow_control:
        reason = HANDS_OFF if rules.hands_off else aimed.reason
        return Plan(Stand(True) if state.interrupted else None, reason, owner.max_w)
    if now < state.hold_until:
        reason = (
            "changed by hand on the machine itself: left alone for another "
            f"{in_words(state.hold_until - now)}"
        )
        return Plan(_capped(there, seen, knob, aimed.cap_w), reason, aimed.cap_w)
    if aimed.power_w is None:
        return Plan(_capped(there, seen, knob, aimed.cap_w), aimed.reason, aimed.cap_w)
    return _heated(state, seen, there, knob, aimed, now)


def _heated(
    state: AsicState, seen: AsicSeen, there: Stand, knob: Knob, aimed: Aim, now: float
) -> Plan:
    power_w, reason = aimed.power_w or 0.0, aimed.reason
    if now < state.unruly_until:
        return Plan(_halted(seen, there, knob), UNRULY, aimed.cap_w)
    if now < state.shy_until and power_w > state.shy_w:
        power_w = state.shy_w
        reason += f", but it has protected itself: no more than {power_w:.0f} W"
    runs_on = there.hashes and power_w > 0
    least_w = knob.min_w * (1 - (_LOWEST_OVER if runs_on else _OVER))
    if power_w < least_w:
        if power_w > 0:
            reason += f", but its lowest setting draws {knob.min_w:.0f} W"
        return Plan(_halted(seen, there, knob), reason, aimed.cap_w)
    if not there.hashes and not aimed.raises:
        return Plan(Stand(False), aimed.reason, aimed.cap_w)
    setting = _setting(power_w, seen, there, knob, aimed)
    return Plan(Stand(True, setting), reason, aimed.cap_w)


def _setting(
    power_w: float, seen: AsicSeen, there: Stand, knob: Knob, aimed: Aim
) -> Setting | None:
    """Return where its knob should be; where it is, if that is near enough."""
    setting = knob.setting_for(power_w)
    if not there.hashes or there.setting is None or setting is None:
        return setting
    now_w, then_w = knob.watts(there.setting), knob.watts(setting)
    if then_w > now_w and not aimed.raises:
        return there.setting
    over_w = min(power_w * (1 + _OVER), aimed.cap_w)
    if now_w > over_w and not knob.same(there.setting, setting):
        return setting
    near_w = max(power_w * _NEAR, 0.0 if seen.can.steps else knob.step_w)
    if seen.can.reboots_on_set:
        near_w = max(near_w, _WORTH_A_START * power_w)
    return there.setting if then_w - now_w <= near_w else setting


def _halted(seen: AsicSeen, there: Stand, knob: Knob) -> Stand | None:
    """Return how it stands when it should not heat: paused, or as low as it goes."""
    if seen.can.can_pause:
        return Stand(False)
    return Stand(True, knob.lowest) if there.hashes and knob.exists else None


def _capped(there: Stand, seen: AsicSeen, knob: Knob, cap_w: float) -> Stand | None:
    """Return how it stands inside a limit if it is left alone otherwise: None as it is."""
    if not there.hashes or knob.watts(there.setting) <= cap_w * (1 + _LOWEST_OVER):
        return None
    if knob.exists and knob.min_w <= cap_w * (1 + _LOWEST_OVER):
        return Stand(True, knob.setting_for(cap_w))
    return _halted(seen, there, knob)
