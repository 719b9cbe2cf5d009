"""The program itself: one bridge at a time is heard on a UNIX socket, limits fall when it is not.

Who asks is known by the kernel's word (SO_PEERCRED), not by what it says. Limits that were granted
are kept in a file beside the socket, so that a powerd that was killed and started again never
raises one: it gives the bridge a moment to come back and then goes to the owner's safe limits.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import struct
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..errors import BridgeError, ConfigError
from ..ready import notify
from .decide import State, clamp, decide
from .gpus import GpuError, Gpus
from .protocol import MAX_LINE_BYTES, Answer, Bye, May, Release, SetLimit, read_ask
from .rules import PowerdConfig

_LOGGER = logging.getLogger(__name__)

_LOOK_S: Final = 1.0
#: struct ucred of unix(7): pid, uid, gid.
_UCRED: Final = struct.Struct("3i")


class Powerd:
    """Sets limits for one bridge at a time, and the owner's safe ones when there is none."""

    def __init__(self, config: PowerdConfig, gpus: Gpus) -> None:
        self._config = config
        self._gpus = gpus
        self._uids = config.uids()
        self._file = config.socket.with_name("granted.json")
        self._state = State(granted=MappingProxyType(_granted(self._file)))
        self._holder: int | None = None
        self._said = ""

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; the safe limits are set before it ends.

        Raises BridgeError when there is no driver or the socket cannot be had.
        """
        await self._gpus.open()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        server = await self._open()
        self._hold()  # a bridge that was here before powerd started again has a moment to return
        notify("READY=1")
        try:
            while not stop.is_set():
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await stop.wait()
        finally:
            server.close()
            self._config.socket.unlink(missing_ok=True)
            self._state = replace(self._state, held_until=0.0)
            await self._look()
            await self._gpus.close()

    async def _open(self) -> asyncio.Server:
        path = self._config.socket
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._serve, str(path), limit=MAX_LINE_BYTES)
        except OSError as err:
            raise ConfigError(f"socket: {path} cannot be opened ({err.strerror or err})") from None
        path.chmod(0o666)  # who may ask is decided by who it is
        return server

    async def _look(self) -> None:
        """Close the gap between the limits and what they should be; a failure is tried again."""
        try:
            seen = await self._gpus.see()
            rules = {uid: self._config.rules(uid) for uid in seen}
            self._state, wanted = decide(self._state, seen.values(), rules, time.monotonic())
            for uid, limit_w in wanted.items():
                _LOGGER.warning(
                    "%s: %s goes to %.0f W",
                    "above what was granted" if self._is_held() else "no bridge renews",
                    uid,
                    limit_w,
                )
                await self._gpus.set(uid, limit_w)
            if wanted:
                self._keep()
            notify("WATCHDOG=1")
            self._said = ""
        except GpuError as err:
            if str(err) != self._said:
                _LOGGER.warning("limits could not be checked: %s", err)
            self._said = str(err)

    def _is_held(self) -> bool:
        return time.monotonic() < self._state.held_until

    def _hold(self) -> None:
        held_until = time.monotonic() + self._config.silence_s
        self._state = replace(self._state, held_until=held_until)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid, uid = _peer(writer.get_extra_info("socket"))
        try:
            if uid not in self._uids:
                _LOGGER.warning("process %s of user %s may not ask", pid, uid)
                await _say(writer, Answer(ok=False, code="stranger", text="this user may not ask"))
                return
            while line := await reader.readline():
                await _say(writer, await self._answer(line, pid, uid))
        except (ValueError, ConnectionError) as err:
            _LOGGER.debug("process %s: %s", pid, err)  # a line that never ends, a peer that died
        finally:
            if self._holder == pid:
                self._holder = None
            writer.close()

    async def _answer(self, line: bytes, pid: int, uid: int) -> Answer:
        try:
            ask = read_ask(line)
        except ValueError as err:
            return Answer(ok=False, code="unreadable", text=str(err))
        if isinstance(ask, Release):
            return await self._release(uid)
        if isinstance(ask, May):
            held = self._holder is not None and self._is_held()
            who = f"process {self._holder} holds them now" if held else "nobody holds them now"
            return Answer(ok=True, text=who)
        if self._holder not in (None, pid) and self._is_held():
            text = f"process {self._holder} holds the limits"
            return Answer(ok=False, code="held", text=text)
        self._holder = pid
        if isinstance(ask, Bye):
            self._state = replace(self._state, held_until=0.0)
            await self._look()
            return Answer(ok=True)
        self._hold()
        return await self._set(ask) if isinstance(ask, SetLimit) else Answer(ok=True)

    async def _set(self, ask: SetLimit) -> Answer:
        try:
            seen = (await self._gpus.see()).get(ask.uid)
            if seen is None:
                return Answer(ok=False, code="unknown_gpu", text=f"there is no GPU {ask.uid} now")
            limit_w = clamp(seen, self._config.rules(ask.uid), ask.power_w)
            # Noted first: a powerd that dies in between never takes a lower limit for the last.
            self._state = self._state.with_grant(ask.uid, limit_w)
            self._keep()
            await self._gpus.set(ask.uid, limit_w)
        except GpuError as err:
            return Answer(ok=False, code="refused", text=str(err))
        return Answer(ok=True, limit_w=limit_w)

    async def _release(self, uid: int) -> Answer:
        if uid != 0:
            return Answer(ok=False, code="not_root", text="only root may release the limits")
        try:
            for gpu in (await self._gpus.see()).values():
                await self._gpus.set(gpu.uid, gpu.default_w)
        except GpuError as err:
            return Answer(ok=False, code="refused", text=str(err))
        self._state = State(released=True)
        self._file.unlink(missing_ok=True)
        return Answer(ok=True)

    def _keep(self) -> None:
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps(dict(self._state.granted)))
            fresh.replace(self._file)
        except OSError as err:
            _LOGGER.warning("%s cannot be written: %s", self._file, err)


def _granted(file: Path) -> dict[str, float]:
    """Return the limits that were granted last; a damaged file is none."""
    try:
        return {str(uid): float(watts) for uid, watts in json.loads(file.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _peer(line: socket.socket) -> tuple[int, int]:
    """Return the pid and the user id of who is at the other end."""
    said = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(said)
    return pid, uid


async def _say(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(answer.model_dump_json().encode() + b"\n")
    await writer.drain()


def run(config: PowerdConfig) -> None:
    """Run powerd until it is told to end. Raises BridgeError when it cannot start."""
    if os.geteuid() != 0:
        raise BridgeError("powerd has to run as root: it sets what others may not")
    asyncio.run(Powerd(config, Gpus()).run())
