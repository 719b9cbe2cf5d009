"""The miner as a program: what a person types, what a supervisor sees."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.bridge.processes import DEADLINE_S, at_rest, children, cpu_s, is_alive, until
from tests.simulators.stratum_pool import StratumPool

COMMAND = (sys.executable, "-m", "hashcenter_bridge.reference_miner")
TOKEN = "secret"


@asynccontextmanager
async def program(
    *arguments: str,
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    """Run the miner as its owner would; yields it and its first line."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HASHCENTER_MINER_TOKEN": TOKEN},
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def command(session: aiohttp.ClientSession, method: str) -> None:
    async with session.post("/json_rpc", json={"method": method, "id": 1}) as answer:
        assert answer.status == 200


async def summary(session: aiohttp.ClientSession) -> dict[str, Any]:
    async with session.get("/2/summary") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_the_pool_and_the_processes_prove_what_the_api_says(pool: StratumPool) -> None:
    arguments = ("--pool", f"127.0.0.1:{pool.port}", "--user", "house", "--http-no-restricted")
    async with asyncio.timeout(DEADLINE_S), program(*arguments) as (process, where):
        address = f"http://{where['http_host']}:{where['http_port']}"
        assert where["http_host"] == "127.0.0.1"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(address, headers=headers) as session:
            await pool.until(lambda pool: pool.accepted >= 5)
            (hasher,) = children(where["pid"])
            async with session.get("/2/backends") as answer:
                assert (await answer.json())[0]["processes"] == [hasher]
            assert os.getpriority(os.PRIO_PROCESS, hasher) == 19
            assert list(pool.workers) == ["house"]

            await command(session, "pause")
            last = await at_rest([hasher])
            accepted = pool.accepted
            told = await summary(session)
            assert told["paused"] is True
            assert told["connection"]["ip"] == "127.0.0.1"
            assert told["results"]["shares_good"] == accepted
            await asyncio.sleep(1)
            assert cpu_s([hasher]) - last <= 0.02

            await command(session, "resume")
            await pool.until(lambda pool: pool.accepted >= accepted + 3)
            assert pool.rejected == 0

        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert not is_alive(hasher)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_paused_miner_ends_with_0_as_quickly(number: signal.Signals) -> None:
    arguments = ("--pool", "127.0.0.1:1", "--http-no-restricted")
    async with asyncio.timeout(DEADLINE_S), program(*arguments) as (process, where):
        await until(lambda: len(children(where["pid"])) == 1)
        process.send_signal(number)
        assert await process.wait() == 0


async def test_a_killed_miner_leaves_no_hashing_process(pool: StratumPool) -> None:
    arguments = ("--pool", f"127.0.0.1:{pool.port}", "--threads", "2", "--cpu-percent", "10")
    async with asyncio.timeout(DEADLINE_S), program(*arguments) as (process, where):
        await pool.until(lambda pool: pool.accepted >= 1)
        await until(lambda: len(children(where["pid"])) == 2)
        hashers = children(where["pid"])
        process.kill()
        await process.wait()
        await until(lambda: not any(map(is_alive, hashers)))


async def test_a_miner_whose_hashing_process_dies_exits_1_and_says_so(pool: StratumPool) -> None:
    arguments = ("--pool", f"127.0.0.1:{pool.port}")
    async with asyncio.timeout(DEADLINE_S), program(*arguments) as (process, where):
        await pool.until(lambda pool: pool.accepted >= 1)
        os.kill(children(where["pid"])[0], signal.SIGKILL)
        _, stderr = await process.communicate()
        assert process.returncode == 1
        assert "Hashing process 0 ended by itself" in stderr.decode()
        assert "Traceback" not in stderr.decode()


def refused(*arguments: str, token: str | None = None) -> str:
    """Run the miner with options that cannot work; return the one sentence it says."""
    environment = {key: value for key, value in os.environ.items() if "HASHCENTER" not in key}
    if token is not None:
        environment["HASHCENTER_MINER_TOKEN"] = token
    done = subprocess.run(
        (*COMMAND, *arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
        env=environment,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: --pool"),
        (["--pool", "pool.example:3333"], "not on this machine: say as whom with --user"),
        (["--pool", "10.0.0.7:3333"], "not on this machine: say as whom with --user"),
        (["--pool", "127.0.0.1"], "is not HOST:PORT"),
        (["--pool", "127.0.0.1:99999"], "is not HOST:PORT"),
        (["--pool", "http://127.0.0.1:80"], "is not HOST:PORT"),
        (["--pool", "[::1:80"], "is not HOST:PORT"),
        (["--pool", "127.0.0.1:1", "--http-no-restricted"], "needs a token"),
        (["--pool", "127.0.0.1:1", "--http-host", "0.0.0.0"], "opens the API to the network"),
        (["--pool", "127.0.0.1:1", "--threads", "0"], "--threads 0 is not between 1 and 256"),
        (["--pool", "127.0.0.1:1", "--cpu-percent", "0.5"], "--cpu-percent 0.5 is not between"),
        (["--pool", "127.0.0.1:1", "--nice", "20"], "--nice 20 is not between 0 and 19"),
    ],
)
def test_an_option_that_cannot_work_is_one_sentence(arguments: list[str], sentence: str) -> None:
    assert sentence in refused(*arguments)


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("--pool", "127.0.0.1:1", "--http-port", str(port), token=TOKEN)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
