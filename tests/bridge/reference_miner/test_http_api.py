"""The API is xmrig's: the same documents, the same refusals."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from hashcenter_bridge.reference_miner.http_api import Access, HttpApi
from hashcenter_bridge.reference_miner.meters import HashRate, Shares, total
from hashcenter_bridge.reference_miner.miner import Miner, Settings
from hashcenter_bridge.reference_miner.pool_client import PoolAddress

Client = TestClient[Any, Any]
Serve = Callable[[Access], Awaitable[Client]]
TOKEN = "a token"
FULL = Access(TOKEN, restricted=False)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
#: The fields of xmrig's own example answer (doc/api/2/summary.json).
XMRIG_SUMMARY = {
    "id",
    "worker_id",
    "uptime",
    "restricted",
    "resources",
    "features",
    "results",
    "algo",
    "connection",
    "version",
    "kind",
    "ua",
    "cpu",
    "donate_level",
    "paused",
    "algorithms",
    "hashrate",
    "hugepages",
}
XMRIG_RESULTS = {
    "diff_current",
    "shares_good",
    "shares_total",
    "avg_time",
    "avg_time_ms",
    "hashes_total",
    "best",
}
XMRIG_CONNECTION = {
    "pool",
    "ip",
    "uptime",
    "uptime_ms",
    "ping",
    "failures",
    "tls",
    "tls-fingerprint",
    "algo",
    "diff",
    "accepted",
    "rejected",
    "avg_time",
    "avg_time_ms",
    "hashes_total",
}


@pytest.fixture
def miner() -> Miner:
    """A miner that was never started: no connection, no process."""
    settings = Settings(PoolAddress("127.0.0.1", 3333, "rig", "x"), "heater", "test/1")
    return Miner(settings, clock=time.monotonic, chance=random.Random(7))


@pytest.fixture
async def serve(miner: Miner) -> AsyncIterator[Serve]:
    """Serve the miner's API with some access rules."""
    clients: list[Client] = []

    async def start(access: Access) -> Client:
        client: Client = TestClient(TestServer(HttpApi(miner, access, "0123").application()))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.mark.parametrize("path", ["/1/summary", "/2/summary", "/api.json"])
async def test_the_summary_has_the_fields_of_xmrig(serve: Serve, path: str) -> None:
    client = await serve(Access())
    summary = await (await client.get(path)).json()
    assert set(summary) == XMRIG_SUMMARY
    assert set(summary["results"]) == XMRIG_RESULTS
    assert set(summary["connection"]) == XMRIG_CONNECTION
    assert summary["algo"] == "sha256d"
    assert summary["worker_id"] == "heater"
    assert summary["restricted"] is True


async def test_what_is_not_known_yet_is_null_and_not_0(serve: Serve) -> None:
    client = await serve(Access())
    summary = await (await client.get("/2/summary")).json()
    assert summary["hashrate"] == {"total": [None, None, None], "highest": None}
    assert summary["connection"]["ip"] is None
    assert summary["connection"]["uptime_ms"] == 0


async def test_backends_are_one_cpu_with_a_thread_for_each_process(serve: Serve) -> None:
    client = await serve(Access())
    (backend,) = await (await client.get("/2/backends")).json()
    assert backend["type"] == "cpu"
    assert backend["threads"] == []
    assert backend["processes"] == []


@pytest.mark.parametrize(
    ("access", "headers", "status"),
    [
        (Access(), {}, 200),
        (Access(), BEARER, 401),
        (FULL, {}, 401),
        (FULL, {"Authorization": "Bearer wrong"}, 403),
        (FULL, {"Authorization": f"Basic {TOKEN}"}, 403),
        (FULL, {"Authorization": ""}, 403),
        (FULL, {"Authorization": "Bearer \udcff"}, 403),
        (FULL, BEARER, 200),
    ],
)
async def test_a_token_guards_reading_too(
    serve: Serve, access: Access, headers: dict[str, str], status: int
) -> None:
    client = await serve(access)
    answer = await client.get("/2/summary", headers=headers)
    assert answer.status == status
    if status != 200:
        assert (await answer.json())["status"] == status


