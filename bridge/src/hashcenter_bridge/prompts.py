"""Which prompts a runner should have read before anybody asks, and what to do for it next. Pure.

A house's prompt (instructions and tools, never anybody's words) is thousands of tokens that are
read before the first word of an answer. `next_job` keeps the last used one in the voice slot, and
has it saved once it has stayed the same for a while:

1. While voice is answered, nothing.
2. The slot does not hold the prompt that is wanted: restore it if it was saved, else read it.
3. A prompt that was not changed for 5 minutes and is not saved: save it, once it is quiet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from .runners.slots import Tokens

#: A prompt that changes more often is not worth the disk.
UNCHANGED_S: Final = 300.0
#: A conversation that may go on keeps its place in the slot.
QUIET_S: Final = 60.0
#: Reading ahead does not begin between the answers of one conversation.
PAUSE_S: Final = 5.0
#: How long nothing is tried after something failed.
AFTER_FAILURE_S: Final = 60.0
#: One house has one prompt; a few more while it is changed, or with several houses.
MOST: Final = 4
#: Shorter prompts are read faster than anything else could be done about them.
LEAST_TOKENS: Final = 64


@dataclass(frozen=True)
class Prompt:
    """What comes before the words: `first_at` it was asked with, and `used_at` last."""

    key: str
    tokens: Tokens
    first_at: float
    used_at: float
    saved: bool = False


class Work(StrEnum):
    """What can be done with a prompt and the voice slot."""

    RESTORE = "restore"
    READ = "read"
    SAVE = "save"


@dataclass(frozen=True)
class Job:
    """One thing to do, and why."""

    work: Work
    prompt: Prompt
    reason: str


@dataclass(frozen=True)
class Scene:
    """What is known of the voice slot: the tokens it surely begins with, and who uses it.

    `spoken_at` is when voice was last answered, `failed_at` when a job last failed. `urgent` says
    that somebody is about to ask. `saves` says that states can be saved at all.
    """

    held: Tokens | None
    busy: bool
    spoken_at: float
    failed_at: float
    urgent: bool
    saves: bool


def next_job(prompts: Mapping[str, Prompt], scene: Scene, now: float) -> Job | None:
    """Return what to do now, None if nothing."""
    if scene.busy or not prompts or now - scene.failed_at < AFTER_FAILURE_S:
        return None
    wanted = max(prompts.values(), key=lambda prompt: prompt.used_at)
    if not begins_with(scene.held, wanted.tokens):
        if wanted.saved and scene.saves and not _mostly(scene.held, wanted.tokens):
            return Job(Work.RESTORE, wanted, "the voice slot does not hold it")
        if scene.urgent or now - scene.spoken_at >= PAUSE_S:
            return Job(Work.READ, wanted, "the voice slot does not hold it")
        return None
    if scene.urgent or not scene.saves or now - scene.spoken_at < QUIET_S:
        return None
    if not wanted.saved and now - wanted.first_at >= UNCHANGED_S:
        return Job(Work.SAVE, wanted, f"unchanged for {UNCHANGED_S:.0f} s")
    return None


def used(prompts: Mapping[str, Prompt], key: str, tokens: Tokens, now: float) -> dict[str, Prompt]:
    """Return the prompts with this one as used at `now`; the longest unused ones go."""
    known = prompts.get(key) or Prompt(key, tokens, now, now)
    grown = {**prompts, key: replace(known, used_at=max(now, known.used_at))}
    kept = sorted(grown.values(), key=lambda prompt: prompt.used_at, reverse=True)[:MOST]
    return {prompt.key: prompt for prompt in kept}


def begins_with(held: Tokens | None, tokens: Tokens) -> bool:
    """Return whether what is `held` begins with `tokens`."""
    return held is not None and held[: len(tokens)] == tokens


def _mostly(held: Tokens | None, tokens: Tokens) -> bool:
    """Return whether so much is held that reading the rest is as good as restoring."""
    if held is None:
        return False
    same = next((n for n, pair in enumerate(zip(held, tokens, strict=False)) if pair[0] != pair[1]),
                min(len(held), len(tokens)))  # fmt: skip
    return len(tokens) - same < LEAST_TOKENS
