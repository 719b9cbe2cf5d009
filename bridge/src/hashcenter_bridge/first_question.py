"""Asks a runner one short question once it is ready: its speed is known before a person asks."""

import logging

import aiohttp

from .incoming import PRIORITY_HEADER
from .programs import RunnerProgram
from .rig import Rig
from .runners.upstream import session
from .tickets import Priority, TicketRefused, Usage

_LOGGER = logging.getLogger(__name__)
_QUESTION = "Say hello."
_TOKENS = 16


async def ask_once(program: RunnerProgram, rig: Rig) -> None:
    """Wait until `program` is ready for the first time and measure one answer.

    It holds an ordinary ticket of the lowest priority, so a person's question goes first.
    """
    if program.runner.upstream.draws:
        return
    await program.first_active.wait()
    runner = program.runner
    upstream = runner.upstream
    model = runner.models[0].id if runner.models else ""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": _QUESTION}],
        "max_tokens": _TOKENS,
        "stream": True,
    }
    with rig.tickets.hold(Priority.BATCH, model) as ticket:
        try:
            await ticket.granted()
            async with (
                session(upstream) as asking,
                asking.post(
                    f"{upstream.base_url}/chat/completions",
                    json=body,
                    headers={PRIORITY_HEADER: Priority.BATCH.name.lower()},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=120),
                ) as response,
            ):
                tokens = 0
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        ticket.stamp("first_token")
                        tokens += 1
                ticket.usage = Usage(completion_tokens=tokens)
        except (TicketRefused, aiohttp.ClientError, ValueError, TimeoutError, OSError) as err:
            _LOGGER.info("%s was not measured: %s", runner.name, err)
