"""Questions with given answers: which one does a model think is right, and how sure is it? Pure.

The answers get letters and the model is asked for one. How likely it is to write each letter is
read from the probabilities of its first token. Models prefer what comes first, so each question is
asked twice, the second time with the answers in reverse, and the mean counts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from homeassistant.components.ai_task import (
    ChoiceAnswer,
    EvaluationAnswer,
    EvaluationQuestion,
    NoulAnswer,
    ScoreAnswer,
)

from .chat import first_choice
from .prompt import Json

INSTRUCTIONS: Final = (
    "You judge a situation in a home by what you are shown. "
    "Answer each question with the letter of the right answer and nothing else."
)
#: There are no more letters.
MAX_OPTIONS: Final = len(ascii_uppercase)
#: What is asked of the rig besides the messages: one token, and what else it might have been.
FIELDS: Final[Mapping[str, Any]] = {
    "max_tokens": 1,
    "temperature": 0,
    "logprobs": True,
    "top_logprobs": 20,
}


@dataclass(frozen=True)
class Asked:
    """A question as the model is asked it: its words, and the options' numbers by letter."""

    words: str
    letters: Mapping[str, int]


def options(question: EvaluationQuestion) -> list[str]:
    """Return the answers that a question allows, as the model reads them."""
    if question["type"] == "noul":
        return ["Yes", "No"]
    if question["type"] == "choice":
        return [f"{name}: {meaning}" for name, meaning in question["criteria"].items()]
    return list(question["criteria"])


def asked(question: EvaluationQuestion) -> list[Asked]:
    """Return the question in both orders of its answers."""
    texts = options(question)
    orders = [range(len(texts)), range(len(texts) - 1, -1, -1)]
    return [_asked(question["instructions"], texts, order) for order in orders]


def _asked(instructions: str, texts: Sequence[str], order: Sequence[int]) -> Asked:
    letters = dict(zip(ascii_uppercase, order, strict=False))
    listed = "\n".join(f"{letter}. {texts[at]}" for letter, at in letters.items())
    return Asked(f"{instructions}\n\n{listed}\n\nAnswer with the letter alone.", letters)


def probabilities(chunks: Sequence[Json], letters: Mapping[str, int]) -> list[float] | None:
    """Return how likely each option is, by its number; None if the model named none of them."""
    found = [0.0] * len(letters)
    for token, logprob in _first_token(chunks):
        if (at := letters.get(token.strip(" \t\n\"'*().:"))) is not None:
            found[at] += math.exp(min(logprob, 0.0))
    whole = sum(found)
    return [one / whole for one in found] if whole > 0 else None


def answer(question: EvaluationQuestion, orders: Sequence[Sequence[float]]) -> EvaluationAnswer:
    """Return the answer to a question from the probabilities in each order."""
    mean = [sum(column) / len(orders) for column in zip(*orders, strict=True)]
    if question["type"] == "noul":
        return NoulAnswer(noul=mean[0])
    if question["type"] == "score":
        return ScoreAnswer(
            score=sum(level * share for level, share in enumerate(mean)), probabilities=mean
        )
    named = dict(zip(question["criteria"], mean, strict=True))
    return ChoiceAnswer(choice=max(named, key=named.__getitem__), probabilities=named)


def _first_token(chunks: Sequence[Json]) -> list[tuple[str, float]]:
    """Return what the first token was or might have been, with its logarithmic probabilities.

    Source: OpenAI API reference, chat completion chunk object, `logprobs`.
    """
    for chunk in chunks:
        logprobs = first_choice(chunk).get("logprobs")
        content = logprobs.get("content") if isinstance(logprobs, dict) else None
        if not isinstance(content, list) or not content or not isinstance(content[0], dict):
            continue
        listed = content[0].get("top_logprobs") or [content[0]]
        return [
            (one["token"], float(one["logprob"]))
            for one in listed
            if isinstance(one, dict)
            and isinstance(one.get("token"), str)
            and isinstance(one.get("logprob"), int | float)
        ]
    return []
