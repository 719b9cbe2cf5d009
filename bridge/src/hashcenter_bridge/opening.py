"""The beginning of a streamed answer, held back until the runner says something. Pure.

As long as nothing was handed on, an answer can be recalled, and refused with a status of its own.
llama.cpp is asked for its progress through the prompt, because only then does it notice within one
batch that nobody waits any more; those events end here.
Source: llama.cpp tools/server/README.md, `return_progress`.
"""

import json
import re
from typing import Final

#: The first event that says something: a stream may begin with a role and no content.
_FIRST_TOKEN: Final = re.compile(rb'"(?:content|reasoning_content)": ?"[^"]|"tool_calls": ?\[')
_PROGRESS: Final = b'"prompt_progress"'
_END: Final = b"\n\n"
_BREAK: Final = re.compile(rb"\r?\n\r?\n")
#: How llama.cpp ends all answers when what they hold together is more than it can.
_CROWDED: Final = b"Context size has been exceeded"
#: No event before the first token is larger; what is, is handed on as it is.
_MAX_HELD: Final = 1 << 20


class Opening:
    """What `feed` returns is to be handed on. `said` is set by the first token.

    `cached` and `total` are tokens of the prompt, once the runner told its progress;
    `keep_progress` hands those events on as well, to a client that asked for them. `crowded`: the
    runner broke off before it said anything, because all answers together had no room.
    """

    def __init__(self, *, keep_progress: bool = False) -> None:
        self.said = False
        self.crowded = False
        self.cached: int | None = None
        self.total: int | None = None
        self._keep_progress = keep_progress
        self._held = b""
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes; return those that go on now."""
        if self.said:
            return piece
        *events, self._rest = _BREAK.split(self._rest + piece)
        release = len(self._rest) + len(self._held) > _MAX_HELD
        for event in events:
            if _PROGRESS in event:
                self._note(event)
                if not self._keep_progress:
                    continue
            self.crowded = self.crowded or _CROWDED in event
            self._held += event + _END
            self.said = self.said or _FIRST_TOKEN.search(event) is not None
            # A ping keeps the client's connection alive.
            release = release or self.said or self._keep_progress or event.startswith(b":")
        return self.flush() if release else b""

    def flush(self) -> bytes:
        """Return what is held: something was said, or the stream is at its end."""
        held, self._held = self._held, b""
        if self.said:
            held, self._rest = held + self._rest, b""
        return held

    def end(self) -> bytes:
        """Return all that is left, once the stream is over."""
        left, self._held, self._rest = self._held + self._rest, b"", b""
        return left

    def _note(self, event: bytes) -> None:
        try:
            progress = json.loads(event.partition(b"data:")[2])["prompt_progress"]
            self.cached, self.total = int(progress["cache"]), int(progress["total"])
        except (ValueError, KeyError, TypeError):
            return
