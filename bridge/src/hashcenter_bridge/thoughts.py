"""How long a model may think while somebody waits for its voice. Pure.

llama.cpp ends a thought when it is told to and goes on with the answer, so that nothing it has
thought is lost and the card does not go on for nobody.
Source: llama.cpp tools/server/README.md, `reasoning_control` and `/v1/chat/completions/control`.
"""

import re
from typing import Any, Final

#: Somebody who waits for a voice waits no longer than this for a model that only thinks. A house
#: that hangs up and asks again without thinking (after 4 s) need not.
VOICE_THINKING_S: Final = 3.0
#: What a question must say so that its thinking can be ended.
CONTROLLED: Final[dict[str, Any]] = {"reasoning_control": True}
_THOUGHT: Final = re.compile(rb'"reasoning_content": ?"[^"]')
_SAID: Final = re.compile(rb'"content": ?"[^"]|"tool_calls": ?\[')
_ID: Final = re.compile(rb'"id": ?"([^"\\]{1,120})"')


class Thoughts:
    """Watches a stream for a thought that takes longer than `limit_s` seconds."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._began_at: float | None = None
        self._over = False
        self._answer: str | None = None

    def feed(self, data: bytes, now: float) -> str | None:
        """Take what was said; return the id of the answer whose thought is to end, once."""
        if self._over:
            return None
        if _SAID.search(data):
            self._over = True
            return None
        if self._answer is None and (found := _ID.search(data)):
            self._answer = found[1].decode(errors="replace")
        if self._began_at is None:
            if _THOUGHT.search(data):
                self._began_at = now
            return None
        if now - self._began_at <= self._limit_s:
            return None
        self._over = True
        return self._answer
