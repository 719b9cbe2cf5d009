"""The connection to the pool: subscribe, authorize, take jobs, submit shares, reconnect.

One connection is tried at a time, to the configured pool only: a pool's own `client.reconnect` is
not followed. A lost, refused or silent pool is tried again after 1, 2, 4... 60 seconds, with some
chance in it so that a house full of miners does not return in the same instant. Without a
connection there is no job, and without a job nothing is hashed.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import stratum
from .stratum import Answer, Job, Notification, PoolNonsense, Share

_LOG = logging.getLogger(__name__)
_FIRST_BACK_OFF_S, _LAST_BACK_OFF_S = 1.0, 60.0


class PoolLost(Exception):
    """The connection is of no more use, and why; caught by `PoolClient.run`."""


@dataclass(frozen=True)
class PoolAddress:
    """Where the owner's pool is, and as whom to hash for it."""

    host: str
    port: int
    user: str
    password: str

    def __str__(self) -> str:
        """Return host:port, as xmrig shows a pool."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Patience:
    """How long to wait for a pool, in seconds."""

    answer_s: float = 30.0
    silence_s: float = 600.0


@dataclass
class Link:
    """One connection and everything that is only true while it lasts."""

    writer: asyncio.StreamWriter
    watch: asyncio.Timeout
    heard_at: float
    ip: str
    connected_at: float | None = None
    extranonce: stratum.Extranonce | None = None
    difficulty: float = 1.0
    next_id: int = 1
    waiting: dict[int, tuple[str, Share | None, float]] = field(default_factory=dict)
    answer_times_s: deque[float] = field(default_factory=lambda: deque(maxlen=64))


class PoolClient:
    """Keeps one pool connection alive; tells of jobs and of what became of shares.

    `on_job(None)` means that there is no work; `on_share(share, None)` that it was accepted, else
    the second argument is the pool's reason.
    """

    def __init__(
        self,
        address: PoolAddress,
        *,
        user_agent: str,
        on_job: Callable[[Job | None], None],
        on_share: Callable[[Share, str | None], None],
        patience: Patience,
        chance: random.Random,
    ) -> None:
        self.address = address
        self._user_agent = user_agent
        self._on_job, self._on_share = on_job, on_share
        self._patience, self._chance = patience, chance
        self._link: Link | None = None
        self._back_off_s = _FIRST_BACK_OFF_S
        self.failures = 0
        self.nonsense = 0

    @property
    def ip(self) -> str | None:
        """The pool's address while it accepts our shares, else None."""
        return self._link.ip if self._link and self._link.connected_at is not None else None

    @property
    def uptime_s(self) -> float:
        """How long the pool has accepted us; 0 while it does not."""
        if self._link is None or self._link.connected_at is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._link.connected_at

    @property
    def ping_s(self) -> float | None:
        """The median time the pool took for its last answers."""
        times = sorted(self._link.answer_times_s) if self._link else []
        return times[len(times) // 2] if times else None

    def submit(self, share: Share) -> bool:
        """Send a share to the pool; False if there is no connection to send it on."""
        if self._link is None:
            return False
        params = share.submit_params(self.address.user)
        self._ask(self._link, "mining.submit", params, share)
        return True

    async def run(self) -> None:
        """Stay connected for ever."""
        while True:
            try:
                await self._connect_once()
            except (OSError, PoolLost, PoolNonsense, ValueError) as error:
                reason = str(error) or type(error).__name__
                _LOG.warning("Pool %s: %s", self.address, reason)
            self.failures += 1
            wait_s = self._back_off_s * self._chance.uniform(0.75, 1.25)
            self._back_off_s = min(self._back_off_s * 2, _LAST_BACK_OFF_S)
            await asyncio.sleep(wait_s)

    async def _connect_once(self) -> None:
        async with asyncio.timeout(self._patience.answer_s):
            reader, writer = await asyncio.open_connection(
                self.address.host, self.address.port, limit=stratum.MAX_LINE_BYTES
            )
        try:
            async with asyncio.timeout(None) as watch:
                now = asyncio.get_running_loop().time()
                ip = writer.get_extra_info("peername")[0]
                link = self._link = Link(writer, watch, now, ip)
                self._ask(link, "mining.subscribe", [self._user_agent])
                await self._listen(link, reader)
        except TimeoutError as error:
            raise PoolLost("it has stopped answering") from error
        finally:
            self._link = None
            self._on_job(None)
            writer.close()

    async def _listen(self, link: Link, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            link.heard_at = asyncio.get_running_loop().time()
            try:
                message = stratum.parse_line(line)
                if isinstance(message, Answer):
                    self._take_answer(link, message)
                else:
                    self._take_notification(link, message)
            except PoolNonsense as error:
                self.nonsense += 1
                _LOG.debug("Pool %s: skipped a line: %s", self.address, error)
            self._rewind_watch(link)
        raise PoolLost("it closed the connection")

    def _ask(self, link: Link, method: str, params: list[Any], share: Share | None = None) -> None:
        asked_at = asyncio.get_running_loop().time()
        link.waiting[link.next_id] = (method, share, asked_at)
        link.writer.write(stratum.request_line(link.next_id, method, params))
        link.next_id += 1
        self._rewind_watch(link)

    def _rewind_watch(self, link: Link) -> None:
        """Give up when the oldest question or the whole line has been silent for too long."""
        deadline = link.heard_at + self._patience.silence_s
        if link.waiting:
            oldest = next(iter(link.waiting.values()))[2]
            deadline = min(deadline, oldest + self._patience.answer_s)
        if not link.watch.expired():
            link.watch.reschedule(deadline)

    def _take_answer(self, link: Link, answer: Answer) -> None:
        method, share, asked_at = link.waiting.pop(answer.request_id, ("", None, 0.0))
        if not method:
            raise PoolNonsense("an answer to nothing we asked")
        link.answer_times_s.append(link.heard_at - asked_at)
        refused = answer.error or (None if answer.result else "refused without a reason")
        if share is not None:
            self._on_share(share, refused)
        elif refused is not None:
            raise PoolLost(f"it refused {method}: {refused}")
        elif method == "mining.subscribe":
            try:
                link.extranonce = stratum.parse_subscription(answer.result)
            except PoolNonsense as error:
                raise PoolLost(f"its subscription is unusable: {error}") from error
            user = [self.address.user, self.address.password]
            self._ask(link, "mining.authorize", user)
        else:
            link.connected_at = link.heard_at
            _LOG.info("Pool %s: hashing for %s", self.address, self.address.user)

    def _take_notification(self, link: Link, notification: Notification) -> None:
        match notification.method:
            case "mining.set_difficulty":
                link.difficulty = stratum.parse_difficulty(notification.params)
            case "mining.set_extranonce":
                link.extranonce = stratum.parse_extranonce(notification.params)
            case "mining.notify" if link.extranonce is not None:
                job = stratum.parse_job(notification.params, link.extranonce, link.difficulty)
                self._back_off_s = _FIRST_BACK_OFF_S
                self._on_job(job)
            case other:
                _LOG.debug("Pool %s: ignored %s", self.address, other)
