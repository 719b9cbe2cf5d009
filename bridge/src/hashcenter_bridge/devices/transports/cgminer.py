"""cgminer's API, which most firmwares inherited: one JSON request and reply for each connection.

    {"command": "summary", "parameter": "..."} -> {"STATUS": [...], "SUMMARY": [...]} NUL, closed

Source: cgminer's API-README. `STATUS` is S (success), I (information), W (warning), E or F.
"""

import asyncio
import json
from typing import Any

from . import (
    ANSWER_WITHIN_S,
    CONNECT_WITHIN_S,
    MAX_ANSWER_BYTES,
    because,
    refused,
    reply,
    unreachable,
    unreadable,
)

PORT = 4028
_CHUNK = 64 * 1024


async def exchange(
    address: str, port: int, request: bytes, *, within_s: float = ANSWER_WITHIN_S
) -> bytes:
    """Send `request`, return everything up to the first NUL or the end. Raises DeviceFault."""
    writer: asyncio.StreamWriter | None = None
    received = bytearray()
    try:
        async with asyncio.timeout(min(CONNECT_WITHIN_S, within_s)):
            reader, writer = await asyncio.open_connection(address, port)
        async with asyncio.timeout(within_s):
            writer.write(request)
            while len(received) <= MAX_ANSWER_BYTES:
                chunk = await reader.read(_CHUNK)
                received += chunk
                if not chunk or b"\0" in chunk or _complete(received):
                    break
    except (OSError, TimeoutError) as err:
        raise unreachable(address, because(err)) from None
    finally:
        if writer is not None:
            # At once, also when cancelled: nobody waits for a polite end.
            writer.transport.abort()
    if len(received) > MAX_ANSWER_BYTES:
        raise unreadable(address, "it is too long")
    if not received.strip(b"\0\r\n "):
        raise unreachable(address, "the connection was closed without an answer")
    return bytes(received).split(b"\0", 1)[0] or bytes(received)


def _complete(received: bytearray) -> bool:
    """Tell whether a whole object came; some firmwares neither send NUL nor close."""
    if not received.rstrip().endswith(b"}"):
        return False
    try:
        json.loads(received)
    except (ValueError, RecursionError):
        return False
    return True


async def ask(
    address: str,
    port: int,
    command: str,
    parameter: str | None = None,
    *,
    within_s: float = ANSWER_WITHIN_S,
) -> dict[str, Any]:
    """Return the reply to a command, whatever its STATUS. Raises DeviceFault."""
    request = {"command": command}
    if parameter is not None:
        request["parameter"] = parameter
    return await ask_object(address, port, request, within_s=within_s)


async def ask_object(
    address: str, port: int, request: dict[str, Any], *, within_s: float = ANSWER_WITHIN_S
) -> dict[str, Any]:
    """Return the reply to a request of any shape. Raises DeviceFault."""
    raw = await exchange(address, port, json.dumps(request).encode(), within_s=within_s)
    try:
        answer = reply.parse(raw)
    except ValueError as err:
        raise unreadable(address, str(err)) from None
    if not isinstance(answer, dict):
        raise unreadable(address, "it is no object")
    return answer


def status(answer: dict[str, Any]) -> tuple[str, str]:
    """Return the letter and the words of a reply's STATUS; Whatsminer writes it without a list."""
    first = reply.dig(answer, "STATUS", 0)
    source = first if isinstance(first, dict) else answer
    letter = reply.string(source.get("STATUS")) or ""
    words = source.get("Msg")
    return letter, words if isinstance(words, str) else ""


def succeeded(address: str, what: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return `answer` if the machine says it did it. Raises DeviceFault `refused`."""
    letter, words = status(answer)
    if letter not in {"S", "I", "W"}:
        raise refused(address, what, words or "it gave no reason")
    return answer
