"""What to do next so that an ASIC stands as it should: one act at a time, each seen to come true.

A stop or a reduction is never delayed. A start waits for its turn, its rest and its budget. What
does not come true is said again, ever so often; a machine that will not start is left for an hour.
"""

from dataclasses import dataclass, replace
from typing import Final

from ...wire.values import Activity
from . import starts
from .hand import SILENT_S, is_pending, standing
from .knob import Knob
from .types import Act, AsicRules, AsicSeen, AsicState, House, Stand, Verb

_AGAIN_S: Final = 30.0
#: A stop that did not get through is no matter of patience.
_AT_ONCE_S: Final = 5.0
_TRIES: Final = 3
_BARRED_S: Final = 3600.0
#: Between two raises the watts settle, so long at least.
_BETWEEN_RAISES_S: Final = 60.0


@dataclass(frozen=True)
class Next:
    """The next act, if one is due, or (`blocked`) what stands against it. `starts`: it wears."""

    act: Act | None = None
    blocked: str | None = None
    starts: bool = False


@dataclass(frozen=True)
class _Step:
    verb: Verb
    stand: Stand
    lowers: bool
    starts: bool


def next_act(
    state: AsicState,
    seen: AsicSeen,
    want: Stand | None,
    most_w: float,
    knob: Knob,
    rules: AsicRules,
    house: House,
    now: float,
) -> tuple[AsicState, Next]:
    """Return what to do now so that it stands as wanted; None leaves it as it is.

    `most_w` is what it may draw for any purpose: it is never resumed at a setting above.
    """
    pending = is_pending(state, seen)
    there = _after(state) if pending else standing(state, seen)
    if want is None:
        return (state if pending else replace(state, act=None, tries=0, ours=None)), Next()
    if _matches(there, want, knob):
        if not pending:
            # What was not seen just now was not as we wanted it, as far as we know.
            ours = there if seen.age_s <= SILENT_S else state.ours
            state = replace(state, act=None, tries=0, ours=ours)
        return state, Next()
    state = _learn_to_set(state, seen, there, now, pending=pending)
    step = _step(state, seen, there, want, most_w, knob, now)
    if isinstance(step, str):
        return replace(state, ours=None), Next(blocked=step)
    if pending and not step.lowers:
        return state, Next()
    spent = starts.left(state, rules, now) == 0
    if spent and step.starts and step.lowers and step.verb is Verb.SET and seen.can.can_pause:
        # Every turn of this knob is a start: with none left, less is nothing.
        step = _Step(Verb.PAUSE, Stand(False, there.setting), True, False)
    repeats = (
        state.act is not None
        and state.act.verb is step.verb
        and (step.verb is not Verb.SET or state.act.setting == step.stand.setting)
    )
    if (why := _why_not(state, seen, step, rules, house, now, repeats=repeats)) is not None:
        return state, Next(blocked=why)
    if repeats and now < state.act_at + _again_s(seen, step):
        return state, Next()
    if repeats and step.verb is Verb.RESUME and state.tries >= _TRIES:
        state = replace(state, act=None, tries=0, barred_until=now + _BARRED_S)
        return state, Next(blocked=starts.why_not(state, rules, now))
    return _asked(state, step, now, repeats=repeats)


def restart(state: AsicState, now: float) -> tuple[AsicState, Act]:
    """Reboot it as a person asked: that wears like any start, and what it forgets is set again."""
    act = Act(state.acts + 1, Verb.RESTART)
    state = replace(
        state,
        acts=act.number,
        act=act,
        act_at=now,
        tries=1,
        ours=None,
        set_to=None,
        starts=(*starts.recent(state, now), now),
    )
    return state, act


def _learn_to_set(
    state: AsicState, seen: AsicSeen, there: Stand, now: float, *, pending: bool
) -> AsicState:
    """Note that a machine takes no setting while it is paused: it says so, or does not do it."""
    act = state.act
    if pending or there.hashes or act is None or act.verb is not Verb.SET:
        return state
    if seen.refused is None and state.tries < _TRIES:
        return state
    return replace(state, unset_until=now + _BARRED_S)


def _asked(state: AsicState, step: _Step, now: float, *, repeats: bool) -> tuple[AsicState, Next]:
    act = Act(state.acts + 1, step.verb, step.stand.setting, step.lowers)
    wears = step.starts and not repeats
    state = replace(
        state,
        acts=act.number,
        act=act,
        act_at=now,
        tries=state.tries + 1 if repeats else 1,
        ours=None,
        set_to=act.setting if step.verb is Verb.SET else state.set_to,
        starts=(*starts.recent(state, now), now) if wears else state.starts,
    )
    return state, Next(act, starts=wears)


def _after(state: AsicState) -> Stand:
    """Return how it will stand when the act that is under way has come true."""
    assert state.act is not None
    before = state.steady or Stand(False)
    match state.act.verb:
        case Verb.RESTART:
            return before
        case Verb.PAUSE:
            return Stand(False, before.setting)
        case Verb.RESUME:
            return Stand(True, before.setting if state.set_to is None else state.set_to)
        case Verb.SET:
            return Stand(before.hashes, state.act.setting)


def _matches(there: Stand, want: Stand, knob: Knob) -> bool:
    if there.hashes != want.hashes:
        return False
    return not want.hashes or want.setting is None or knob.same(there.setting, want.setting)


def _step(
    state: AsicState,
    seen: AsicSeen,
    there: Stand,
    want: Stand,
    most_w: float,
    knob: Knob,
    now: float,
) -> _Step | str:
    """Return the step from how it stands to how it should, or why there is none."""
    if not want.hashes:
        return _Step(Verb.PAUSE, Stand(False, there.setting), True, False)
    turn = want.setting is not None and not knob.same(there.setting, want.setting)
    from_w, to_w = knob.watts(there.setting), knob.watts(want.setting)
    lowers = there.setting is None or to_w < from_w
    if there.hashes:
        return _Step(Verb.SET, want, lowers, seen.can.reboots_on_set)
    if not seen.can.can_pause:
        return "it is off, and cannot be started over the network"
    # First down, then on: a start never draws more than was asked for.
    if turn and lowers and now >= state.unset_until:
        return _Step(Verb.SET, Stand(False, want.setting), False, seen.can.reboots_on_set)
    if turn and lowers and from_w > most_w:
        return "it does not take a lower setting while it is paused"
    return _Step(Verb.RESUME, Stand(True, there.setting), False, True)


def _why_not(
    state: AsicState,
    seen: AsicSeen,
    step: _Step,
    rules: AsicRules,
    house: House,
    now: float,
    *,
    repeats: bool,
) -> str | None:
    """Return why this step must wait; one that lowers never does."""
    if step.lowers:
        return None
    if seen.age_s > SILENT_S:
        return f"silent for more than {SILENT_S:.0f} s"
    if seen.protecting is not None and not (step.starts and seen.activity is Activity.PAUSED):
        return seen.protecting
    if seen.fault is not None and step.starts:
        return seen.fault
    if step.verb is Verb.SET and not step.starts:
        between_s = max(_BETWEEN_RAISES_S, seen.can.settle_s)
        return None if repeats or now >= state.act_at + between_s else "its watts settle first"
    if repeats or state.interrupted:
        return None
    if (why := starts.why_not(state, rules, now)) is not None:
        return why
    return None if house.may_start else "waits until another machine has started"


def _again_s(seen: AsicSeen, step: _Step) -> float:
    if seen.refused is not None:
        return _AT_ONCE_S if step.lowers else _AGAIN_S
    return max(_AGAIN_S, seen.can.settle_s + (seen.can.start_s if step.starts else 0.0))
