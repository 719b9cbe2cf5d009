"""What all slots hold together is bounded: who speaks is answered all the same."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.bridge.serving import Api, make_runner, running, served

CHAT = "/v1/chat/completions"
VOICE = {"X-Hashcenter-Priority": "voice"}


def asked(words: int, answer: int) -> dict[str, Any]:
    """Return a question of about so many tokens, and an answer of exactly so many."""
    return {
        "messages": [{"role": "user", "content": "rain " * words}],
        "max_tokens": answer,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }


def to_its_slot(api: Api) -> None:
    """Have voice answered in slot 0 and all else in slot 1, as the arbiter does."""
    api.grant = lambda ticket: ticket.grant("voice", 0 if ticket.priority == 0 else 1)


async def test_voice_is_answered_beside_an_answer_that_left_it_no_room(
    tmp_path: Path, small_model: Path
) -> None:
    runner = make_runner(tmp_path, small_model, context_tokens=512, slots=2)
    async with running(runner) as held, served(runner) as api, api.client() as client:
        to_its_slot(api)
        async with client.post(CHAT, json=asked(250, 250)) as batch:
            await batch.content.readuntil(b'"content":"')

            said = await _said(client, asked(300, 5))

            assert said.count(b'"content":"') >= 5
            assert b'"error"' not in said
            # The one that was in the way is told so, and ends.
            assert b"Context size has been exceeded" in await batch.read()
        await held.until_slots_in_use(0)


async def _said(client: aiohttp.ClientSession, question: dict[str, Any]) -> bytes:
    async with asyncio.timeout(60), client.post(CHAT, json=question, headers=VOICE) as answer:
        assert answer.status == 200
        return await answer.read()
