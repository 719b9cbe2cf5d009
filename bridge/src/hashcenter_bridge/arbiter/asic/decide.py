"""One ASIC, decided: what it should be, the act that brings it there, what it could be asked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ...wire.values import Activity
from .. import effect
from ..types import CONTROL_OFF, DeviceSeen
from . import hand, plan, starts
from .acts import Next, next_act
from .knob import Knob
from .types import AsicRules, AsicSeen, AsicState, AsicWanted, House, Stand

#: A machine of a few watts wanders by less than one of some thousand.
_NOISE_SHARE: Final = 0.05
_LEAST_NOISE_W: Final = 1.0
#: How long a machine whose watts do not follow does not hash.
_REST_S: Final = 3600.0


def decide(
    state: AsicState, seen: AsicSeen, rules: AsicRules, house: House, now: float
) -> tuple[AsicState, AsicWanted]:
    """Return the new state and what the ASIC should be."""
    knob = Knob(seen.can, state.ratios)
    state = hand.notice(state, seen, knob, now)
    state = _settle(state, seen, rules, house, now)
    knob = Knob(seen.can, state.ratios)
    planned = plan.plan(state, seen, knob, rules, house, now)
    state, then = next_act(state, seen, planned.stand, planned.most_w, knob, rules, house, now)
    state, target_w = _follow(state, seen, planned.stand, then, knob, now)
    available_w, why = _available(state, seen, knob, rules, house, now)
    reason = planned.reason
    if then.blocked is not None:
        reason = f"{reason}, but {then.blocked}"
    track = state.track
    return state, AsicWanted(
        hashes=planned.stand.hashes if planned.stand else None,
        setting=planned.stand.setting if planned.stand else None,
        target_w=target_w,
        effect=track.effect if track else None,
        since=track.since if track else None,
        reason=reason,
        available_w=available_w,
        available_why=why,
        min_w=min(knob.min_w, plan.most_w(rules, knob)),
        max_w=plan.most_w(rules, knob),
        starts_left=starts.left(state, rules, now),
        hold_s=state.hold_until - now if now < state.hold_until else None,
        act=then.act,
        starting=then.starts,
    )


def _settle(
    state: AsicState, seen: AsicSeen, rules: AsicRules, house: House, now: float
) -> AsicState:
    """Let go of what is over, and remember what Stop all interrupts."""
    if state.lease and state.lease.phase(now) is None:
        state = replace(state, lease=None)
    if state.lease or house.stopped:
        state = replace(state, adopted_until=0.0)
    hashes = hand.standing(state, seen).hashes
    if house.stopped:
        by_itself = rules.hands_off or not rules.allow_control
        # A person's Stop all ends what another hand did before.
        state = replace(state, interrupted=state.interrupted or (by_itself and hashes))
        return replace(state, hold_until=0.0)
    if state.interrupted and (hashes or state.lease):
        state = replace(state, interrupted=False)
    return state


def _follow(
    state: AsicState, seen: AsicSeen, stand: Stand | None, then: Next, knob: Knob, now: float
) -> tuple[AsicState, float | None]:
    """Return the state with its track, and the watts that it is to draw (None: nothing asked)."""
    there = hand.standing(state, seen)
    waits = stand is not None and stand.hashes and not there.hashes and then.blocked is not None
    if stand is None or waits:
        track = state.track
        # What has failed today is remembered while nothing is asked.
        track = replace(track, hashes=False) if track else None
        return replace(state, track=track, aimed=None), None
    target_w = knob.watts(stand.setting) if stand.hashes else knob.idle_w
    track = state.track
    if track is not None and state.aimed == stand and track.hashes == stand.hashes:
        # What is learned of its watts meanwhile is no new target.
        target_w = track.target_w
    device = DeviceSeen(
        uid="",
        idle_w=knob.idle_w,
        min_w=knob.min_w,
        max_w=knob.max_w,
        adjustable=stand.hashes and stand.setting is not None and seen.setting is not None,
        power_w=_witnessed_w(seen, stand, knob),
        limit_w=knob.watts(there.setting) if there.hashes else None,
        temp_c=None,
        age_s=seen.age_s,
        settle_s=seen.can.settle_s + (seen.can.start_s if stand.hashes else 0.0),
        noise_w=min(effect.NOISE_W, max(_LEAST_NOISE_W, _NOISE_SHARE * knob.nominal_w)),
    )
    hash_hs = None if seen.hash_rate_mhs is None else seen.hash_rate_mhs * 1e6
    limit_w = knob.watts(stand.setting) if stand.hashes else target_w
    track = effect.follow(track, target_w, limit_w, device, hash_hs, hashes=stand.hashes, now=now)
    state = replace(state, track=track, aimed=stand)
    if effect.keeps_exceeding(track, device, now):
        state = replace(state, unruly_until=now + _REST_S)
    return state, target_w


def _witnessed_w(seen: AsicSeen, stand: Stand, knob: Knob) -> float | None:
    """Return its watts; without a meter, what its hash rate says against what was asked.

    That it agrees proves nothing without a meter.
    """
    if seen.age_s > hand.SILENT_S:
        return None
    if seen.power_w is not None or seen.hash_rate_mhs is None:
        return seen.power_w
    if stand.hashes:
        return knob.idle_w if seen.hash_rate_mhs <= 0 else None
    return knob.watts(seen.setting) if seen.hash_rate_mhs > 0 else None


def _available(
    state: AsicState,
    seen: AsicSeen,
    knob: Knob,
    rules: AsicRules,
    house: House,
    now: float,
) -> tuple[float, str]:
    """Return the most watts that could be asked of it now, and what binds them."""
    hashes = hand.standing(state, seen).hashes
    nothing: Mapping[str, bool] = {
        "stopped by a person: Stop all": house.stopped,
        plan.NO_CONTROL: not plan.can_be_told(seen, knob),
        plan.HANDS_OFF: rules.hands_off,
        CONTROL_OFF: not rules.allow_control,
        f"silent for more than {hand.SILENT_S:.0f} s": seen.age_s > hand.SILENT_S,
        seen.fault or "": seen.fault is not None,
        "it reports a fault": seen.activity is Activity.FAULT,
        "it has lost its pool": seen.pool_connected is False and hashes,
        "changed by hand on the machine itself": now < state.hold_until,
        plan.UNRULY: now < state.unruly_until,
    }
    for why, holds in nothing.items():
        if holds:
            return 0.0, why
    if not hashes and state.act is None:
        if (why_not := starts.why_not(state, rules, now)) is not None:
            return 0.0, why_not
        if seen.protecting is not None and seen.activity is not Activity.PAUSED:
            return 0.0, seen.protecting
    if now < state.shy_until:
        shy_w = min(state.shy_w, plan.most_w(rules, knob))
        return shy_w, seen.protecting or "it has protected itself a short while ago"
    if rules.max_w is not None and rules.max_w < knob.max_w:
        return rules.max_w, "its owner allows no more"
    return knob.max_w, "at its highest setting"
