"""How an ASIC stands, and whose hand it was when it stands differently from how we had it.

After its own boot it stands as its memory says: we set it again. While it protects itself it sets
itself: we follow, and are shy afterwards. Else a person changed it by the vendor's own means: that
holds for four hours and is never fought, inside the owner's limits.
"""

from dataclasses import replace
from typing import Final

from ...wire.values import Activity, Effect, PowerSource
from .knob import Knob
from .types import AsicSeen, AsicState, Stand

HOLD_S: Final = 4 * 3600.0
#: Without an own reading for this long, control of a device is lost (wire rule 5).
SILENT_S: Final = 30.0
#: After it protected itself it is not asked for more than it chose for so long.
SHY_S: Final = 3600.0
#: Two looks at one boot differ by as much as an answer may take.
_SAME_BOOT_S: Final = 60.0
#: Firmware that counts from the start of mining "boots" when we start it: no power cut.
_OF_OURS_S: Final = 300.0
_AT_WORK: Final = (Activity.HASHING, Activity.STARTING, Activity.IDLE)


def standing(state: AsicState, seen: AsicSeen) -> Stand:
    """Return how it stands, as last seen: at work (also where it has no work just now) or not.

    Where a machine does not tell its setting, the last one that it took is assumed.
    """
    hashes = seen.activity in _AT_WORK
    if seen.activity is Activity.FAULT:
        hashes = bool(seen.hash_rate_mhs)
    return Stand(hashes, state.set_to if seen.setting is None else seen.setting)


def is_pending(state: AsicState, seen: AsicSeen) -> bool:
    """Return whether the last act may show only in the next look."""
    return state.act is not None and seen.looked < state.act.number


def notice(state: AsicState, seen: AsicSeen, knob: Knob, now: float) -> AsicState:
    """Take in what was seen: a boot, a stop, protection, a person's hand; learn its watts."""
    if seen.age_s > SILENT_S:
        return replace(state, silent=state.look > 0)
    if seen.look == state.look:
        return state
    state = _boots(replace(state, look=seen.look), seen, now)
    there = standing(state, seen)
    before = state.steady
    if before is None or before.hashes != there.hashes or not _same(knob, before, there):
        if before is not None and before.hashes and not there.hashes:
            state = replace(state, stopped_at=now)
        state = replace(state, steady=there, steady_since=now)
    if seen.protecting is not None:
        drawn_w = knob.watts(seen.setting) if seen.power_w is None else seen.power_w
        shy_w = max(drawn_w, knob.min_w)
        return replace(state, ours=None, shy_until=now + SHY_S, shy_w=shy_w)
    if _is_settled(state, seen, knob, now) and seen.power_w is not None:
        state = replace(state, ratios=knob.learned(there.setting, seen.power_w))
    return _hand(state, seen, there, knob, now)


def _hand(state: AsicState, seen: AsicSeen, there: Stand, knob: Knob, now: float) -> AsicState:
    ours = state.ours
    if ours is None or state.act is not None or seen.activity is Activity.FAULT:
        return state
    if ours.hashes == there.hashes and (not there.hashes or _same(knob, ours, there)):
        return state
    return replace(state, ours=None, hold_until=now + HOLD_S)


def _same(knob: Knob, one: Stand, other: Stand) -> bool:
    return knob.same(one.setting, other.setting)


def _is_settled(state: AsicState, seen: AsicSeen, knob: Knob, now: float) -> bool:
    """Return whether it has been at work at one setting long enough to learn from.

    Watts that are far off were no effect of the setting, unless they came down to it.
    """
    track = state.track
    follows = track is None or track.effect is Effect.REACHED
    return (
        seen.activity is Activity.HASHING
        and seen.power_w is not None
        and (follows or knob.is_plausible(seen.setting, seen.power_w))
        and seen.can.power_source != PowerSource.NONE
        and seen.pool_connected is not False
        and now - state.steady_since > seen.can.settle_s + seen.can.start_s
    )


def _boots(state: AsicState, seen: AsicSeen, now: float) -> AsicState:
    """Note whether it has booted since the last look.

    Where a machine does not tell its uptime, a silence may have been a boot.
    """
    was_silent, state = state.silent, replace(state, silent=False)
    if seen.uptime_s is None:
        booted = was_silent
    else:
        booted_at = now - seen.age_s - seen.uptime_s
        booted = state.booted_at is not None and booted_at > state.booted_at + _SAME_BOOT_S
        state = replace(state, booted_at=booted_at)
    if not booted:
        return state
    by_us = now - state.act_at < _OF_OURS_S + seen.can.settle_s + seen.can.start_s
    cut_at = state.boot_seen_at if by_us else now
    return replace(state, ours=None, set_to=None, boot_seen_at=cut_at)
