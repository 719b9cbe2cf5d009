"""The miner on a real pool: shares that count, pauses, and pools that misbehave."""

import asyncio
import random
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hashcenter_bridge.reference_miner.crew import Crew, HasherDied
from hashcenter_bridge.reference_miner.pool_client import Patience, PoolAddress, PoolClient
from hashcenter_bridge.reference_miner.stratum import Extranonce, Job, Share, parse_job
from tests.bridge.processes import DEADLINE_S, at_rest, cpu_s, until
from tests.simulators.stratum_pool import StratumPool

from .conftest import EASY, mining


def has_accepted(shares: int, pool: StratumPool) -> bool:
    """Whether the pool has counted so many shares."""
    return pool.accepted >= shares


SUBSCRIBED = b'{"id": 1, "result": [[], "00", 4], "error": null}\n'
IMPATIENT = Patience(answer_s=0.3, silence_s=60)


async def test_every_share_is_accepted_by_the_pool(pool: StratumPool) -> None:
    async with mining(pool.port, threads=2) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 60)
        pool.new_job()
        await pool.until(lambda pool: pool.accepted >= 120)
        assert pool.rejected == 0
        await until(lambda: miner.shares.accepted >= 120)
        assert miner.shares.rejected == 0
        assert list(pool.workers) == ["rig"]
        # On average a share is worth a few times its difficulty, never less.
        assert miner.job is not None
        assert min(miner.shares.best) >= miner.job.difficulty_hashes


async def test_both_processes_hash_and_never_the_same(pool: StratumPool) -> None:
    async with mining(pool.port, threads=2) as miner, asyncio.timeout(DEADLINE_S):
        await until(lambda: len(miner.crew.hashers) == 2)
        pids = [hasher.process.pid for hasher in miner.crew.hashers]
        await until(lambda: all(cpu_s([pid]) > 0.1 for pid in pids))
        await pool.until(lambda pool: pool.accepted >= 50)
        assert pool.workers["rig"].duplicate == 0


async def test_a_paused_miner_uses_no_cpu_time_and_keeps_its_connection(pool: StratumPool) -> None:
    async with mining(pool.port, cpu_percent=100) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 3)
        pids = [hasher.process.pid for hasher in miner.crew.hashers]

        miner.pause()
        # By then everything that was on its way has arrived.
        last = await at_rest(pids)
        accepted = pool.accepted
        await asyncio.sleep(1)
        assert cpu_s(pids) - last <= 0.02
        assert pool.accepted == accepted
        assert miner.pool.ip == "127.0.0.1"

        miner.resume()
        await pool.until(lambda pool: pool.accepted >= accepted + 3)
        # The kernel counts CPU time in ticks of 10 ms, and three shares may take less.
        await until(lambda: cpu_s(pids) > last)
        assert pool.connections == 1
        assert pool.rejected == 0


async def test_a_miner_paused_before_it_starts_does_not_hash(pool: StratumPool) -> None:
    async with mining(pool.port, cpu_percent=100) as miner, asyncio.timeout(DEADLINE_S):
        miner.pause()
        await until(lambda: miner.job is not None and bool(miner.crew.hashers))
        pids = [hasher.process.pid for hasher in miner.crew.hashers]
        await at_rest(pids)
        assert pool.accepted == 0
        miner.resume()
        await pool.until(lambda pool: pool.accepted >= 1)


async def test_the_cpu_share_holds_a_process_back(pool: StratumPool) -> None:
    clock = asyncio.get_running_loop().time
    async with mining(pool.port, cpu_percent=10) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        pids = [hasher.process.pid for hasher in miner.crew.hashers]
        before_s, started = cpu_s(pids), clock()
        await asyncio.sleep(2)
        # A loaded machine can only make this smaller.
        assert (cpu_s(pids) - before_s) / (clock() - started) < 0.2


async def test_a_new_difficulty_counts_from_the_next_job(pool: StratumPool) -> None:
    async with mining(pool.port) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 5)
        easy = miner.job.difficulty_hashes  # type: ignore[union-attr]
        pool.set_difficulty(EASY * 4)
        await until(lambda: miner.job.difficulty_hashes > easy * 3)  # type: ignore[union-attr]
        accepted = pool.accepted
        await pool.until(lambda pool: pool.accepted >= accepted + 5)
        assert pool.rejected == 0


