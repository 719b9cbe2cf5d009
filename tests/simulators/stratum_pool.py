"""A loopback Stratum v1 pool that checks every share, and that can lie, hang and fail on request.

`python -m tests.simulators.stratum_pool --port 0 --difficulty 0.0005` prints one JSON line with its
ports and runs until SIGTERM. The control port takes one JSON object a line and answers each with
the pool's own count ({"command": "status"}), which is what proves that a miner really hashes.
Commands: status, new_job, new_block, drop, {"command": "difficulty", "value": n},
{"command": "mode", "value": one of MODES}. It listens on 127.0.0.1 only.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from .pool_work import BAD, DUPLICATE, LOW_DIFFICULTY, STALE, ShareRefused, Template, TemplateMaker

HOST = "127.0.0.1"
#: normal; silent: hears and never answers; reject: refuses every share; refuse: closes at once.
MODES = ("normal", "silent", "reject", "refuse")
UNAUTHORIZED, NOT_SUBSCRIBED, REJECTED = (24, "Unauthorized"), (25, "Not subscribed"), (20, "No")
_KINDS = {STALE[0]: "stale", DUPLICATE[0]: "duplicate", LOW_DIFFICULTY[0]: "low_difficulty"}
_EXTRANONCE1_BYTES = 4
_JOBS_KEPT = 20


@dataclass
class WorkerCount:
    """What one worker delivered; `hashes` is what the accepted shares took on average."""

    accepted: int = 0
    hashes: float = 0.0
    stale: int = 0
    duplicate: int = 0
    low_difficulty: int = 0
    bad: int = 0

    @property
    def rejected(self) -> int:
        """All shares that did not count."""
        return self.stale + self.duplicate + self.low_difficulty + self.bad


@dataclass
class Peer:
    """One connected miner."""

    writer: asyncio.StreamWriter
    extranonce1: bytes
    subscribed: bool = False
    users: set[str] = field(default_factory=set)

    def send(self, **message: Any) -> None:
        """Write one line."""
        self.writer.write(json.dumps(message).encode() + b"\n")


class StratumPool:
    """The pool. `chance` and `clock` (Unix seconds) come from outside, so a test can fix them."""

    def __init__(
        self,
        *,
        difficulty: float = 0.0005,
        extranonce2_bytes: int = 4,
        job_every_s: float = 30.0,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.mode = "normal"
        self.workers: dict[str, WorkerCount] = {}
        self.connections = 0
        self.unreadable_lines = 0
        self._difficulty, self._clock = difficulty, clock
        self._extranonce2_bytes, self._job_every_s = extranonce2_bytes, job_every_s
        chance = chance or random.Random()
        self._maker = TemplateMaker(chance, _EXTRANONCE1_BYTES + extranonce2_bytes)
        self._templates: dict[str, Template] = {}
        self._current = self._add_template()
        self._peers: list[Peer] = []
        self._changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._control: asyncio.Server | None = None
        self._background: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where miners connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def control_port(self) -> int:
        """Where status is asked and commands are given."""
        assert self._control is not None
        return int(self._control.sockets[0].getsockname()[1])

    @property
    def accepted(self) -> int:
        """Accepted shares of all workers."""
        return sum(count.accepted for count in self.workers.values())

    @property
    def rejected(self) -> int:
        """Refused shares of all workers."""
        return sum(count.rejected for count in self.workers.values())

    async def start(self, port: int = 0, control_port: int = 0) -> None:
        """Listen, and send a new job now and then."""
        self._server = await asyncio.start_server(self._serve_miner, HOST, port)
        self._control = await asyncio.start_server(self._serve_control, HOST, control_port)
        self._spawn(self._renew_jobs())

    async def close(self) -> None:
        """Stop listening and drop everybody."""
        for server in (self._server, self._control):
            if server is not None:
                server.close()
        self.drop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def __aenter__(self) -> Self:
        """Start on free ports."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def until(self, condition: Callable[["StratumPool"], bool]) -> None:
        """Wait until something about this pool is true."""
        async with self._changed:
            await self._changed.wait_for(lambda: condition(self))

    def status(self) -> dict[str, Any]:
        """Return the pool's own count."""
        return {
            "mode": self.mode,
            "difficulty": self._difficulty,
            "connected": len(self._peers),
            "connections": self.connections,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "workers": {
                user: {**asdict(count), "rejected": count.rejected}
                for user, count in self.workers.items()
            },
        }

    def new_job(self) -> None:
        """Send a job that leaves older ones valid."""
        self._current = self._add_template()
        self._notify_all(clean=False)

    def new_block(self) -> None:
        """Send a job that makes all older ones stale."""
        self._maker.new_block()
        self._templates.clear()
        self._current = self._add_template()
        self._notify_all(clean=True)

    def set_difficulty(self, difficulty: float) -> None:
        """Ask for harder or easier shares, from the job on that is sent with it."""
        self._difficulty = difficulty
        for peer in self._subscribed():
            peer.send(id=None, method="mining.set_difficulty", params=[difficulty])
        self.new_job()

    def drop(self) -> None:
        """Close all connections."""
        for peer in self._peers:
            peer.writer.transport.abort()

    def send_raw(self, data: bytes) -> None:
        """Send everybody bytes that need not make sense."""
        for peer in self._peers:
            peer.writer.write(data)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _subscribed(self) -> list[Peer]:
        return [peer for peer in self._peers if peer.subscribed and self.mode != "silent"]

    def _add_template(self) -> Template:
        template = self._maker.make(int(self._clock()), self._difficulty)
        self._templates[template.job_id] = template
        if len(self._templates) > _JOBS_KEPT:
            del self._templates[min(self._templates, key=lambda job_id: int(job_id, 16))]
        return template

    def _notify_all(self, *, clean: bool) -> None:
        for peer in self._subscribed():
            self._notify(peer, clean=clean)

    def _notify(self, peer: Peer, *, clean: bool) -> None:
        params = self._current.notify_params(clean=clean)
        peer.send(id=None, method="mining.notify", params=params)

    async def _renew_jobs(self) -> None:
        while True:
            await asyncio.sleep(self._job_every_s)
            self.new_job()

    async def _serve_miner(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        peer = Peer(writer, self.connections.to_bytes(_EXTRANONCE1_BYTES, "big"))
        if self.mode == "refuse":
            writer.close()
            return
        self._peers.append(peer)
        await self._tell_waiting()
        try:
            with contextlib.suppress(OSError, ValueError):
                while line := await reader.readline():
                    if self.mode != "silent":
                        self._hear(peer, line)
                    await self._tell_waiting()
        finally:
            self._peers.remove(peer)
            writer.close()

    def _hear(self, peer: Peer, line: bytes) -> None:
        try:
            message = json.loads(line)
            request_id, method, params = message["id"], message["method"], message["params"]
        except (ValueError, TypeError, KeyError):
            self.unreadable_lines += 1
            return
        try:
            result = self._answer(peer, method, list(params))
        except ShareRefused as refused:
            error = [refused.code, refused.words, None]
            peer.send(id=request_id, result=None, error=error)
            return
        peer.send(id=request_id, result=result, error=None)
        if method == "mining.subscribe":
            peer.subscribed = True
            params = [self._difficulty]
            peer.send(id=None, method="mining.set_difficulty", params=params)
            self._notify(peer, clean=True)

    def _answer(self, peer: Peer, method: object, params: list[Any]) -> Any:
        match method:
            case "mining.subscribe":
                subscriptions = [["mining.set_difficulty", "1"], ["mining.notify", "2"]]
                return [subscriptions, peer.extranonce1.hex(), self._extranonce2_bytes]
            case "mining.authorize":
                peer.users.add(str(params[0] if params else ""))
                return True
            case "mining.submit":
                self._judge(peer, params)
                return True
        raise ShareRefused((20, "Unknown method"))

    def _judge(self, peer: Peer, params: list[Any]) -> None:
        """Check a share and count it. Raises ShareRefused."""
        user = str(params[0] if params else "")
        count = self.workers.setdefault(user, WorkerCount())
        try:
            template = self._check(peer, user, params)
        except ShareRefused as refused:
            kind = _KINDS.get(refused.code, "bad")
            setattr(count, kind, getattr(count, kind) + 1)
            raise
        count.accepted += 1
        count.hashes += template.difficulty * 2**32

    def _check(self, peer: Peer, user: str, params: list[Any]) -> Template:
        if not peer.subscribed:
            raise ShareRefused(NOT_SUBSCRIBED)
        if user not in peer.users:
            raise ShareRefused(UNAUTHORIZED)
        if len(params) != 5:
            raise ShareRefused(BAD)
        template = self._templates.get(str(params[1]))
        if template is None:
            raise ShareRefused(STALE)
        template.check(peer.extranonce1, self._extranonce2_bytes, params[2:])
        if self.mode == "reject":
            raise ShareRefused(REJECTED)
        return template

    async def _tell_waiting(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _serve_control(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                try:
                    answer = self._command(json.loads(line))
                except (ValueError, TypeError, KeyError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    def _command(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["command"]:
            case "status":
                pass
            case "new_job":
                self.new_job()
            case "new_block":
                self.new_block()
            case "drop":
                self.drop()
            case "difficulty":
                self.set_difficulty(float(order["value"]))
            case "mode" if order["value"] in MODES:
                self.mode = order["value"]
            case other:
                raise ValueError(f"no command {other!r} with that value")
        return self.status()


async def run(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    pool = StratumPool(difficulty=arguments.difficulty, job_every_s=arguments.job_every)
    await pool.start(arguments.port, arguments.control_port)
    where = {"port": pool.port, "control_port": pool.control_port}
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    await ending.wait()
    await pool.close()


def main() -> None:
    """Run the pool as a program."""
    parser = argparse.ArgumentParser(description="A loopback Stratum v1 pool for tests and demo.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--difficulty", type=float, default=0.0005)
    parser.add_argument("--job-every", type=float, default=30.0, metavar="SECONDS")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
