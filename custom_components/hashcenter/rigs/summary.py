"""The house at a glance, from all its rigs: watts by activity, can it answer, why, what is wrong.

Pure. Only rigs that are alive count; a sum of nothing is unknown, never 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..wire.messages import InferenceState
from .rig import LOST_S, Rig


@dataclass(frozen=True)
class Summary:
    """What the house does now. Watts are whole machines', at the wall."""

    power_w: float | None = None
    hashing_w: float | None = None
    answering_w: float | None = None
    idle_w: float | None = None
    tokens_per_s: float | None = None
    tokens_per_joule: float | None = None
    first_token_s: float | None = None
    inference_available: bool = False
    stopped: bool = False
    why: str = ""


@dataclass(frozen=True)
class Problem:
    """Something wrong, for `age_s` seconds (None: nobody told). `key` identifies it."""

    key: tuple[str, ...]
    text: str
    age_s: float | None = None


def summarize(rigs: Iterable[tuple[str, Rig]], *, stopped: bool) -> Summary:
    """Return the summary of rigs, given with their names; `stopped` is the house's own latch."""
    rigs = list(rigs)
    states = [live for _, rig in rigs if (live := rig.live)]
    answering = [state.inference for state in states if state.inference]
    soon = [
        one.first_token_s for one in answering if one.available and one.first_token_s is not None
    ]
    any_stopped = stopped or any(state.stopped for state in states)
    return Summary(
        power_w=_sum(state.power_w for state in states),
        hashing_w=_sum(state.hashing_w for state in states),
        answering_w=_sum(state.answering_w for state in states),
        idle_w=_sum(state.idle_w for state in states),
        tokens_per_s=_sum(one.tokens_per_s for one in answering),
        tokens_per_joule=_tokens_per_joule(answering),
        first_token_s=min(soon, default=None),
        inference_available=any(one.available for one in answering),
        stopped=any_stopped,
        why=_why(rigs, stopped=any_stopped),
    )


def problems(
    rigs: Mapping[str, tuple[str, Rig]],
    refusals: Mapping[tuple[str, str | None], str],
    others: Mapping[str, str] = MappingProxyType({}),
) -> list[Problem]:
    """Return what is wrong, rig by rig; `rigs` are given with their names, by id.

    `others` are sentences about what is no rig's, by what they are about (an entity's id).
    """
    found: list[Problem] = []
    for rig_id, (name, rig) in rigs.items():
        if (live := rig.live) is None:
            if rig.lost:
                found.append(Problem((rig_id, "lost"), f"{name}: not connected", LOST_S))
            continue
        found += [
            Problem((rig_id, fault.code, fault.uid or ""), f"{name}: {fault.text}", fault.since_s)
            for fault in live.faults
        ]
        if rig.inventory and rig.inventory.allow_control and rig.inventory.control_refused:
            found.append(Problem((rig_id, "control"), f"{name}: {rig.inventory.control_refused}"))
    found += [Problem(("refused", *map(str, target)), text) for target, text in refusals.items()]
    found += [Problem(("about", about), text) for about, text in others.items()]
    return found


def _why(rigs: Iterable[tuple[str, Rig]], *, stopped: bool) -> str:
    """Return the sentences of the heaters, the one that draws most first, by name if several."""
    if stopped:
        return "Stop all is in force until a person releases it."
    live = [(name, rig, rig.live) for name, rig in rigs if rig.live]
    if not live:
        return "No rig is connected."
    heaters = [
        (known.name if (known := rig.heater(heater.id)) else name, heater)
        for name, rig, now in live
        for heater in now.heaters
        if heater.reason
    ]
    if not heaters:
        return "Nothing is asked of any rig."
    heaters.sort(key=lambda one: -(one[1].power_w or 0.0))
    if len(heaters) == 1:
        return _sentence(heaters[0][1].reason)
    return " ".join(_sentence(f"{name}: {heater.reason}") for name, heater in heaters)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _tokens_per_joule(answering: list[InferenceState]) -> float | None:
    """Return tokens by the joules they took, over rigs that know both."""
    both = [
        (one.tokens_per_s, one.tokens_per_s / one.tokens_per_joule)
        for one in answering
        if one.tokens_per_s and one.tokens_per_joule
    ]
    return sum(tokens for tokens, _ in both) / sum(watts for _, watts in both) if both else None