async def test_a_restricted_miner_cannot_be_commanded(serve: Serve, miner: Miner) -> None:
    for access, headers in ((Access(), {}), (Access(TOKEN), BEARER)):
        client = await serve(access)
        answer = await client.post("/json_rpc", json={"method": "pause", "id": 1}, headers=headers)
        assert answer.status == 403
    assert not miner.paused


async def test_pause_and_resume_answer_as_xmrig_does(serve: Serve, miner: Miner) -> None:
    client = await serve(FULL)
    for method, paused in (("pause", True), ("pause", True), ("resume", False)):
        answer = await client.post("/json_rpc", json={"method": method, "id": 7}, headers=BEARER)
        assert await answer.json() == {"id": 7, "jsonrpc": "2.0", "result": {"status": "OK"}}
        assert miner.paused is paused
        summary = await (await client.get("/2/summary", headers=BEARER)).json()
        assert summary["paused"] is paused


async def test_after_stop_a_resume_does_not_hash(serve: Serve, miner: Miner) -> None:
    client = await serve(FULL)
    for method in ("stop", "resume"):
        await client.post("/json_rpc", json={"method": method, "id": 1}, headers=BEARER)
    assert miner.stopped
    (backend,) = await (await client.get("/2/backends", headers=BEARER)).json()
    assert backend["enabled"] is False


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 50_000, -32700),
        (b"[]", -32600),
        (b"{}", -32601),
        (b'{"method": 5, "id": 1}', -32601),
        (b'{"method": "config", "id": 1}', -32601),
    ],
)
async def test_a_wrong_call_is_an_error_and_nothing_moves(
    serve: Serve, miner: Miner, body: bytes, code: int
) -> None:
    client = await serve(FULL)
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = await client.post("/json_rpc", data=body, headers=headers)
    assert answer.status == 200
    assert (await answer.json())["error"]["code"] == code
    assert not miner.paused
    assert not miner.stopped


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("POST", "/json_rpc", "text/plain", 415),
        ("GET", "/json_rpc", "", 405),
        ("GET", "/2/config", "", 404),
        ("PUT", "/2/config", "application/json", 404),
        ("GET", "/", "", 404),
    ],
)
async def test_what_is_not_there_is_refused_in_json(
    serve: Serve, method: str, path: str, content_type: str, status: int
) -> None:
    client = await serve(FULL)
    headers = {**BEARER, "Content-Type": content_type}
    answer = await client.request(method, path, data=b'{"method": "pause"}', headers=headers)
    assert answer.status == status
    assert (await answer.json())["status"] == status


async def test_a_body_without_end_is_refused(serve: Serve, miner: Miner) -> None:
    client = await serve(FULL)
    headers = {**BEARER, "Content-Type": "application/json"}
    answer = await client.post("/json_rpc", data=b" " * 1_000_000, headers=headers)
    assert answer.status == 413


def test_a_hash_rate_is_unknown_until_its_window_has_passed() -> None:
    rate = HashRate(now=100)
    assert rate.per_second(10, now=105) is None
    for second in range(1, 31):
        rate.add(500, now=100 + second)
    assert rate.per_second(10, now=130) == 500
    assert rate.per_second(60, now=130) is None


def test_a_paused_process_falls_to_0_within_the_window() -> None:
    rate = HashRate(now=0)
    for second in range(1, 21):
        rate.add(500, now=second)
    assert rate.per_second(10, now=25) == 250
    assert rate.per_second(10, now=40) == 0


def test_a_hash_rate_keeps_no_more_than_its_longest_window() -> None:
    rate = HashRate(now=0)
    for half_second in range(1, 10_000):
        rate.add(500, now=half_second / 2)
    assert rate.per_second(900, now=9_999 / 2) == pytest.approx(1000)
    assert len(rate._samples) <= 1802


def test_a_total_is_unknown_if_a_part_is() -> None:
    assert total([1.0, 2.0]) == 3.0
    assert total([1.0, None]) is None
    assert total([]) is None


def test_the_ten_best_shares_are_kept() -> None:
    shares = Shares()
    for actual in range(1, 21):
        shares.accept(difficulty=3, actual=actual)
    assert shares.best == list(range(20, 10, -1))
    assert (shares.accepted, shares.hashes) == (20, 60)
