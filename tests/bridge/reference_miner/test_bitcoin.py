"""Header assembly and hash against blocks that really exist, and against arithmetic."""

import pytest
from hypothesis import given, strategies as st

from hashcenter_bridge.reference_miner import bitcoin, stratum
from hashcenter_bridge.reference_miner.worker import find_nonces

GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff00"
    "1d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b20"
    "6f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afd"
    "b0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c"
    "384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
GENESIS_HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
GENESIS_NONCE = 2083236893
BLOCK_125552 = {
    "previous": "00000000000008a3a41b85b8b29ad444def299fee21793cd8b9e567eab02cd81",
    "root": "2b12fcf1b09288fcaff797d71e950e71ae42b91e8bdb2304758dfcffc2b620e3",
    "hash": "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d",
}


def shown(internal: bytes) -> str:
    """As block explorers show a hash."""
    return internal[::-1].hex()


def test_block_125552_has_its_historic_hash() -> None:
    prefix = bitcoin.header_prefix(
        1,
        bytes.fromhex(BLOCK_125552["previous"])[::-1],
        bytes.fromhex(BLOCK_125552["root"])[::-1],
        1305998791,
        0x1A44B9F2,
    )
    assert len(prefix) == bitcoin.HEADER_PREFIX_BYTES
    assert shown(bitcoin.sha256d(bitcoin.header(prefix, 2504433986))) == BLOCK_125552["hash"]


def genesis_job() -> stratum.Job:
    """The genesis block as a pool would have sent it, with 6 bytes of its text as extranonce."""
    at = GENESIS_COINBASE.index(b"Chancellor")
    params = [
        "genesis",
        "00" * 32,
        GENESIS_COINBASE[:at].hex(),
        GENESIS_COINBASE[at + 6 :].hex(),
        [],
        "00000001",
        "1d00ffff",
        f"{1231006505:08x}",
        True,
    ]
    return stratum.parse_job(params, stratum.Extranonce(b"Ch", 4), 1.0)


def test_the_genesis_block_is_assembled_from_a_stratum_job() -> None:
    extranonce2 = int.from_bytes(b"ance", "big")
    share = stratum.Share(genesis_job(), extranonce2, GENESIS_NONCE)
    assert shown(share.hash) == GENESIS_HASH
    assert share.submit_params("satoshi") == [
        "satoshi",
        "genesis",
        b"ance".hex(),
        "495fab29",
        "7c2bac1d",
    ]


def test_the_worker_finds_the_genesis_nonce_and_no_other_nearby() -> None:
    job = genesis_job()
    prefix = job.header_prefix(int.from_bytes(b"ance", "big"))
    assert find_nonces(prefix, job.target, GENESIS_NONCE - 500, 1000) == [GENESIS_NONCE]


def test_difficulty_1_is_the_target_of_the_genesis_block() -> None:
    # Compact form 1d00ffff: 0xffff shifted by 8 * (0x1d - 3) bits.
    assert bitcoin.target_from_difficulty(1) == 0xFFFF << 8 * (0x1D - 3)
    assert bitcoin.expected_hashes(bitcoin.target_from_difficulty(1)) == 4295032833


@given(st.floats(min_value=1e-9, max_value=1e15), st.floats(min_value=1e-9, max_value=1e15))
def test_more_difficulty_never_means_more_target(one: float, other: float) -> None:
    easier, harder = sorted((one, other))
    assert bitcoin.target_from_difficulty(easier) >= bitcoin.target_from_difficulty(harder)


@given(st.fractions(min_value=1e-6, max_value=10**15))
def test_a_target_is_the_largest_hash_of_its_difficulty(exact: object) -> None:
    difficulty = float(exact)  # type: ignore[arg-type]
    target = bitcoin.target_from_difficulty(difficulty)
    numerator, denominator = difficulty.as_integer_ratio()
    assert target * numerator <= bitcoin.DIFFICULTY_1_TARGET * denominator
    assert (target + 1) * numerator > bitcoin.DIFFICULTY_1_TARGET * denominator


@given(st.floats(min_value=1e-300, max_value=1e-9))
def test_a_target_never_leaves_256_bits(difficulty: float) -> None:
    assert bitcoin.target_from_difficulty(difficulty) <= bitcoin.MAX_TARGET


@pytest.mark.parametrize("difficulty", [0, -1, float("nan"), float("inf"), -float("inf")])
def test_an_impossible_difficulty_is_refused(difficulty: float) -> None:
    with pytest.raises(ValueError, match="difficulty"):
        bitcoin.target_from_difficulty(difficulty)


def tree_root_and_branches(hashes: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Build the whole merkle tree, and the first leaf's way up."""
    branches, level = [], hashes
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, level[-1]]
        branches.append(level[1])
        level = [bitcoin.sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0], branches


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40))
def test_the_branches_lead_the_coinbase_to_the_root_of_the_whole_tree(hashes: list[bytes]) -> None:
    root, branches = tree_root_and_branches(hashes)
    assert bitcoin.merkle_root(hashes[0], branches) == root


@given(
    st.binary(min_size=76, max_size=76),
    st.integers(min_value=200, max_value=256),
    st.integers(min_value=0, max_value=2**32 - 400),
)
def test_the_worker_finds_every_nonce_below_the_target(
    prefix: bytes, target_bits: int, first: int
) -> None:
    target = (1 << target_bits) - 1
    expected = [
        nonce
        for nonce in range(first, first + 300)
        if int.from_bytes(bitcoin.sha256d(bitcoin.header(prefix, nonce)), "little") <= target
    ]
    assert find_nonces(prefix, target, first, 300) == expected
