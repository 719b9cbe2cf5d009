"""Which rig is asked first, and which after it: pure, so that every rule can be tested alone.

1. A rig that failed a moment ago comes last, for longer each time it fails again; when its time is
   over, or its bridge began a new run, it is a rig like any other: the house fails back by itself.
2. A rig that can answer comes before one that is still about to.
3. Then counts how long a person would wait: the rig's own prediction of its first token, plus the
   time to read the prompt where it has not read this one before, plus what the house would rather
   wait than stop a hashing rig. A rig without a prediction comes after those that have one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from ..wire.values import Favor

#: What reading a house's prompt costs a rig that does not have it in its cache, in seconds.
COLD_S: Final = 2.0
#: How much longer a person may wait so that a hashing rig goes on hashing, by favor, in seconds.
SPARE_HASHING_S: Final[Mapping[str, float]] = {
    Favor.INFERENCE: 0.0,
    Favor.BALANCED: 0.5,
    Favor.HASHING: 3.0,
}
#: How long a rig is passed over after a failure; doubled with each further one.
PASSED_OVER_S: Final = 5.0
MAX_PASSED_OVER_S: Final = 300.0
#: How many prompts a rig is taken to have in its cache.
_WARM_PROMPTS: Final = 4


@dataclass(frozen=True)
class Offer:
    """What a rig says about answering now. `boot_id` names its bridge's run.

    `prompt_warm` says that it has read the prompt of the last question, whoever asked that.
    """

    rig_id: str
    boot_id: str
    available: bool
    first_token_s: float | None
    waiting: int = 0
    hashing: bool = False
    favor: Favor | str = Favor.BALANCED
    prompt_warm: bool | None = None


@dataclass(frozen=True)
class Failures:
    """How often a rig failed in a row, in which run, and until when (a clock's) it comes last."""

    boot_id: str
    count: int
    until: float


@dataclass(frozen=True)
class Memory:
    """What happened before: prompts that rigs have read, latest first, and their failures."""

    warm: Mapping[str, tuple[str, tuple[str, ...]]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    failures: Mapping[str, Failures] = field(default_factory=lambda: MappingProxyType({}))

    def read(self, rig_id: str, boot_id: str, prompt: str) -> Memory:
        """Return the memory after a rig answered a question with this prompt (its hash)."""
        known = self.warm.get(rig_id)
        before = known[1] if known and known[0] == boot_id else ()
        prompts = (prompt, *(one for one in before if one != prompt))[:_WARM_PROMPTS]
        return replace(
            self,
            warm=MappingProxyType({**self.warm, rig_id: (boot_id, prompts)}),
            failures=MappingProxyType(
                {rig: one for rig, one in self.failures.items() if rig != rig_id}
            ),
        )

    def failed(self, rig_id: str, boot_id: str, now: float) -> Memory:
        """Return the memory after a rig did not answer."""
        known = self.failures.get(rig_id)
        count = known.count + 1 if known and known.boot_id == boot_id else 1
        passed_over_s = min(PASSED_OVER_S * 2.0 ** (count - 1), MAX_PASSED_OVER_S)
        failures = {**self.failures, rig_id: Failures(boot_id, count, now + passed_over_s)}
        return replace(self, failures=MappingProxyType(failures))

    def has_read(self, rig_id: str, boot_id: str, prompt: str) -> bool:
        """Return whether the rig should have this prompt in its cache."""
        known = self.warm.get(rig_id)
        return known is not None and known[0] == boot_id and prompt in known[1]

    def knows(self, rig_id: str, boot_id: str) -> bool:
        """Return whether this run of the rig's bridge has answered us."""
        known = self.warm.get(rig_id)
        return known is not None and known[0] == boot_id

    def passed_over(self, rig_id: str, boot_id: str, now: float) -> bool:
        """Return whether the rig failed too recently to be asked before others."""
        known = self.failures.get(rig_id)
        return known is not None and known.boot_id == boot_id and now < known.until


@dataclass(frozen=True)
class Choice:
    """A rig to ask, how long its answer is expected to take to begin, why it has this place."""

    rig_id: str
    wait_s: float
    reason: str


def ranked(offers: Iterable[Offer], memory: Memory, prompt: str, now: float) -> list[Choice]:
    """Return the rigs in the order in which to ask them; `prompt` is the hash of what they read."""
    considered = [(_rank(offer, memory, prompt, now), offer) for offer in offers]
    considered.sort(key=lambda one: (*one[0], one[1].waiting, one[1].rig_id))
    return [
        Choice(offer.rig_id, wait_s, _reason(offer, memory, prompt, late=late))
        for (late, _, wait_s), offer in considered
    ]


def _rank(offer: Offer, memory: Memory, prompt: str, now: float) -> tuple[bool, bool, float]:
    late = memory.passed_over(offer.rig_id, offer.boot_id, now)
    wait_s = math.inf if offer.first_token_s is None else offer.first_token_s
    if not _is_warm(offer, memory, prompt):
        wait_s += COLD_S
    if offer.hashing:
        wait_s += SPARE_HASHING_S.get(offer.favor, 0.0)
    return late, not offer.available, wait_s


def _is_warm(offer: Offer, memory: Memory, prompt: str) -> bool:
    """Return whether the rig should have read this prompt.

    Of a rig that has not answered since Home Assistant started only its own word is known.
    """
    if memory.knows(offer.rig_id, offer.boot_id):
        return memory.has_read(offer.rig_id, offer.boot_id, prompt)
    return offer.prompt_warm is True


def _reason(offer: Offer, memory: Memory, prompt: str, *, late: bool) -> str:
    if late:
        return "it failed a moment ago"
    said = [
        "it is about to be able to answer"
        if not offer.available
        else "it can answer"
        if offer.first_token_s is None
        else f"it can answer in {offer.first_token_s:.1f} s"
    ]
    if _is_warm(offer, memory, prompt):
        said.append("it has read this prompt before")
    if offer.hashing:
        said.append("it would have to stop hashing")
    return ", ".join(said)
