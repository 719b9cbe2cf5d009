"""`hashcenter pool`: a Stratum server in the house, so that miners heat when the internet is down.

Its work is thrown away: the jobs are random, no block can come of them and no share earns anything.
It belongs into the last pool slot of an ASIC, behind the real ones; the miner comes to it by itself
when those are gone, and leaves it when they are back. Source: the Stratum v1 messages as the public
descriptions of BIP 310 (version rolling) and of slush0's "Stratum mining protocol" have them.
"""

import asyncio
import json
import logging
import secrets
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import ConfigError

_LOGGER = logging.getLogger(__name__)

#: A miner of 100 TH/s finds a share about every 3 s, a Bitaxe every 4 minutes.
DIFFICULTY: Final = 65_536.0
_JOB_EVERY_S: Final = 30.0
_SAY_EVERY_S: Final = 600.0
_MAX_LINE_BYTES: Final = 16_384
_MOST_MINERS: Final = 256
_EXTRANONCE2_BYTES: Final = 8
_ROLLING_MASK: Final = "1fffe000"
_VERSION: Final = "20000000"
#: The difficulty of a real block: nothing that comes of it is near one.
_BITS: Final = "17053894"
_TAG: Final = b"/hashcenter: heats, earns nothing/"


@dataclass
class _Miner:
    writer: asyncio.StreamWriter
    users: set[str] = field(default_factory=set)
    subscribed: bool = False

    def say(self, **message: Any) -> None:
        self.writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


class LocalPool:
    """Gives out random work and counts what comes back; nothing is checked, nothing is kept."""

    def __init__(self, difficulty: float = DIFFICULTY) -> None:
        """Ask for shares of this difficulty."""
        self.shares: Counter[str] = Counter()
        self._difficulty = difficulty
        self._miners: list[_Miner] = []
        self._job = 0
        self._server: asyncio.Server | None = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def miners(self) -> int:
        """How many are connected and have asked for work."""
        return sum(miner.subscribed for miner in self._miners)

    @property
    def port(self) -> int:
        """Where miners connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises ConfigError when the address cannot be had."""
        try:
            self._server = await asyncio.start_server(
                self._serve, host, port, limit=_MAX_LINE_BYTES
            )
        except (OSError, ValueError) as err:
            why = getattr(err, "strerror", None) or err
            raise ConfigError(
                f"--listen {host}:{port} cannot be opened ({why}): another program has it, or this "
                "machine has no such address"
            ) from None
        self._renewal = asyncio.create_task(self._renew(), name="jobs")

    async def close(self) -> None:
        """Hang up."""
        if self._renewal:
            self._renewal.cancel()
        if self._server:
            self._server.close()
        for miner in self._miners:
            miner.writer.close()

    async def _renew(self) -> None:
        said_at = time.monotonic()
        while True:
            await asyncio.sleep(_JOB_EVERY_S)
            for miner in self._miners:
                self._give(miner)
            if time.monotonic() - said_at >= _SAY_EVERY_S:
                said_at = time.monotonic()
                _LOGGER.info(
                    "%s miners heat with throw-away work, %s shares so far",
                    self.miners,
                    self.shares.total(),
                )

    def _give(self, miner: _Miner) -> None:
        """Send a job; older ones stay valid, because nothing depends on them."""
        if not miner.subscribed:
            return
        self._job += 1
        height = b"\x03" + secrets.token_bytes(3)
        script = height + bytes([len(_TAG)]) + _TAG
        start = (
            b"\x01\x00\x00\x00\x01"
            + bytes(32)
            + b"\xff\xff\xff\xff"
            # The script goes on with both extranonces, which the miner puts in between.
            + bytes([len(script) + 4 + _EXTRANONCE2_BYTES])
            + script
        )
        # One output of nothing, to nobody: OP_RETURN.
        end = b"\xff\xff\xff\xff\x01" + bytes(8) + b"\x01\x6a" + bytes(4)
        miner.say(
            id=None,
            method="mining.notify",
            params=[
                f"{self._job:x}",
                secrets.token_bytes(32).hex(),
                start.hex(),
                end.hex(),
                [secrets.token_bytes(32).hex() for _ in range(10)],
                _VERSION,
                _BITS,
                f"{int(time.time()):08x}",
                False,
            ],
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._miners) >= _MOST_MINERS:
            writer.close()
            return
        miner = _Miner(writer)
        self._miners.append(miner)
        try:
            with suppress(OSError, ValueError):
                while line := await reader.readline():
                    self._hear(miner, line)
                    await writer.drain()
        finally:
            self._miners.remove(miner)
            writer.close()

    def _hear(self, miner: _Miner, line: bytes) -> None:
        """Answer one message. Raises ValueError for a line that is no Stratum: it hangs up."""
        message = json.loads(line)
        if not isinstance(message, dict) or not isinstance(message.get("params", []), list):
            raise ValueError("no Stratum message")  # noqa: TRY004 - as json says it
        number, method, params = message.get("id"), message.get("method"), message.get("params", [])
        match method:
            case "mining.configure":
                rolling = {"version-rolling": True, "version-rolling.mask": _ROLLING_MASK}
                miner.say(id=number, result=rolling, error=None)
            case "mining.subscribe":
                topics = [["mining.set_difficulty", "1"], ["mining.notify", "1"]]
                extranonce1 = secrets.token_hex(4)
                result = [topics, extranonce1, _EXTRANONCE2_BYTES]
                miner.say(id=number, result=result, error=None)
                miner.subscribed = True
                miner.say(id=None, method="mining.set_difficulty", params=[self._difficulty])
                self._give(miner)
            case "mining.authorize":
                miner.users.add(_name(params))
                miner.say(id=number, result=True, error=None)
            case "mining.submit":
                known = _name(params) in miner.users
                self.shares[_name(params)] += known
                error = None if known else [24, "Unauthorized worker", None]
                miner.say(id=number, result=known or None, error=error)
            case "mining.extranonce.subscribe" | "mining.suggest_difficulty":
                miner.say(id=number, result=True, error=None)
            case _:
                miner.say(id=number, result=None, error=[20, "Unknown method", None])


def _name(params: list[Any]) -> str:
    return str(params[0])[:120] if params else ""


async def run(listen: str, difficulty: float) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError naming `--listen`."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"--listen {listen}: write an address and a port, as 192.168.1.10:3333")
    pool, stop = LocalPool(difficulty), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await pool.start(host.strip("[]"), int(port))
    _LOGGER.info("throw-away work for miners at %s: it heats and earns nothing", listen)
    try:
        await stop.wait()
    finally:
        await pool.close()
