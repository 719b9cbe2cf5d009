"""The pool of the house: a real miner hashes for it, other talk is refused, nothing is earned."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.local_pool import LocalPool, run
from tests.bridge.processes import DEADLINE_S, until
from tests.brokers import HOST

EASY = 0.0005


@asynccontextmanager
async def serving(difficulty: float = EASY) -> AsyncIterator[LocalPool]:
    pool = LocalPool(difficulty)
    await pool.start(HOST, 0)
    try:
        yield pool
    finally:
        await pool.close()


async def test_a_real_miner_hashes_for_it_and_is_told_that_its_shares_count() -> None:
    async with serving() as pool:
        miner = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hashcenter_bridge.reference_miner"),
            *("--pool", f"{HOST}:{pool.port}", "--user", "last.resort"),
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HASHCENTER_MINER_TOKEN": "token"},
        )
        try:
            await until(lambda: pool.shares["last.resort"] >= 3)
            assert pool.miners == 1
        finally:
            miner.kill()
            await miner.wait()
        await until(lambda: pool.miners == 0)


async def talk(pool: LocalPool, *lines: bytes) -> list[dict[str, object]]:
    """Say these lines and return what comes back before it is quiet or hangs up."""
    reader, writer = await asyncio.open_connection(HOST, pool.port)
    heard: list[dict[str, object]] = []
    async with asyncio.timeout(DEADLINE_S):
        for line in lines:
            writer.write(line + b"\n")
        writer.write_eof()
        while said := await reader.readline():
            heard.append(json.loads(said))
    writer.close()
    return heard


async def test_an_asic_with_version_rolling_gets_its_mask_and_a_job() -> None:
    async with serving() as pool:
        configured, subscribed, difficulty, job, authorized = await talk(
            pool,
            b'{"id": 1, "method": "mining.configure", "params": [["version-rolling"], {}]}',
            b'{"id": 2, "method": "mining.subscribe", "params": ["bmminer/2.0.0"]}',
            b'{"id": 3, "method": "mining.authorize", "params": ["s19", "x"]}',
        )
    assert configured["result"] == {
        "version-rolling": True,
        "version-rolling.mask": "1fffe000",
    }
    assert subscribed["error"] is None
    assert difficulty["params"] == [EASY]
    assert job["method"] == "mining.notify"
    assert authorized["result"] is True


async def test_the_coinbase_is_a_transaction_that_pays_nobody_and_says_what_it_is() -> None:
    async with serving() as pool:
        _, _, job = await talk(pool, b'{"id": 2, "method": "mining.subscribe", "params": []}')
    params = job["params"]
    assert isinstance(params, list)
    start, end = bytes.fromhex(params[2]), bytes.fromhex(params[3])
    coinbase = start + bytes(4 + 8) + end
    script_bytes = coinbase[41]
    outputs = coinbase[42 + script_bytes + 4 :]
    assert b"earns nothing" in coinbase
    assert outputs == b"\x01" + bytes(8) + b"\x01\x6a" + bytes(4)


async def test_a_stranger_to_stratum_is_hung_up_on_and_nothing_breaks() -> None:
    async with serving() as pool:
        for garbage in (b"GET / HTTP/1.1", b"[]", b'{"id": 1, "params": 7}', b"\xff\xfe"):
            assert await talk(pool, garbage) == []
        [refused] = await talk(pool, b'{"id": 1, "method": "mining.submit", "params": ["nobody"]}')
        assert refused["error"] == [24, "Unauthorized worker", None]
        [unknown] = await talk(pool, b'{"id": 1, "method": "client.hack", "params": []}')
        assert unknown["error"] == [20, "Unknown method", None]
        assert pool.shares.total() == 0


@pytest.mark.parametrize("listen", ["3333", "here:", "not an address:3333"])
async def test_an_address_that_is_none_is_named(listen: str) -> None:
    with pytest.raises(ConfigError, match="--listen"):
        await run(listen, EASY)
