"""What llama.cpp's server can do beyond OpenAI's API: count, read a prompt ahead, keep its state.

Source: llama.cpp tools/server/README.md: `/apply-template`, `/tokenize`, `/completion`,
`/slots/{id}?action=save|restore`, `/v1/chat/completions/input_tokens`.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from . import Upstream
from .upstream import session

Tokens = tuple[int, ...]

#: Two words that no tokenizer merges with what stands before them alike.
_WORDS: Final = ("Arrow", "zebra")
_REFUSED_WITHIN: Final = 300


class SlotError(Exception):
    """The runner refused; the text is its own."""


class Slots:
    """One runner's slots. Everything raises SlotError, or OSError when the runner is gone."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None
        self._adds_special = True

    async def close(self) -> None:
        """Let go of the runner."""
        if self._session is not None:
            await self._session.close()

    async def count(self, fields: Mapping[str, Any]) -> int:
        """Return how many tokens the prompt of a chat completion has."""
        answer = await self._post("/v1/chat/completions/input_tokens", fields)
        return int(answer["input_tokens"])

    async def prefix(self, fields: Mapping[str, Any]) -> Tokens:
        """Return the tokens that every chat with these `messages` and tools begins with.

        The template decides where the words of a person come, so it is asked with two different
        ones: what both prompts have in common is the prefix.
        """
        first, second = [await self._prompt(fields, word) for word in _WORDS]
        same = 0
        for one, other in zip(first, second, strict=False):
            if one != other:
                break
            same += 1
        return first[:same]

    async def _prompt(self, fields: Mapping[str, Any], word: str) -> Tokens:
        asked = {**fields, "messages": [*fields["messages"], {"role": "user", "content": word}]}
        text = str((await self._post("/apply-template", asked))["prompt"])
        tokens = await self._tokens(text)
        try:
            right = await self.count(asked)
        except SlotError:
            return tokens
        if len(tokens) != right:
            # The template wrote the model's first token itself.
            self._adds_special = not self._adds_special
            tokens = await self._tokens(text)
        if len(tokens) != right:
            raise SlotError(f"its prompt has {right} tokens, but {len(tokens)} were found")
        return tokens

    async def _tokens(self, text: str) -> Tokens:
        body = {"content": text, "add_special": self._adds_special, "parse_special": True}
        answer = await self._post("/tokenize", body)
        return tuple(int(token) for token in answer["tokens"])

    async def read(self, tokens: Tokens, slot: int) -> None:
        """Have `slot` hold exactly `tokens`; what it already holds of them is not read again.

        It is asked for a stream with progress: only then does cancelling this end it in one step.
        """
        body = {
            "prompt": list(tokens),
            "id_slot": slot,
            "n_predict": 0,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,
        }
        try:
            async with self._client().post(
                f"{self._upstream.root_url}/completion", json=body
            ) as response:
                if response.status != 200:
                    raise SlotError(_said(await response.read()))
                async for _ in response.content.iter_any():
                    pass
        except aiohttp.ClientError as err:
            raise ConnectionError(str(err)) from None

    async def save(self, slot: int, name: str) -> int:
        """Save `slot` in the file `name` of the runner's folder; return how many tokens it held."""
        answer = await self._post(f"/slots/{slot}?action=save", {"filename": name})
        return int(answer["n_saved"])

    async def erase(self, slot: int) -> None:
        """Have `slot` hold nothing."""
        await self._post(f"/slots/{slot}?action=erase", {})

    async def restore(self, slot: int, name: str) -> int:
        """Load a saved state into `slot`; return how many tokens it holds now."""
        answer = await self._post(f"/slots/{slot}?action=restore", {"filename": name})
        return int(answer["n_restored"])

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = session(self._upstream)
        return self._session

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            async with self._client().post(
                f"{self._upstream.root_url}{path}", json=body
            ) as response:
                answer = await response.read()
                if response.status != 200:
                    raise SlotError(_said(answer))
        except aiohttp.ClientError as err:
            raise ConnectionError(str(err)) from None
        try:
            said = json.loads(answer)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise SlotError(f"{path} was not answered with an object")
        return said


def _said(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"]["message"])[:_REFUSED_WITHIN]
    except (ValueError, KeyError, TypeError):
        return answer[:_REFUSED_WITHIN].decode(errors="replace") or "it refused without a word"
