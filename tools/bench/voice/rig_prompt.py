"""What a saved prompt is worth: restoring its state against reading it cold, on the same runner."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hashcenter_bridge.runners import KeepsPrompts
from hashcenter_bridge.runners.slots import Slots
from tests.bridge.serving import make_runner, running
from tools.paths import MODEL

_STATE = "bench.kv"
#: About 2,000 tokens, as a house with 60 exposed entities has.
HOUSE = "\n".join(f"- names: lamp {number}\n  areas: room {number % 9}" for number in range(130))


async def measure(repeats: int, say: Callable[[str], None]) -> dict[str, float]:
    """Return `kv_restore_ratio_vs_cold`: medians of interleaved repeats."""
    cold: list[float] = []
    restored: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        runner = make_runner(Path(folder), MODEL, context_tokens=4096)
        assert isinstance(runner, KeepsPrompts)
        async with running(runner):
            slots = Slots(runner.upstream)
            tokens = await slots.prefix({"messages": [{"role": "system", "content": HOUSE}]})
            say(f"{repeats} times: {len(tokens)} tokens read cold, then restored")
            for _ in range(repeats):
                await slots.erase(0)
                began = time.perf_counter()
                await slots.read(tokens, 0)
                cold.append(time.perf_counter() - began)
                await slots.save(0, _STATE)
                await slots.erase(0)
                began = time.perf_counter()
                assert await slots.restore(0, _STATE) == len(tokens)
                restored.append(time.perf_counter() - began)
            await slots.close()
    say(f"cold {statistics.median(cold):.2f} s, restored {statistics.median(restored):.4f} s")
    return {"kv_restore_ratio_vs_cold": statistics.median(restored) / statistics.median(cold)}
