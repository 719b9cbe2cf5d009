"""The simulated pool judges rightly: everything that is tested with it stands on this."""

import asyncio
import contextlib
import json
import random
import signal
import sys
from typing import Any, Self

import pytest

from hashcenter_bridge.reference_miner.stratum import (
    Extranonce,
    Job,
    Notification,
    Share,
    parse_job,
    parse_line,
    request_line,
)
from hashcenter_bridge.reference_miner.worker import find_nonces
from tests.bridge.processes import DEADLINE_S
from tests.simulators.stratum_pool import StratumPool

from .conftest import EASY


class ByHand:
    """A miner typed by hand: one question, one answer; jobs are remembered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.jobs: list[list[Any]] = []
        self.extranonce = Extranonce(b"", 0)

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, method: str, *params: object) -> dict[str, Any]:
        self._writer.write(request_line(1, method, list(params)))
        while True:
            line = await self._reader.readline()
            message = parse_line(line)
            if not isinstance(message, Notification):
                answer: dict[str, Any] = json.loads(line)
                return answer
            self._remember(message)

    async def login(self) -> None:
        subscribed = await self.ask("mining.subscribe")
        self.extranonce = Extranonce(
            bytes.fromhex(subscribed["result"][1]), subscribed["result"][2]
        )
        await self.ask("mining.authorize", "rig", "x")
        while not self.jobs:
            await self.hear()

    async def hear(self) -> None:
        message = parse_line(await self._reader.readline())
        assert isinstance(message, Notification)
        self._remember(message)

    async def is_dropped(self) -> bool:
        """Whether the pool has closed this connection, whatever it said before."""
        with contextlib.suppress(ConnectionError):
            await self._reader.read()
        return self._reader.at_eof() or self._reader.exception() is not None

    def _remember(self, message: Notification) -> None:
        if message.method == "mining.notify":
            self.jobs.append(message.params)

    def job(self, difficulty: float = EASY) -> Job:
        return parse_job(self.jobs[-1], self.extranonce, difficulty)

    async def submit(self, params: list[str]) -> Any:
        """Return None if the share was accepted, else the pool's code."""
        answer = await self.ask("mining.submit", *params)
        return None if answer["result"] is True else answer["error"][0]


def solve(job: Job, *, wins: bool = True) -> Share:
    """Find the first nonce that is (or is not) below the target."""
    prefix = job.header_prefix(5)
    nonce = next(n for n in range(1 << 22) if bool(find_nonces(prefix, job.target, n, 1)) is wins)
    return Share(job, 5, nonce)


async def test_a_share_counts_once(pool: StratumPool) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        share = solve(miner.job()).submit_params("rig")
        assert await miner.submit(share) is None
        assert await miner.submit(share) == 22
        upper = [*share[:2], share[2].upper(), *share[3:]]
        assert await miner.submit(upper) == 22
        count = pool.workers["rig"]
        assert (count.accepted, count.duplicate, count.rejected) == (1, 2, 2)
        assert count.hashes == EASY * 2**32


async def test_a_share_above_the_target_does_not_count(pool: StratumPool) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        assert await miner.submit(solve(miner.job(), wins=False).submit_params("rig")) == 23
        assert pool.workers["rig"].low_difficulty == 1


async def test_a_share_of_an_older_block_is_stale(pool: StratumPool) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        old = solve(miner.job()).submit_params("rig")
        pool.new_block()
        assert await miner.submit(old) == 21
        assert pool.workers["rig"].stale == 1


async def test_a_share_of_an_older_job_of_this_block_still_counts(pool: StratumPool) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        old = solve(miner.job()).submit_params("rig")
        pool.set_difficulty(1e6)
        assert await miner.submit(old) is None


@pytest.mark.parametrize(
    "change",
    [
        {2: "00"},
        {2: "zz"},
        {3: "00000000"},
        {3: "ffffffff"},
        {4: "0000000"},
        {4: "000000000000"},
        {4: None},
        {4: []},
    ],
)
async def test_a_malformed_share_is_bad(pool: StratumPool, change: dict[int, Any]) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        params: list[Any] = solve(miner.job()).submit_params("rig")
        for index, value in change.items():
            params[index] = value
        assert await miner.submit(params) == 20
        assert pool.workers["rig"].bad == 1


async def test_a_changed_nonce_or_extranonce_is_not_the_share_that_was_found(
    pool: StratumPool,
) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        pool.set_difficulty(EASY * 100)
        await miner.hear()
        await miner.hear()
        params = solve(miner.job(EASY * 100)).submit_params("rig")
        other = [*params[:2], "0000abcd", *params[3:]]
        assert await miner.submit(other) == 23
        assert await miner.submit(params) is None


async def test_nobody_mines_unknown_or_unsubscribed(pool: StratumPool) -> None:
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as stranger:
        assert await stranger.submit(["rig", "1", "00000000", "00000000", "00000000"]) == 25
    async with asyncio.timeout(DEADLINE_S), ByHand(pool.port) as miner:
        await miner.login()
        assert await miner.submit(solve(miner.job()).submit_params("somebody")) == 24
        assert pool.accepted == 0


async def test_garbage_from_a_miner_is_counted_and_survived(pool: StratumPool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
    writer.write(b"\xff\n[]\n{}\nnull\n" + request_line(1, "mining.subscribe", []))
    async with asyncio.timeout(DEADLINE_S):
        assert json.loads(await reader.readline())["result"]
    assert pool.unreadable_lines == 4
    writer.close()


async def test_a_pool_that_refuses_closes_at_once(pool: StratumPool) -> None:
    pool.mode = "refuse"
    reader, writer = await asyncio.open_connection("127.0.0.1", pool.port)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    writer.close()


async def test_jobs_come_by_themselves() -> None:
    async with (
        asyncio.timeout(DEADLINE_S),
        StratumPool(difficulty=EASY, job_every_s=0.05, chance=random.Random(7)) as pool,
        ByHand(pool.port) as miner,
    ):
        await miner.login()
        while len(miner.jobs) < 3:
            await miner.hear()
        assert len({job[0] for job in miner.jobs}) == len(miner.jobs)


async def test_the_program_is_controlled_by_lines_and_tells_its_own_count() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulators.stratum_pool", "--difficulty", str(EASY)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_S):
            ports = json.loads(await process.stdout.readline())
            reader, writer = await asyncio.open_connection("127.0.0.1", ports["control_port"])

            async def control(**order: object) -> dict[str, Any]:
                writer.write(json.dumps(order).encode() + b"\n")
                answer: dict[str, Any] = json.loads(await reader.readline())
                return answer

            async with ByHand(ports["port"]) as miner:
                await miner.login()
                assert await miner.submit(solve(miner.job()).submit_params("rig")) is None
                status = await control(command="status")
                assert status["workers"]["rig"]["accepted"] == 1
                assert (status["connected"], status["rejected"]) == (1, 0)
                assert (await control(command="difficulty", value=3))["difficulty"] == 3
                assert (await control(command="mode", value="reject"))["mode"] == "reject"
                assert "error" in await control(command="mode", value="nonsense")
                assert "error" in await control(order="status")
                await control(command="new_block")
                await control(command="drop")
                assert await miner.is_dropped()
            writer.close()
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
