"""Hands a room that needs back-up heat to another thermostat (furnace, baseboard), and back.

1. While the room needs it, the back-up heats at the room's target; what it was is remembered.
2. A person's hand on it ends that: it is left alone until the room needs no back-up any more.
3. Once the room can do without, the back-up is set to what it was, unless a person changed it.

What it shows needs a moment to follow, and some round the target: it is compared with what it
showed once it had settled. One that ignores what it is told is told three times.
"""

from dataclasses import dataclass, replace
from typing import Final

SETTLES_S: Final = 120.0
_TRIES: Final = 3
_SAME_K: Final = 0.3


@dataclass(frozen=True)
class Setting:
    """What a thermostat is set to; `target_c` is None where it has none."""

    mode: str
    target_c: float | None = None


@dataclass(frozen=True)
class Handover:
    """A back-up that heats for us: what it was, what it was told last, what it showed then.

    `theirs`: a person changed it. `returns`: it was told to be what it was before.
    """

    before: Setting
    told: Setting
    told_at: float
    tries: int = 1
    showed: Setting | None = None
    theirs: bool = False
    returns: bool = False


def follow(
    memory: Handover | None, heat: Setting | None, shows: Setting | None, now: float
) -> tuple[Handover | None, Setting | None]:
    """Return what to remember, and what to set the back-up to now (None: nothing).

    `heat` is the setting that the room needs of it, None while it needs none; `shows` is what the
    back-up shows, None while it is unavailable.
    """
    if shows is None:
        return memory, None
    if memory is None or memory.returns:
        if heat is None:
            return _returned(memory, shows, now)
        before = memory.before if memory is not None else shows
        told = Handover(before, heat, now)
        return (replace(told, showed=shows), None) if _same(shows, heat) else (told, heat)
    memory = _noted(memory, shows, now)
    if heat is None:
        if memory.theirs or _same(shows, memory.before):
            return None, None
        return Handover(memory.before, memory.before, now, returns=True), memory.before
    if memory.theirs:
        return memory, None
    if not _same(heat, memory.told):
        return Handover(memory.before, heat, now), heat
    if memory.showed is None and now - memory.told_at >= SETTLES_S:
        # It neither follows nor shows that a person did something else.
        return replace(memory, told_at=now, tries=memory.tries + 1), heat
    return memory, None


def _noted(memory: Handover, shows: Setting, now: float) -> Handover:
    """Return the memory with what the back-up shows, and with a person's hand on it."""
    if memory.theirs:
        return memory
    if memory.showed is not None:
        return memory if _same(shows, memory.showed) else replace(memory, theirs=True)
    if _same(shows, memory.told):
        return replace(memory, showed=shows)
    if now - memory.told_at < SETTLES_S:
        return memory
    if shows.mode == memory.told.mode:
        # It follows, with a target of its own rounding or range.
        return replace(memory, showed=shows)
    return replace(memory, theirs=memory.tries >= _TRIES)


def _returned(
    memory: Handover | None, shows: Setting, now: float
) -> tuple[Handover | None, Setting | None]:
    """Return what is left to do after the back-up was told to be what it was."""
    if memory is None or shows.mode == memory.before.mode:
        return None, None
    if now - memory.told_at < SETTLES_S:
        return memory, None
    if memory.tries >= _TRIES:
        return None, None
    return replace(memory, told_at=now, tries=memory.tries + 1), memory.before


def _same(one: Setting, other: Setting) -> bool:
    if one.mode != other.mode:
        return False
    if one.target_c is None or other.target_c is None:
        return True
    return abs(one.target_c - other.target_c) <= _SAME_K
