"""Work for the loopback pool: makes block templates and checks shares by recomputing the header.

Written apart from the miner on purpose, from Bitcoin's and Stratum's descriptions: if both built
headers with the same code, a share could be accepted and still be wrong.
"""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256

_DIFFICULTY_1 = int("00000000ffff" + "0" * 52, 16)
_MAX_TIME_AHEAD_S = 7200

STALE, DUPLICATE, LOW_DIFFICULTY = (21, "Job not found"), (22, "Duplicate"), (23, "Low difficulty")
BAD = (20, "Malformed share")


class ShareRefused(Exception):
    """A share that does not count; `code` and `words` are Stratum's."""

    def __init__(self, reason: tuple[int, str]) -> None:
        super().__init__(reason[1])
        self.code, self.words = reason


def twice(data: bytes) -> bytes:
    """Return Bitcoin's hash of the data."""
    return sha256(sha256(data).digest()).digest()


@dataclass
class Template:
    """One job as the pool knows it. `previous` is in header order; numbers are header fields."""

    job_id: str
    previous: bytes
    head: bytes
    tail: bytes
    branches: list[bytes]
    time: int
    difficulty: float
    version: int = 0x20000000
    bits: int = 0x170331DB
    seen: set[tuple[str, ...]] = field(default_factory=set)

    def notify_params(self, *, clean: bool) -> list[object]:
        """Return the parameters of `mining.notify`."""
        words = [self.previous[at : at + 4] for at in range(0, 32, 4)]
        return [
            self.job_id,
            b"".join(bytes(reversed(word)) for word in words).hex(),
            self.head.hex(),
            self.tail.hex(),
            [branch.hex() for branch in self.branches],
            f"{self.version:08x}",
            f"{self.bits:08x}",
            f"{self.time:08x}",
            clean,
        ]

    def header(self, extranonce: bytes, time: int, nonce: int) -> bytes:
        """Build the 80 bytes that the miner claims to have hashed."""
        node = twice(self.head + extranonce + self.tail)
        for branch in self.branches:
            node = twice(node + branch)
        numbers = [number.to_bytes(4, "little") for number in (time, self.bits, nonce)]
        return self.version.to_bytes(4, "little") + self.previous + node + b"".join(numbers)

    def check(self, extranonce1: bytes, extranonce2_size: int, fields: list[str]) -> None:
        """Check [extranonce2, time, nonce] of a share. Raises ShareRefused."""
        try:
            extranonce2, time, nonce = (bytes.fromhex(text) for text in fields)
        except (TypeError, ValueError):
            raise ShareRefused(BAD) from None
        if (len(extranonce2), len(time), len(nonce)) != (extranonce2_size, 4, 4):
            raise ShareRefused(BAD)
        claimed_time = int.from_bytes(time, "big")
        if not self.time <= claimed_time <= self.time + _MAX_TIME_AHEAD_S:
            raise ShareRefused(BAD)
        claim = (extranonce1.hex(), *(text.lower() for text in fields))
        if claim in self.seen:
            raise ShareRefused(DUPLICATE)
        header = self.header(extranonce1 + extranonce2, claimed_time, int.from_bytes(nonce, "big"))
        value = int.from_bytes(twice(header)[::-1], "big")
        # Exact, so that no rounding of the target can favor the miner.
        if value * Fraction(self.difficulty) > _DIFFICULTY_1:
            raise ShareRefused(LOW_DIFFICULTY)
        self.seen.add(claim)


def coinbase(extranonce_bytes: int, height: int, tag: bytes) -> tuple[bytes, bytes]:
    """Return a coinbase transaction split where the extranonce goes. It pays nobody."""
    height_push = b"\x03" + height.to_bytes(3, "little")
    script_bytes = len(height_push) + extranonce_bytes + len(tag)
    head = b"\x01\0\0\0" + b"\x01" + bytes(32) + b"\xff" * 4 + bytes([script_bytes]) + height_push
    # One output of 3.125 coins to an OP_RETURN script.
    output = (312_500_000).to_bytes(8, "little") + b"\x01\x6a"
    return head, tag + b"\xff" * 4 + b"\x01" + output + bytes(4)


class TemplateMaker:
    """Makes templates with growing ids; `new_block` changes the block they build on."""

    def __init__(self, chance: random.Random, extranonce_bytes: int) -> None:
        self._chance = chance
        self._extranonce_bytes = extranonce_bytes
        self._made = 0
        self._height = 900_000
        self._previous = b""
        self.new_block()

    def new_block(self) -> None:
        """Somebody found a block: everything before is stale."""
        self._height += 1
        self._previous = self._chance.randbytes(24) + bytes(8)

    def make(self, time: int, difficulty: float) -> Template:
        """Return a fresh template with a few random transactions."""
        self._made += 1
        tag = b"/loopback pool " + str(self._made).encode() + b"/"
        head, tail = coinbase(self._extranonce_bytes, self._height, tag)
        branches = [self._chance.randbytes(32) for _ in range(self._chance.randrange(5))]
        return Template(f"{self._made:x}", self._previous, head, tail, branches, time, difficulty)
