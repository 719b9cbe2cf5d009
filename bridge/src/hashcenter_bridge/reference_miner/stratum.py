"""Stratum v1, the language of mining pools, without a connection: lines in, values out.

One JSON object a line. A pool's line is either an answer to one of our requests or a notification
(`mining.notify`, `mining.set_difficulty`, `mining.set_extranonce`). What does not parse raises
PoolNonsense and is counted by the caller; a pool can send anything and must never crash us.
Source: the Stratum mining protocol as the first pool that spoke it (slush) described it.
"""

import json
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import bitcoin

MAX_LINE_BYTES = 256 * 1024
_MAX_EXTRANONCE_BYTES = 16
_MAX_BRANCHES = 32


class PoolNonsense(ValueError):
    """A line from the pool that is not Stratum v1; the caller counts and skips it."""


@dataclass(frozen=True)
class Answer:
    """The pool's reply to one of our requests; `error` is its own words, if it refused."""

    request_id: int
    result: Any
    error: str | None


@dataclass(frozen=True)
class Notification:
    """Something the pool says unasked."""

    method: str
    params: list[Any]


PoolMessage: TypeAlias = Answer | Notification


@dataclass(frozen=True)
class Extranonce:
    """The part of the coinbase that is ours: the pool's prefix, and how many bytes we roll."""

    prefix: bytes
    size: int


@dataclass(frozen=True)
class Job:
    """One piece of work, complete: with an extranonce2 and a nonce it is a block header."""

    job_id: str
    previous: bytes
    coinbase_head: bytes
    coinbase_tail: bytes
    branches: tuple[bytes, ...]
    version: int
    bits: int
    time: int
    clean: bool
    extranonce: Extranonce
    target: int

    @property
    def difficulty_hashes(self) -> int:
        """How many hashes a share takes on average."""
        return bitcoin.expected_hashes(self.target)

    @property
    def extranonce2_count(self) -> int:
        """How many different headers this job holds before its nonces."""
        return 1 << (8 * self.extranonce.size)

    def header_prefix(self, extranonce2: int) -> bytes:
        """Return the header without its nonce, for the n-th value of extranonce2."""
        rolled = extranonce2.to_bytes(self.extranonce.size, "big")
        coinbase = self.coinbase_head + self.extranonce.prefix + rolled + self.coinbase_tail
        root = bitcoin.merkle_root(bitcoin.sha256d(coinbase), self.branches)
        return bitcoin.header_prefix(self.version, self.previous, root, self.time, self.bits)


@dataclass(frozen=True)
class Share:
    """A nonce whose header is below the job's target."""

    job: Job
    extranonce2: int
    nonce: int

    @property
    def hash(self) -> bytes:
        """The winning hash, in internal order."""
        prefix = self.job.header_prefix(self.extranonce2)
        return bitcoin.sha256d(bitcoin.header(prefix, self.nonce))

    def submit_params(self, user: str) -> list[str]:
        """Return the parameters of `mining.submit`."""
        rolled = self.extranonce2.to_bytes(self.job.extranonce.size, "big").hex()
        return [user, self.job.job_id, rolled, f"{self.job.time:08x}", f"{self.nonce:08x}"]


def request_line(request_id: int, method: str, params: list[Any]) -> bytes:
    """Return one request as the bytes that go to the pool."""
    return json.dumps({"id": request_id, "method": method, "params": params}).encode() + b"\n"


def parse_line(line: bytes) -> PoolMessage:
    """Read one line of the pool. Raises PoolNonsense."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PoolNonsense("not JSON") from error
    if not isinstance(message, dict):
        raise PoolNonsense("not a JSON object")
    method, request_id = message.get("method"), message.get("id")
    if isinstance(method, str):
        params = message.get("params")
        return Notification(method, params if isinstance(params, list) else [])
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        return Answer(request_id, message.get("result"), _error_text(message.get("error")))
    raise PoolNonsense("neither an answer nor a notification")


def parse_subscription(result: Any) -> Extranonce:
    """Read the answer to `mining.subscribe`: [subscriptions, extranonce1, extranonce2 size]."""
    if not isinstance(result, list) or len(result) < 3:
        raise PoolNonsense("the subscription is not a list of three")
    return parse_extranonce(result[1:3])


def parse_extranonce(params: list[Any]) -> Extranonce:
    """Read [extranonce1, extranonce2 size], as subscribe and `mining.set_extranonce` give them."""
    if len(params) < 2:
        raise PoolNonsense("the extranonce is incomplete")
    size = params[1]
    if not isinstance(size, int) or not 0 <= size <= _MAX_EXTRANONCE_BYTES:
        raise PoolNonsense("the size of extranonce2 is impossible")
    prefix = _hex(params[0])
    if len(prefix) > _MAX_EXTRANONCE_BYTES:
        raise PoolNonsense("extranonce1 is too long")
    return Extranonce(prefix, int(size))


def parse_difficulty(params: list[Any]) -> float:
    """Read `mining.set_difficulty`."""
    value = params[0] if params else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PoolNonsense("the difficulty is not a number")
    if not math.isfinite(value) or value <= 0:
        raise PoolNonsense("the difficulty is not positive and finite")
    return value


def parse_job(params: list[Any], extranonce: Extranonce, difficulty: float) -> Job:
    """Read `mining.notify`. Numbers are big-endian hex; the previous hash is word-swapped."""
    if len(params) < 9:
        raise PoolNonsense("the job is incomplete")
    job_id, previous, head, tail, branches, version, bits, time, clean = params[:9]
    if not isinstance(job_id, str) or not isinstance(branches, list):
        raise PoolNonsense("the job is malformed")
    if len(branches) > _MAX_BRANCHES:
        raise PoolNonsense("the job has more branches than a block can")
    return Job(
        job_id=job_id,
        previous=_swap_words(_hex(previous, 32)),
        coinbase_head=_hex(head),
        coinbase_tail=_hex(tail),
        branches=tuple(_hex(branch, 32) for branch in branches),
        version=int.from_bytes(_hex(version, 4), "big"),
        bits=int.from_bytes(_hex(bits, 4), "big"),
        time=int.from_bytes(_hex(time, 4), "big"),
        clean=bool(clean),
        extranonce=extranonce,
        target=bitcoin.target_from_difficulty(difficulty),
    )


def _error_text(error: Any) -> str | None:
    """Pools say [code, words, trace], {"message": words} or just words; no error is null."""
    if error is None or error is False:
        return None
    if isinstance(error, list) and len(error) > 1:
        error = error[1]
    elif isinstance(error, dict):
        error = error.get("message", error)
    return str(error)[:200]


def _hex(value: Any, length: int | None = None) -> bytes:
    if not isinstance(value, str):
        raise PoolNonsense("a field that should be hex is not")
    try:
        data = bytes.fromhex(value)
    except ValueError as error:
        raise PoolNonsense("a field that should be hex is not") from error
    if length is not None and len(data) != length:
        raise PoolNonsense(f"a hex field is not {length} bytes long")
    return data


def _swap_words(data: bytes) -> bytes:
    return b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
