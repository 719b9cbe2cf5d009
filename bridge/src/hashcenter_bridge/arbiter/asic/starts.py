"""How often an ASIC may be started: a budget of starts a day, with a reserve, and a rest between.

Only starts are limited, never a stop or a reduction. What a machine does by itself after a power
cut is no start of ours.
"""

from typing import Final

from .types import DAY_S, AsicRules, AsicState

#: So long after a machine's own boot a start counts as made necessary by the power cut.
_AFTER_BOOT_S: Final = 3600.0


def recent(state: AsicState, now: float) -> tuple[float, ...]:
    """Return when it was started within the last day."""
    return tuple(at for at in state.starts if now - at < DAY_S)


def left(state: AsicState, rules: AsicRules, now: float) -> int:
    """Return how often it may still be started today, for any reason that holds now."""
    budget = rules.starts_per_day
    if _has_need(state, now):
        budget += rules.spare_starts
    return max(0, budget - len(recent(state, now)))


def why_not(state: AsicState, rules: AsicRules, now: float) -> str | None:
    """Return why it may not be started now, None if it may."""
    if left(state, rules, now) == 0:
        used = recent(state, now)
        # The start that leaves the last day first makes room for one.
        frees_s = used[-min(len(used), rules.starts_per_day)] + DAY_S - now
        return f"started {len(used)} times today; again in {in_words(frees_s)}"
    if state.barred_until > now:
        return f"did not start; it is tried again in {in_words(state.barred_until - now)}"
    rested_s = rules.rest_s if state.stopped_at is None else now - state.stopped_at
    if rested_s < rules.rest_s and not _has_need(state, now):
        return f"rests for another {in_words(rules.rest_s - rested_s)} before it starts again"
    return None


def _has_need(state: AsicState, now: float) -> bool:
    booted = state.boot_seen_at is not None and now - state.boot_seen_at < _AFTER_BOOT_S
    return booted or bool(state.lease and state.lease.urgent)


def in_words(seconds: float) -> str:
    """Return a duration as a person says it, in steps that do not flicker."""
    minutes = max(1, round(seconds / 60))
    if minutes > 10:
        minutes = 5 * round(minutes / 5)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
