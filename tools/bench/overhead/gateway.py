"""The HTTP API against the same runner directly, interleaved: noise hurts both alike.

Direct requests go to the runner's UNIX socket, the way the bridge itself does. Uncached prompts
start with words that were never sent before; the warm prompt is always the same.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp

from tools.bench.overhead.rig import Rig
from tools.demo.ports import HOST

_WORDS = ("heat", "lamp", "door", "room", "wind", "rain", "cold", "warm", "fire", "iron")
_UNCACHED_TOKENS = 512
_WARM_TOKENS = 64
_GENERATED = 48
_numbers = count()


@dataclass(frozen=True)
class Timing:
    """One answer: seconds to its first token, tokens per second after it."""

    first_token_s: float
    tokens_per_s: float


@dataclass(frozen=True)
class Way:
    """One of the two ways to the runner."""

    session: aiohttp.ClientSession
    url: str


async def measure(
    rig: Rig, repeats: int, warm_repeats: int, say: Callable[[str], None]
) -> dict[str, float]:
    """Return the gateway's figures: ratios through the API against direct."""
    # A fresh connection for each request: the runner hangs up on idle ones.
    connector = aiohttp.UnixConnector(str(rig.socket), force_close=True)
    headers = {"Authorization": f"Bearer {rig.key}"}
    async with (
        aiohttp.ClientSession(connector=connector) as straight,
        aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(force_close=True)
        ) as through,
    ):
        direct = Way(straight, "http://runner/v1/chat/completions")
        gateway = Way(through, f"http://{HOST}:{rig.http_port}/v1/chat/completions")
        figures: dict[str, float] = {}
        for streams in (1, 4):
            say(f"{streams} streams, {repeats} pairs of {_UNCACHED_TOKENS} uncached tokens")
            ttft, tps = await _pairs(gateway, direct, streams, repeats)
            figures[f"gateway_ttft_ratio_{streams}"] = ttft
            figures[f"gateway_tps_ratio_{streams}"] = tps
        say(f"{warm_repeats} pairs of a warm {_WARM_TOKENS}-token prompt")
        figures["gateway_added_ms_p50"] = await _added_ms(gateway, direct, warm_repeats)
    return figures


async def _pairs(gateway: Way, direct: Way, streams: int, repeats: int) -> tuple[float, float]:
    """Return the median ratios of first-token time and of tokens per second, pair by pair."""
    ttft, tps = [], []
    for index in range(repeats):
        order = (gateway, direct) if index % 2 else (direct, gateway)
        measured = {id(way): await _round(way, streams) for way in order}
        ours, bare = measured[id(gateway)], measured[id(direct)]
        ttft.append(ours.first_token_s / bare.first_token_s)
        tps.append(ours.tokens_per_s / bare.tokens_per_s)
    return statistics.median(ttft), statistics.median(tps)


async def _round(way: Way, streams: int) -> Timing:
    timings = await asyncio.gather(
        *(_ask(way, _prompt(_UNCACHED_TOKENS, next(_numbers)), _GENERATED) for _ in range(streams))
    )
    return Timing(
        statistics.mean(timing.first_token_s for timing in timings),
        statistics.mean(timing.tokens_per_s for timing in timings),
    )


async def _added_ms(gateway: Way, direct: Way, repeats: int) -> float:
    """Return the difference of the medians of first-token times on a prompt that is cached."""
    prompt = _prompt(_WARM_TOKENS, 0)
    for way in (direct, gateway, direct, gateway):
        await _ask(way, prompt, 1)
    ours: list[float] = []
    bare: list[float] = []
    for index in range(repeats):
        order = (
            ((gateway, ours), (direct, bare)) if index % 2 else ((direct, bare), (gateway, ours))
        )
        for way, times in order:
            times.append((await _ask(way, prompt, 1)).first_token_s)
    return 1000 * (statistics.median(ours) - statistics.median(bare))


def _prompt(tokens: int, seed: int) -> str:
    """Return about `tokens` tokens of plain words; another seed differs from the first word on."""
    chance = random.Random(seed)  # noqa: S311
    return " ".join([str(seed), *(chance.choice(_WORDS) for _ in range(tokens - 16))])


async def _ask(way: Way, prompt: str, generated: int) -> Timing:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": generated,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    tokens, first_at = 0, 0.0
    started = time.perf_counter()
    async with way.session.post(way.url, json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: {") and b'"content":"' in line:
                tokens += 1
                first_at = first_at or time.perf_counter()
    ended = time.perf_counter()
    decode_s = ended - first_at
    return Timing(first_at - started, (tokens - 1) / decode_s if tokens > 1 else 0.0)
