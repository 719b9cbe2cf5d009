"""Bitcoin's proof of work: hash, target, merkle root and block header, as pure functions.

Hashes are held as the 32 bytes that sha256 returns ("internal order"); block explorers show them
reversed. As a number a hash is little-endian, and a header wins when that number is at most the
target. Source: Bitcoin protocol, block header format and proof of work.
"""

import struct
from collections.abc import Iterable
from fractions import Fraction
from hashlib import sha256

#: The target of difficulty 1 as pools count it.
DIFFICULTY_1_TARGET = 0xFFFF << 208
MAX_TARGET = (1 << 256) - 1
HEADER_BYTES = 80
HEADER_PREFIX_BYTES = 76


def sha256d(data: bytes) -> bytes:
    """Return sha256(sha256(data)), in internal order."""
    return sha256(sha256(data).digest()).digest()


def target_from_difficulty(difficulty: float) -> int:
    """Return the largest hash, as a number, that is a share of this difficulty.

    Raises ValueError unless the difficulty is positive and finite.
    """
    try:
        exact = Fraction(difficulty)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"difficulty {difficulty} is not a number") from error
    if exact <= 0:
        raise ValueError(f"difficulty {difficulty} is not positive")
    return min(int(DIFFICULTY_1_TARGET / exact), MAX_TARGET)


def expected_hashes(target: int) -> int:
    """Return how many hashes one share below this target takes on average."""
    return (MAX_TARGET + 1) // (target + 1)


def merkle_root(coinbase_hash: bytes, branches: Iterable[bytes]) -> bytes:
    """Fold the coinbase's hash up its branches to the root of the block's transactions."""
    root = coinbase_hash
    for branch in branches:
        root = sha256d(root + branch)
    return root


def header_prefix(version: int, previous: bytes, root: bytes, time: int, bits: int) -> bytes:
    """Return the first 76 bytes of a block header: everything but the nonce."""
    return struct.pack("<I32s32sII", version, previous, root, time, bits)


def header(prefix: bytes, nonce: int) -> bytes:
    """Return the 80 bytes that are hashed."""
    return prefix + struct.pack("<I", nonce)
