"""cgminer's API, which most firmwares inherited: one JSON request and reply for each connection.

    {"command": "summary", "parameter": "..."} -> {"STATUS": [...], "SUMMARY": [...]} NUL, closed

Source: cgminer's API-README. `STATUS` is S (success), I (information), W (warning), E or F.
"""

import asyncio
import json
from typing import Any

from ...errors import DeviceFault
from ..asic import Pool
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


def pools(answer: Any) -> tuple[Pool, ...]:
    """Return what `pools` tells: which are alive, and which one is worked for."""
    return tuple(
        Pool(
            url=url,
            worker=reply.string(row.get("User")) or "",
            active=reply.truth(row.get("Stratum Active")) is True,
            connected=alive == "Alive" if (alive := reply.string(row.get("Status"))) else None,
        )
        for row in reply.rows(answer, "POOLS")
        if (url := reply.string(row.get("URL")))
    )


def hash_rate_mhs(summary: Any) -> float | None:
    """Return the hash rate of the shortest window that `summary` tells, in MH/s."""
    row = reply.dig(summary, "SUMMARY", 0)
    for unit, scale in (("MHS", 1.0), ("GHS", 1e3), ("KHS", 1e-3)):
        for window in ("5s", "1m", "av"):
            found = reply.amount(reply.dig(row, f"{unit} {window}"))
            if found is not None:
                return found * scale
    return None


def shares(answer: Any) -> tuple[int | None, int | None]:
    """Return the shares that were accepted and rejected, in `summary`."""
    row = reply.dig(answer, "SUMMARY", 0)
    return reply.count(reply.dig(row, "Accepted")), reply.count(reply.dig(row, "Rejected"))


async def glance(
    address: str, port: int, command: str, parameter: str | None = None, *, within_s: float = 1.4
) -> dict[str, Any] | None:
    """Ask whoever is at an open port, None if the answer is none of cgminer's."""
    try:
        return await ask(address, port, command, parameter, within_s=within_s)
    except DeviceFault:
        return None
