"""The bridge's end: asks powerd for limits, says each second that it is well.

The connection is made when it is needed and again after a failure; powerd's own word on a refusal
reaches the person who reads the device's fault.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ..errors import DeviceFault
from .protocol import MAX_LINE_BYTES, Answer, AnyAsk, Bye, May, Release, Renew, SetLimit

_ANSWER_S: Final = 6.0


class Client:
    """One connection to powerd; questions wait for each other."""

    def __init__(self, path: Path) -> None:
        """`path` is powerd's socket."""
        self._path = path
        self._lock = asyncio.Lock()
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def set_limit(self, uid: str, power_w: float) -> float:
        """Ask for a GPU's limit; return what was set. Raises DeviceFault when it was not."""
        answer = await self._ask(SetLimit(uid=uid, power_w=power_w))
        return power_w if answer.limit_w is None else answer.limit_w

    async def renew(self) -> None:
        """Say that the bridge is well. Raises DeviceFault when powerd cannot be told."""
        await self._ask(Renew())

    async def may(self) -> str:
        """Return who holds the limits. Raises DeviceFault when this user may not ask."""
        try:
            return (await self._ask(May())).text
        finally:
            self._hang_up()

    async def release(self) -> None:
        """Have every card at its factory default again (root). Raises DeviceFault."""
        await self._ask(Release())

    async def close(self) -> None:
        """Say goodbye, so that the safe limits hold at once."""
        if self._line is None:
            return
        with suppress(DeviceFault):  # it then finds out by itself
            await self._ask(Bye())
        self._hang_up()

    async def _ask(self, said: AnyAsk) -> Answer:
        async with self._lock:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    answer = await self._exchange(said.model_dump_json().encode() + b"\n")
            except (OSError, TimeoutError, ValueError) as err:
                self._hang_up()
                why = getattr(err, "strerror", None) or str(err) or "no answer"
                raise DeviceFault(
                    "limit_not_permitted",
                    f"powerd at {self._path} did not answer ({why}): start it with "
                    "`systemctl start hashcenter-powerd`, or see its log",
                ) from None
            except BaseException:
                self._hang_up()  # an answer that nobody read would be taken for the next one's
                raise
        if not answer.ok:
            code = "limit_not_permitted" if answer.code in _NOT_ALLOWED else "limit_refused"
            raise DeviceFault(code, f"powerd refused: {answer.text}")
        return answer

    async def _exchange(self, line: bytes) -> Answer:
        if self._line is None:
            self._line = await asyncio.open_unix_connection(str(self._path), limit=MAX_LINE_BYTES)
        reader, writer = self._line
        writer.write(line)
        await writer.drain()
        answer = await reader.readline()
        if not answer:
            raise ConnectionResetError("it hung up")
        try:
            return Answer.model_validate_json(answer)
        except ValidationError:
            raise ValueError("its answer is unreadable") from None

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line[1].close()
            self._line = None


_NOT_ALLOWED: Final = frozenset({"stranger", "held", "not_root"})
