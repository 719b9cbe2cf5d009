"""How long a question may be: which turns to leave out, how many entities fit. Pure.

A rig counts exactly, in tokens, and says so when it refuses; what a part of the question takes is
in proportion to its characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: How much of what a model can read a shortened conversation may fill: the next turns fit as well.
SHORTENED_TO: Final = 0.6
#: What has to stay free for words and an answer, in tokens.
ANSWER_TOKENS: Final = 512
# Home Assistant lists what is exposed as YAML: an entity begins with its names.
_ENTITY: Final = re.compile(r"^- names: .*\n(?:  .*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Length:
    """How long a question was and how much the rig's model can read, in tokens."""

    prompt_tokens: int
    context_tokens: int


@dataclass(frozen=True)
class Fit:
    """How many entities are exposed, and how many of them the model could read."""

    exposed: int
    fits: int


def left_out(sizes: Sequence[int], skip: int, rest: int, length: Length) -> int | None:
    """Return how many of the oldest turns to leave out; None if only the last one is left.

    `sizes[n]` is how many characters the conversation has without its first n turns; `skip` were
    left out of the question that had `length`, which had `rest` characters more than that.
    """
    if skip >= len(sizes) - 1:
        return None
    per_character = length.prompt_tokens / max(1, sizes[skip] + rest)
    too_many = length.prompt_tokens - SHORTENED_TO * length.context_tokens
    enough = (
        more
        for more in range(skip + 1, len(sizes))
        if (sizes[skip] - sizes[more]) * per_character >= too_many
    )
    return next(enough, len(sizes) - 1)


def fit(instructions: str, tools: int, whole: int, length: Length) -> Fit | None:
    """Return how many of the entities in `instructions` fit; None if they are not what is too much.

    `tools` and `whole` are how many characters the tools and the question had that was `length`
    long.
    """
    entities = [len(found.group()) for found in _ENTITY.finditer(instructions)]
    per_character = length.prompt_tokens / max(1, whole)
    room = length.context_tokens - ANSWER_TOKENS
    if not entities or (len(instructions) + tools) * per_character <= room:
        return None
    others = (len(instructions) - sum(entities) + tools) * per_character
    fits = int((room - others) / (sum(entities) / len(entities) * per_character))
    return Fit(len(entities), min(max(0, fits), len(entities)))
