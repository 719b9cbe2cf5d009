"""Has a runner read the house's prompt before anybody asks: restored, read ahead, saved.

    a question, or word that one comes -> prefix (its tokens) -> prompts.py decides -> the runner

Everything here is for speed only: what fails is logged, tried again later, and never in the way of
a question. The voice slot is slot 0.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final

from .prompt_files import PromptFiles, key_of
from .prompts import LEAST_TOKENS, Job, Prompt, Scene, Work, begins_with, next_job, used
from .runners import KeepsPrompts
from .runners.slots import SlotError, Slots, Tokens

_LOGGER = logging.getLogger(__name__)
VOICE_SLOT: Final = 0
#: What comes first: before anything that a person said.
_INSTRUCTIONS: Final = ("system", "developer")
#: Besides messages, whatever a template may show before the words.
_SHOWN: Final = ("tools", "tool_choice", "chat_template_kwargs", "reasoning_effort")
#: A restore from a slow disk must not keep a runner that works from being ready.
_PREPARE_WITHIN_S: Final = 4.0
_REMEMBERED: Final = 16


class PromptKeeper:
    """Keeps the voice slot of `runner` warm. `clock` counts seconds; `changed` wakes the loop."""

    def __init__(
        self, runner: KeepsPrompts, clock: Callable[[], float], changed: Callable[[], None]
    ) -> None:
        self._runner = runner
        self._clock = clock
        self._changed = changed
        self._slots = Slots(runner.upstream)
        self._files = PromptFiles(runner.prompt_folder, runner.prompt_store_mib)
        self._prompts: dict[str, Prompt] = {}
        self._prefixes: dict[str, Tokens] = {}
        self._held: Tokens | None = None
        self._identity: str | None = None
        self._spoken_at = float("-inf")
        self._failed_at = float("-inf")
        self._work: asyncio.Task[None] | None = None
        self._cancellable = False
        self._notes: set[asyncio.Task[None]] = set()
        #: How long the last restore took, in seconds; None before the first.
        self.restore_s: float | None = None

    @property
    def warm(self) -> bool:
        """Whether the voice slot holds the prompt that was used last."""
        last = max(self._prompts.values(), key=lambda one: one.used_at, default=None)
        return last is not None and begins_with(self._held, last.tokens)

    @property
    def unread(self) -> int:
        """How many tokens of the prompt that was used last the voice slot does not hold."""
        last = max(self._prompts.values(), key=lambda one: one.used_at, default=None)
        return 0 if last is None or self.warm or last.saved else len(last.tokens)

    async def prepare(self) -> None:
        """Restore the last used prompt into a runner that has just begun, if one is saved."""
        self._held = None
        try:
            self._identity = await self._runner.identity(read=False)
            loaded = await asyncio.to_thread(self._files.load, self._identity, self._clock())
            self._prompts = {**loaded, **self._prompts}
            async with asyncio.timeout(_PREPARE_WITHIN_S):
                saved = [one for one in self._prompts.values() if one.saved]
                if saved:
                    await self._restore(max(saved, key=lambda one: one.used_at))
        except (OSError, SlotError) as err:
            self._failed(err)

    def spoken(self, fields: Mapping[str, Any], slot: int | None) -> None:
        """Note that a question was answered by voice in `slot`: its prompt is the house's."""
        self._spoken_at = self._clock()
        if slot == VOICE_SLOT:
            self._held = None
        self._note(self._learn(fields, self._clock(), held=slot == VOICE_SLOT))

    def disturbed(self) -> None:
        """Note that something else was answered in the voice slot."""
        self._held = None

    def crowded(self, tokens: int, context_tokens: int) -> None:
        """Note that another slot held so many tokens of the context that all slots share.

        Where both do not fit, the runner empties the slot that rests. What was said in the voice
        slot behind the prompt is not known here, so it counts as a quarter of the context; a prompt
        that is there after all costs nothing to read again.
        """
        if self._held is not None and len(self._held) + tokens > 0.75 * context_tokens:
            self._held = None

    def expect(self, fields: Mapping[str, Any] | None) -> None:
        """Note that a question is about to come, with these messages and tools if known."""
        if fields is not None:
            self._note(self._learn(fields, self._clock(), held=False))

    def step(self, *, active: bool, busy: bool, urgent: bool) -> None:
        """Do the next thing there is to do, or let go of it because somebody speaks."""
        if not active:
            self._held = None
        working = self._work is not None and not self._work.done()
        if working:
            if (busy or not active) and self._cancellable and self._work is not None:
                self._work.cancel()
            return
        if not active:
            return
        scene = Scene(
            held=self._held,
            busy=busy,
            spoken_at=self._spoken_at,
            failed_at=self._failed_at,
            urgent=urgent,
            saves=self._runner.prompt_store_mib > 0,
        )
        if job := next_job(self._prompts, scene, self._clock()):
            self._work = asyncio.create_task(self._do(job), name=f"prompt of {self._runner.name}")

    async def close(self) -> None:
        """Stop whatever is under way."""
        tasks = [*self._notes, *((self._work,) if self._work else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._slots.close()

    def _note(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _learn(self, fields: Mapping[str, Any], used_at: float, *, held: bool) -> None:
        """Find what the prompt of `fields` begins with, and note that it was used."""
        try:
            tokens = await self._prefix(fields)
        except (OSError, SlotError) as err:
            _LOGGER.debug("%s: the prompt cannot be told: %s", self._runner.name, err)
            return
        if len(tokens) < LEAST_TOKENS:
            return
        key = key_of(self._identity or "", tokens)
        before = set(self._prompts)
        self._prompts = used(self._prompts, key, tokens, used_at)
        for gone in before - set(self._prompts):
            await asyncio.to_thread(self._files.remove, gone)
        if self._prompts[key].saved:
            self._files.touch(key)
        if held:
            self._held = tokens
        self._changed()

    async def _prefix(self, fields: Mapping[str, Any]) -> Tokens:
        shown = static(fields)
        if not shown["messages"] and not shown.get("tools"):
            return ()
        said = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        name = hashlib.sha256(said.encode()).hexdigest()
        if (tokens := self._prefixes.pop(name, None)) is None:
            tokens = await self._slots.prefix(shown)
        self._prefixes[name] = tokens
        while len(self._prefixes) > _REMEMBERED:
            del self._prefixes[next(iter(self._prefixes))]
        return tokens

    async def _do(self, job: Job) -> None:
        _LOGGER.debug("%s: %s the prompt: %s", self._runner.name, job.work, job.reason)
        try:
            if job.work is Work.RESTORE:
                await self._restore(job.prompt)
            else:
                identity = None
                if job.work is Work.SAVE:
                    identity = await self._runner.identity(read=True)
                await self._read(job.prompt)
                if identity is not None:
                    await self._save(job.prompt, identity)
        except (OSError, SlotError) as err:
            self._failed(err)
        finally:
            self._changed()

    async def _restore(self, prompt: Prompt) -> None:
        began_at, self._held = self._clock(), None
        try:
            await self._slots.restore(VOICE_SLOT, self._files.name(prompt.key))
        except SlotError:
            # Damaged, or made by another program: it is read and saved anew.
            self._files.remove(prompt.key)
            if prompt.key in self._prompts:
                self._prompts[prompt.key] = replace(prompt, saved=False, first_at=self._clock())
            raise
        self._held = prompt.tokens
        self.restore_s = self._clock() - began_at
        self._files.touch(prompt.key)

    async def _read(self, prompt: Prompt) -> None:
        self._cancellable = True
        self._held = None
        try:
            await self._slots.read(prompt.tokens, VOICE_SLOT)
        finally:
            self._cancellable = False
        self._held = prompt.tokens

    async def _save(self, prompt: Prompt, identity: str) -> None:
        key = key_of(identity, prompt.tokens)
        try:
            saved = await self._slots.save(VOICE_SLOT, self._files.part_name(key))
            # More than that are somebody's words, who spoke meanwhile: they are never kept.
            kept = saved == len(prompt.tokens) and await asyncio.to_thread(
                self._files.keep, key, identity, prompt.tokens
            )
        except (OSError, SlotError):
            self._files.remove(key)
            raise
        if not kept:
            self._files.remove(key)
            raise SlotError("its state is more than the prompt, or larger than prompt_store_mib")
        # Weights that nobody pinned are hashed at the first save: the name may be another then.
        self._identity = identity
        known = self._prompts.pop(prompt.key, prompt)
        self._prompts[key] = replace(known, key=key, saved=True)

    def _failed(self, err: Exception) -> None:
        self._failed_at = self._clock()
        _LOGGER.info("%s: its prompt was not kept warm: %s", self._runner.name, err)


def static(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a question shows before the words of a person: instructions and tools."""
    messages: list[Any] = []
    for message in fields.get("messages") or ():
        if message.get("role") not in _INSTRUCTIONS:
            break
        messages.append(message)
    shown = {name: fields[name] for name in _SHOWN if fields.get(name) is not None}
    return {"messages": messages, **shown}
