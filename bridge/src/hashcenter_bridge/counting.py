"""How long a question is, counted by the runner that would answer it, before anybody gives way.

A token is at least one byte, so that most questions need not be counted: only one with more bytes
than the model can read tokens might be too long.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from .api_error import ApiError
from .question import Question
from .runners import Runner
from .runners.slots import SlotError, Slots

#: What a template adds at most: once, and to each message.
_TEMPLATE_BYTES: Final = 512
_MESSAGE_BYTES: Final = 32


class Counting:
    """Counts with the runners that can; `active` says whether one is ready now."""

    def __init__(self, runners: Mapping[str, Runner], active: Callable[[str], bool]) -> None:
        self._runners = {
            name: runner for name, runner in runners.items() if runner.upstream.is_llama_server
        }
        self._others = [one for one in runners.values() if one.name not in self._runners]
        self._slots = {name: Slots(runner.upstream) for name, runner in self._runners.items()}
        self._active = active

    async def close(self) -> None:
        """Let go of the runners."""
        for slots in self._slots.values():
            await slots.close()

    async def count(self, question: Question) -> dict[str, Any] | None:
        """Return `prompt_tokens` and `context_tokens` at the runner; None if nobody can tell."""
        runner = self._runner(question.model)
        if runner is None or question.has_more_than_text:
            return None
        try:
            counted = await self._slots[runner.name].count(question.fields)
        except (OSError, SlotError, KeyError, ValueError):
            return None
        model = runner.models[0]
        return {
            "model": model.id,
            "prompt_tokens": counted,
            "context_tokens": model.context_tokens,
        }

    async def admit(self, question: Question) -> None:
        """Raise ApiError (400) with both figures if no answer fits behind the question."""
        runner = self._runner(question.model)
        context = runner.models[0].context_tokens if runner else None
        if context is None or _most_tokens(question) < context:
            return
        counted = await self.count(question)
        if counted is not None and counted["prompt_tokens"] >= context:
            raise too_long(counted["prompt_tokens"], context)

    def _runner(self, model: str | None) -> Runner | None:
        if any(model == one.id for runner in self._others for one in runner.models):
            return None
        ready = [runner for name, runner in self._runners.items() if self._active(name)]
        named = [runner for runner in ready if model in [one.id for one in runner.models]]
        return next(iter(named or ready), None)


def too_long(prompt_tokens: int, context_tokens: int) -> ApiError:
    """Return the refusal of a question that the model cannot read."""
    text = (
        f"the question has {prompt_tokens} tokens, and the model reads {context_tokens} with its "
        "answer: shorten the conversation"
    )
    figures = {"prompt_tokens": prompt_tokens, "context_tokens": context_tokens}
    return ApiError(400, "context_length_exceeded", text, "messages", details=figures)


def _most_tokens(question: Question) -> int:
    messages = question.fields["messages"]
    return len(question.body("")) + _TEMPLATE_BYTES + _MESSAGE_BYTES * len(messages)