async def test_a_found_block_makes_older_shares_stale_and_hashing_goes_on(
    pool: StratumPool,
) -> None:
    async with mining(pool.port), asyncio.timeout(DEADLINE_S):
        for _ in range(5):
            accepted = pool.accepted
            await pool.until(partial(has_accepted, accepted + 3))
            pool.new_block()
        count = pool.workers["rig"]
        assert count.rejected == count.stale


async def test_a_dropped_miner_comes_back(pool: StratumPool) -> None:
    async with mining(pool.port) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        pool.drop()
        await pool.until(lambda pool: pool.connections == 2)
        accepted = pool.accepted
        await pool.until(lambda pool: pool.accepted > accepted)
        assert miner.pool.failures == 1
        assert pool.rejected == 0


async def test_a_miner_without_a_pool_does_not_hash() -> None:
    async with StratumPool(difficulty=EASY) as gone:
        port = gone.port
    async with mining(port) as miner, asyncio.timeout(DEADLINE_S):
        await until(lambda: miner.pool.failures >= 1 and bool(miner.crew.hashers))
        pids = [hasher.process.pid for hasher in miner.crew.hashers]
        await at_rest(pids)
        assert miner.pool.ip is None
        assert miner.job is None


async def test_a_pool_that_stops_answering_is_left_and_tried_again(pool: StratumPool) -> None:
    async with (
        mining(pool.port, patience=IMPATIENT) as miner,
        asyncio.timeout(DEADLINE_S),
    ):
        await pool.until(lambda pool: pool.accepted >= 1)
        pool.mode = "silent"
        await until(lambda: miner.pool.failures >= 1)
        assert miner.job is None
        pool.mode = "normal"
        accepted = pool.accepted
        await pool.until(lambda pool: pool.accepted > accepted)


async def test_a_pool_that_refuses_every_share_is_counted_and_mined_on(pool: StratumPool) -> None:
    pool.mode = "reject"
    async with mining(pool.port) as miner, asyncio.timeout(DEADLINE_S):
        await until(lambda: miner.shares.rejected >= 5)
        assert miner.shares.accepted == 0
        assert miner.pool.failures == 0


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\n",
        b"[[[[\n",
        b"null\n",
        b'{"id": 99, "result": true}\n',
        b'{"method": "mining.notify", "params": [1]}\n',
        b'{"method": "mining.notify"}\n',
        b'{"method": "mining.set_difficulty", "params": [-5]}\n',
        b'{"method": "mining.set_difficulty", "params": [NaN]}\n',
        b'{"method": "mining.set_extranonce", "params": ["zz", 900]}\n',
        b'{"method": "client.reconnect", "params": ["pool.example", 3333, 0]}\n',
        b"\n" * 2000,
    ],
)
async def test_a_garbage_line_changes_nothing(pool: StratumPool, line: bytes) -> None:
    async with mining(pool.port) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        pool.send_raw(line)
        accepted = pool.accepted
        await pool.until(lambda pool: pool.accepted >= accepted + 3)
        assert pool.connections == 1
        assert miner.pool.failures == 0


async def test_a_line_without_end_costs_the_connection_and_nothing_else(pool: StratumPool) -> None:
    async with mining(pool.port), asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        pool.send_raw(b"x" * 2_000_000)
        await pool.until(lambda pool: pool.connections == 2)
        accepted = pool.accepted
        await pool.until(lambda pool: pool.accepted > accepted)


async def test_a_changed_extranonce_counts_from_the_next_job(pool: StratumPool) -> None:
    async with mining(pool.port) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        pool.send_raw(b'{"id":null,"method":"mining.set_extranonce","params":["0badcafe",6]}\n')
        pool.new_job()
        await until(lambda: miner.job is not None and miner.job.extranonce.size == 6)
        assert miner.job is not None
        assert miner.job.extranonce == Extranonce(bytes.fromhex("0badcafe"), 6)


