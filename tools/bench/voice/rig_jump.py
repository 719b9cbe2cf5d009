"""How long voice waits for batches on the same runner, in batch steps beyond its own prompt.

Once over 8 answers that are being decoded, once over a prompt of 4,000 tokens that is being read.
Voice goes where the arbiter sends it: to slot 0, which the batches never have.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Rules, RunnerSeen, Running, Seen, State, TicketSeen
from hashcenter_bridge.runners import Runner
from tests.bridge.serving import Api, make_runner, running, served
from tools.paths import MODEL

_BATCHES = 8
#: The words of a person; the house's prompt before them is read already.
_VOICE_TOKENS = 64
_LONG_TOKENS = 4000
_CHAT = "/v1/chat/completions"
_WORDS = ("heat", "lamp", "door", "room", "wind", "rain", "cold", "warm", "fire", "iron")
_numbers = count()
_chance = random.Random(4)  # noqa: S311


class Voice(NamedTuple):
    """A question by voice: seconds until its prompt was begun, and until its first token."""

    begun_s: float
    first_s: float


async def measure(repeats: int, say: Callable[[str], None]) -> dict[str, float]:
    """Return `voice_jump_steps_decode` and `voice_jump_steps_prefill`: medians."""
    with tempfile.TemporaryDirectory() as folder:
        runner = make_runner(Path(folder), MODEL, context_tokens=8192, slots=_BATCHES + 1)
        async with running(runner), served(runner) as api, api.client() as client:
            api.grant = lambda _: _arbitrate(api, runner)
            decode = await _over_decoding(api, client, repeats, say)
            prefill = await _over_reading(api, client, repeats, say)
    return {"voice_jump_steps_decode": decode, "voice_jump_steps_prefill": prefill}


def _arbitrate(api: Api, runner: Runner) -> None:
    """Do with all tickets what the bridge's loop does: as the arbiter decides."""
    serving = RunnerSeen("voice", (), Running.ACTIVE, runner.slots, resumes=True)
    tickets = tuple(
        TicketSeen(
            one.id,
            one.priority,
            one.stamps["opened"],
            runner=one.runner,
            slot=one.slot,
            recallable=one.recallable,
            said="first_token" in one.stamps,
        )
        for one in api.open.values()
    )
    seen = Seen(runners=(serving,), tickets=tickets)
    _, wanted = decide(State(), seen, Rules("bench", max_w=1.0), time.monotonic())
    for number, fate in wanted.tickets.items():
        ticket = api.open[number]
        if fate.recall:
            ticket.recall()
        elif ticket.waiting and fate.runner is not None:
            ticket.grant(fate.runner, fate.slot or 0)


async def _over_decoding(
    api: Api, client: aiohttp.ClientSession, repeats: int, say: Callable[[str], None]
) -> float:
    own_s = await _own_s(client, repeats)
    pieces = [0] * _BATCHES
    asking = [asyncio.create_task(_batch(client, pieces, index)) for index in range(_BATCHES)]
    await _until(lambda: all(pieces))
    steps: list[float] = []
    waits: list[float] = []
    for _ in range(repeats):
        began, before = time.perf_counter(), max(pieces)
        await asyncio.sleep(0.5)
        step_s = (time.perf_counter() - began) / max(1, max(pieces) - before)
        voice = await _voice(client)
        steps.append((voice.first_s - own_s) / step_s)
        waits.append(voice.begun_s / step_s)
        if any(task.done() for task in asking):
            break
    await _end(asking)
    await _until(lambda: not api.open)
    say(f"over 8 that decode: own prompt {own_s:.2f} s; steps {[round(one, 2) for one in steps]}")
    wait = statistics.median(waits)
    beside = statistics.median(steps) - wait
    say(f"  of them {wait:.2f} until the step under way was over, {beside:.2f} read beside the 8")
    return statistics.median(steps)


async def _over_reading(
    api: Api, client: aiohttp.ClientSession, repeats: int, say: Callable[[str], None]
) -> float:
    steps = [await _over_one_prompt(api, client) for _ in range(repeats)]
    say(f"over one that reads {_LONG_TOKENS}: steps {[round(one, 2) for one in steps]}")
    return statistics.median(steps)


async def _over_one_prompt(api: Api, client: aiohttp.ClientSession) -> float:
    """Return for how many of its steps voice waited for one long prompt."""
    own_s = await _own_s(client, 1)
    moments: list[float] = []
    asking = [asyncio.create_task(_long(client, moments))]
    await _until(lambda: len(moments) >= 4)
    step_s = (moments[-1] - moments[1]) / (len(moments) - 2)
    await asyncio.sleep(_chance.random() * step_s)
    waited_s = (await _voice(client)).first_s - own_s
    await _end(asking)
    await _until(lambda: not api.open)
    # The runner notices within a step that nobody waits for it any more.
    await asyncio.sleep(2 * step_s)
    return waited_s / step_s


async def _own_s(client: aiohttp.ClientSession, repeats: int) -> float:
    """Return how long voice takes alone."""
    return statistics.median([(await _voice(client)).first_s for _ in range(max(1, repeats))])


async def _voice(client: aiohttp.ClientSession) -> Voice:
    body = {**_question(_VOICE_TOKENS, 2), "return_progress": True}
    headers = {"X-Hashcenter-Priority": "voice"}
    began, begun_s = time.perf_counter(), 0.0
    async with client.post(_CHAT, json=body, headers=headers) as response:
        async for line in response.content:
            if not begun_s and b'"prompt_progress"' in line:
                begun_s = time.perf_counter() - began
            if b'"content":"' in line:
                first_s = time.perf_counter() - began
                break
        await response.read()
    return Voice(begun_s, first_s)


async def _batch(client: aiohttp.ClientSession, pieces: list[int], index: int) -> None:
    async with client.post(_CHAT, json=_question(60, 700), headers=_BATCH) as response:
        async for line in response.content:
            pieces[index] += line.startswith(b"data: {")


async def _long(client: aiohttp.ClientSession, moments: list[float]) -> None:
    body = {**_question(_LONG_TOKENS, 4), "return_progress": True}
    async with client.post(_CHAT, json=body, headers=_BATCH) as response:
        async for line in response.content:
            if b'"prompt_progress"' not in line:
                continue
            moments.append(time.perf_counter())


_BATCH = {"X-Hashcenter-Priority": "batch"}


def _question(tokens: int, generated: int) -> dict[str, Any]:
    """Return a question of about `tokens` words that was never asked before."""
    words = [str(next(_numbers)), *(_chance.choice(_WORDS) for _ in range(tokens - 16))]
    return {
        "messages": [{"role": "user", "content": " ".join(words)}],
        "max_tokens": generated,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not holds():
            await asyncio.sleep(0.01)


async def _end(asking: list[asyncio.Task[None]]) -> None:
    for task in asking:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
