"""Server-sent events: raw bytes of a streamed answer -> the text of each `data:` field.

Only what OpenAI-compatible servers use of the format (WHATWG HTML, section 9.2): one `data:` line
is one event; comments (keep-alives) and other fields are passed over. A line has a size limit, so
that a server cannot fill the memory.
"""

from collections.abc import Iterator

MAX_LINE_BYTES = 1 << 20


class TooLong(Exception):
    """A line of the stream, or the stream, is longer than its limit."""


class EventLines:
    """Cuts a byte stream into events, however it was split on its way."""

    def __init__(self, limit_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._line = bytearray()

    def feed(self, data: bytes) -> Iterator[str]:
        """Yield the text of each event completed by `data`. Raises TooLong."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._extend(piece)
            line = bytes(self._line).rstrip(b"\r")
            self._line.clear()
            field, _, value = line.partition(b":")
            text = value.decode("utf-8", "replace").strip()
            if field == b"data":
                yield text
            elif field == b"error":
                # llama.cpp tells of a failure in a field of this name.
                yield f'{{"error": {text}}}'
        self._extend(rest)

    def _extend(self, piece: bytes) -> None:
        if len(self._line) + len(piece) > self._limit_bytes:
            raise TooLong
        self._line += piece