class ScriptedPool:
    """Answers the n-th connection with the n-th script: bytes sent at once, then closed."""

    def __init__(self, scripts: list[bytes]) -> None:
        self._scripts = scripts
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        writer.write(script)
        await reader.readline()
        writer.close()


def quick_client(port: int) -> PoolClient:
    """A pool client without hashing processes, that never waits for long."""

    class NoChance(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return 0.0

    return PoolClient(
        PoolAddress("127.0.0.1", port, "rig", "x"),
        user_agent="test/1",
        on_job=lambda _job: None,
        on_share=lambda _share, _refused: None,
        patience=IMPATIENT,
        chance=NoChance(),
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scripts=st.lists(st.binary(max_size=200), min_size=1, max_size=8))
async def test_whatever_a_pool_says_the_client_comes_back(scripts: list[bytes]) -> None:
    pool = ScriptedPool(scripts)
    server = await asyncio.start_server(pool.serve, "127.0.0.1", 0)
    client = asyncio.create_task(quick_client(server.sockets[0].getsockname()[1]).run())
    async with asyncio.timeout(DEADLINE_S):
        await until(lambda: pool.connections > len(scripts))
    assert not client.done()
    client.cancel()
    await asyncio.gather(client, return_exceptions=True)
    server.close()


@pytest.mark.parametrize(
    "script",
    [
        b'{"id": 1, "result": null, "error": [20, "go away", null]}\n',
        b'{"id": 1, "result": [], "error": null}\n',
        SUBSCRIBED + b'{"id": 2, "result": false, "error": null}\n',
    ],
)
async def test_a_refused_subscription_or_login_is_tried_again(script: bytes) -> None:
    pool = ScriptedPool([script])
    server = await asyncio.start_server(pool.serve, "127.0.0.1", 0)
    client = quick_client(server.sockets[0].getsockname()[1])
    task = asyncio.create_task(client.run())
    async with asyncio.timeout(DEADLINE_S):
        await until(lambda: client.failures >= 3)
    assert client.ip is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.close()


def tiny_job(extranonce2_bytes: int) -> Job:
    """A job whose every hash is a share."""
    params = ["1", "00" * 32, "01", "02", [], "20000000", "1d00ffff", "5e148a8c", True]
    return parse_job(params, Extranonce(b"\x07", extranonce2_bytes), 1e-12)


@pytest.mark.parametrize(("extranonce2_bytes", "headers"), [(0, 1), (1, 256)])
async def test_every_header_of_a_job_is_tried_once_and_then_none(
    extranonce2_bytes: int, headers: int
) -> None:
    found: list[Share] = []
    crew = Crew(
        2,
        nice=19,
        cpu_percent=100,
        on_share=found.append,
        clock=asyncio.get_running_loop().time,
        nonces_per_header=3,
    )
    crew.work_on(tiny_job(extranonce2_bytes))
    task = asyncio.create_task(crew.run())
    async with asyncio.timeout(DEADLINE_S):
        await until(lambda: len(found) >= 3 * headers)
    await asyncio.sleep(0.2)
    tried = [(share.extranonce2, share.nonce) for share in found]
    assert sorted(tried) == [(header, nonce) for header in range(headers) for nonce in range(3)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_hashing_process_that_dies_ends_the_miner(pool: StratumPool) -> None:
    async with mining(pool.port, threads=2) as miner, asyncio.timeout(DEADLINE_S):
        await pool.until(lambda pool: pool.accepted >= 1)
        first, second = (hasher.process for hasher in miner.crew.hashers)
        first.kill()
        await until(lambda: miner.crew.hashers == [])
        assert second.returncode is not None


async def test_a_dead_hashing_process_is_named() -> None:
    crew = Crew(
        1,
        nice=19,
        cpu_percent=10,
        on_share=lambda _share: None,
        clock=asyncio.get_running_loop().time,
    )
    task = asyncio.create_task(crew.run())
    async with asyncio.timeout(DEADLINE_S):
        await until(lambda: bool(crew.hashers))
        crew.hashers[0].process.kill()
        with pytest.raises(HasherDied, match=r"process 0 .* status -9"):
            await task
