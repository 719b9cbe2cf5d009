"""The rig's share of `./dev bench voice`: prompts, cutting in, pre-emption."""

from collections.abc import Callable

from tools.bench.voice import rig_jump, rig_preempt, rig_prompt


async def measure(
    parts: list[str], repeats: int, preemptions: int, say: Callable[[str], None]
) -> dict[str, float]:
    """Return the figures of those of `parts` that are the rig's."""
    figures: dict[str, float] = {}
    if "prompt" in parts:
        figures |= await rig_prompt.measure(repeats, say)
    if "jump" in parts:
        figures |= await rig_jump.measure(repeats, say)
    if "preempt" in parts:
        figures |= await rig_preempt.measure(preemptions, say)
    return figures


PARTS = ("prompt", "jump", "preempt")
