"""The xmrig plugin on a real miner, and on servers that are down, strange or lying."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, strategies as st
from pydantic import ValidationError

from hashcenter_bridge.child import Child, ChildState
from hashcenter_bridge.errors import MinerFault
from hashcenter_bridge.miners import MinerReading, xmrig
from hashcenter_bridge.miners.xmrig import Plugin
from hashcenter_bridge.plugin import PluginContext
from tests.bridge.processes import DEADLINE_S, at_rest, cpu_s, group, until
from tests.simulators.stratum_pool import StratumPool

#: What an xmrig that hashes says, with what this plugin does not need left in.
SUMMARY: dict[str, Any] = {
    "id": "0123456789abcdef",
    "worker_id": "cellar",
    "uptime": 3601,
    "restricted": False,
    "results": {"diff_current": 50_000, "shares_good": 41, "shares_total": 43, "best": [7, 0]},
    "algo": "rx/0",
    "connection": {"pool": "10.0.0.9:3333", "ip": "10.0.0.9", "uptime": 3600, "failures": 0},
    "version": "6.26.0",
    "kind": "miner",
    "paused": False,
    "hashrate": {"total": [3210.5, 3198.0, None], "highest": 3300.1},
    "hugepages": [6, 6],
}
ServeSummary = Callable[..., Awaitable[str]]


def plugin(tmp_path: Path, **block: Any) -> Plugin:
    """Make the plugin from an owner's block."""
    config = Plugin.Config.model_validate({"plugin": "xmrig", "name": "cellar", **block})
    return Plugin(config, ("GPU-1",), PluginContext(tmp_path, tmp_path))


class Scripted:
    """A server that answers as told; it remembers what it was asked."""

    def __init__(self) -> None:
        self.summary: Any = SUMMARY
        self.answers: dict[str, web.Response] = {}
        self.asked: list[tuple[str, str, str | None, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        token = request.headers.get("Authorization")
        self.asked.append((request.method, request.path, token, body))
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path == "/json_rpc":
            return web.json_response({"id": 1, "jsonrpc": "2.0", "result": {"status": "OK"}})
        return web.json_response(self.summary)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Scripted, str]]:
    """A scripted server and its address."""
    scripted = Scripted()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", scripted.handle)
    async with TestServer(application) as running:
        yield scripted, str(running.make_url("")).rstrip("/")


@pytest.fixture
async def external(server: tuple[Scripted, str], tmp_path: Path) -> AsyncIterator[Plugin]:
    """The plugin on the scripted server."""
    miner = plugin(tmp_path, url=server[1])
    yield miner
    await miner.close()


async def test_a_summary_is_told_in_the_bridges_words(external: Plugin) -> None:
    assert await external.read() == MinerReading(
        paused=False,
        hash_rate_hs=3210.5,
        shares_accepted=41,
        shares_rejected=2,
        pool_connected=True,
        algorithm="rx/0",
    )
    assert external.child is None
    assert external.gpus == ("GPU-1",)


async def test_what_the_miner_does_not_know_is_unknown_and_not_0(
    server: tuple[Scripted, str], external: Plugin
) -> None:
    server[0].summary = {"paused": False, "hashrate": {"total": [None, None, None]}}
    reading = await external.read()
    assert reading.hash_rate_hs is None
    assert reading.pool_connected is None
    assert reading.algorithm is None


async def test_a_pool_without_an_address_is_not_connected(
    server: tuple[Scripted, str], external: Plugin
) -> None:
    server[0].summary = {**SUMMARY, "connection": {"pool": "10.0.0.9:3333", "ip": None}}
    assert (await external.read()).pool_connected is False


async def test_pause_and_resume_are_xmrigs_commands(
    server: tuple[Scripted, str], external: Plugin
) -> None:
    await external.pause()
    await external.resume()
    assert [(verb, path, body["method"]) for verb, path, _, body in server[0].asked] == [
        ("POST", "/json_rpc", "pause"),
        ("POST", "/json_rpc", "resume"),
    ]


async def test_a_miner_that_agrees_to_pause_and_hashes_on_is_read_as_hashing(
    external: Plugin,
) -> None:
    await external.pause()
    assert (await external.read()).paused is False


async def test_the_token_is_read_from_its_file_each_time(
    server: tuple[Scripted, str], tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("first\n")
    miner = plugin(tmp_path, url=server[1], token_file=str(token_file))
    await miner.read()
    token_file.write_text("second")
    await miner.pause()
    assert [token for _, _, token, _ in server[0].asked] == ["Bearer first", "Bearer second"]
    token_file.unlink()
    with pytest.raises(MinerFault, match=r"token cannot be read \(No such file or directory\)"):
        await miner.read()
    await miner.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda: web.Response(status=401), "wants another access token"),
        (lambda: web.Response(status=403), "wants another access token"),
        (lambda: web.Response(status=404, text="<html>"), "is this xmrig's HTTP API?"),
        (lambda: web.Response(status=302, headers={"Location": "/"}), "answers with status 302"),
        (lambda: web.Response(text="<html>"), "unreadable answer: it is not JSON"),
        (lambda: web.Response(body=b"\xff\xfe"), "unreadable answer: it is not JSON"),
        (lambda: web.Response(text="[" * 100_000), "unreadable answer: it is not JSON"),
        (lambda: web.Response(text=" " * 300_000), "longer than 262144 bytes"),
        (lambda: web.json_response([]), "unreadable answer: the answer is not as xmrig's"),
        (lambda: web.json_response({}), "does not say whether it is paused"),
        (
            lambda: web.json_response({"paused": False, "hashrate": {"total": [-1]}}),
            "hashrate.total.0.* is not as xmrig's",
        ),
    ],
)
async def test_an_answer_that_is_no_summary_is_a_fault_in_one_sentence(
    server: tuple[Scripted, str],
    external: Plugin,
    answer: Callable[[], web.Response],
    sentence: str,
) -> None:
    server[0].answers["/2/summary"] = answer()
    with pytest.raises(MinerFault, match=sentence) as caught:
        await external.read()
    assert caught.value.text.startswith("cellar ")
    assert "\n" not in caught.value.text


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda: web.Response(status=403), "can only be read: start it with"),
        (
            lambda: web.json_response({"error": {"code": -32601, "message": "Method not found"}}),
            "cellar refused to pause: Method not found",
        ),
        (lambda: web.json_response({"error": "no"}), "cellar refused to pause: no"),
        (lambda: web.json_response(True), "cellar refused to pause: no JSON-RPC answer"),
    ],
)
async def test_a_refused_command_is_a_fault(
    server: tuple[Scripted, str],
    external: Plugin,
    answer: Callable[[], web.Response],
    sentence: str,
) -> None:
    server[0].answers["/json_rpc"] = answer()
    with pytest.raises(MinerFault, match=sentence):
        await external.pause()


async def test_a_miner_that_is_down_is_a_fault_and_comes_back(tmp_path: Path) -> None:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", Scripted().handle)
    async with TestServer(application) as running:
        port = running.port
        miner = plugin(tmp_path, url=f"http://127.0.0.1:{port}")
        await miner.read()
    with pytest.raises(MinerFault, match="cannot be reached") as caught:
        await miner.pause()
    assert caught.value.code == "miner_unreachable"
    again = web.Application()
    again.router.add_route("*", "/{path:.*}", Scripted().handle)
    async with TestServer(again, port=port):
        await miner.resume()
    await miner.close()


async def test_a_miner_that_hangs_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xmrig, "_ANSWER_WITHIN_S", 0.2)
    held: list[asyncio.StreamWriter] = []

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    miner = plugin(tmp_path, url=f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    with pytest.raises(MinerFault, match="has not answered"):
        await miner.read()
    await miner.close()
    for writer in held:
        writer.close()
    silent.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"paused": JSON},
        optional={"hashrate": JSON, "results": JSON, "connection": JSON, "algo": JSON},
    )
    | JSON
)
def test_any_json_is_a_reading_or_a_fault(answer: Any) -> None:
    class Told(Plugin):
        async def _ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
            return answer

    config = Plugin.Config(plugin="xmrig", name="cellar", url="http://127.0.0.1:1")
    told = Told(config, (), PluginContext(Path(), Path()))
    try:
        reading = asyncio.run(told.read())
    except MinerFault:
        return
    assert reading.shares_accepted >= 0
    assert reading.shares_rejected >= 0
    assert reading.hash_rate_hs is None or reading.hash_rate_hs >= 0


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({}, "name a command that starts the miner, or the url of its API"),
        ({"command": ["xmrig"], "token_file": "/t"}, "token_file goes with url"),
        ({"url": "127.0.0.1:1"}, "should match pattern"),
        ({"url": "http://127.0.0.1:1/2/summary"}, "should match pattern"),
        ({"url": "http://me:secret@127.0.0.1:1"}, "should match pattern"),
        ({"url": "http://127.0.0.1:1", "token": "x"}, "Extra inputs are not permitted"),
        ({"command": ["xmrig"], "nice": -5}, "greater than or equal to 0"),
        ({"command": ["xmrig"], "name": "My Miner"}, "should match pattern"),
    ],
)
def test_a_block_that_cannot_work_is_refused(
    tmp_path: Path, block: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError, match=sentence):
        plugin(tmp_path, **block)


def test_an_owned_miner_serves_its_api_to_us_alone(tmp_path: Path) -> None:
    miners = [plugin(tmp_path, command=["/bin/xmrig", "-o", "10.0.0.9:3333"]) for _ in range(2)]
    ports, tokens = set(), set()
    for miner in miners:
        assert miner.child is not None
        assert miner.child.name == "cellar"
        assert miner.child.nice == 10
        assert miner.child.argv[:3] == ("/bin/xmrig", "-o", "10.0.0.9:3333")
        host, port, token, unrestricted = miner.child.argv[3:]
        assert (host, unrestricted) == ("--http-host=127.0.0.1", "--http-no-restricted")
        ports.add(port.removeprefix("--http-port="))
        tokens.add(token.removeprefix("--http-access-token="))
    assert all(20_000 <= int(port) < 30_000 for port in ports)
    assert len(tokens) == 2
    assert all(len(token) >= 32 for token in tokens)


def test_a_command_with_a_url_is_started_as_written(tmp_path: Path) -> None:
    miner = plugin(tmp_path, command=["/bin/xmrig", "-c", "mine.json"], url="http://127.0.0.1:9")
    assert miner.child is not None
    assert miner.child.argv == ("/bin/xmrig", "-c", "mine.json")


def test_the_miner_that_comes_with_the_bridge_is_found_without_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "python").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hashcenter-miner").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    miner = plugin(tmp_path, command=["hashcenter-miner"])
    assert miner.child is not None
    assert miner.child.argv[0] == str(tmp_path / "bin" / "hashcenter-miner")
    missing = plugin(tmp_path, command=["xmrig"])
    assert missing.child is not None
    assert missing.child.argv[0] == "xmrig"


async def test_the_bridge_runs_pauses_and_ends_a_real_miner(tmp_path: Path) -> None:
    changed = asyncio.Event()
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(DEADLINE_S), StratumPool(difficulty=1e-5) as pool:
        command = [sys.executable, "-m", "hashcenter_bridge.reference_miner"]
        to_pool = ["--pool", f"127.0.0.1:{pool.port}", "--user", "rig", "--cpu-percent", "50"]
        miner = plugin(tmp_path, command=[*command, *to_pool])
        assert miner.child is not None

        async def ready() -> bool:
            await miner.read()
            return True

        child = Child(miner.child, ready=ready, before_start=None, changed=changed.set, clock=clock)
        child.want(True)
        await until(lambda: child.state is ChildState.READY)
        await pool.until(lambda pool: pool.accepted >= 3)
        reading = await miner.read()
        assert reading.paused is False
        assert reading.pool_connected is True
        assert reading.algorithm == "sha256d"

        await miner.pause()
        assert (await miner.read()).paused is True
        assert child.pid is not None
        miner_pid, hasher = group(child.pid)
        rested_at_s = await at_rest([hasher])
        accepted = pool.accepted
        assert (await miner.read()).shares_accepted == accepted

        await miner.resume()
        await pool.until(lambda pool: pool.accepted > accepted)
        assert cpu_s([hasher]) > rested_at_s

        await child.close()
        assert child.state is ChildState.STOPPED
        assert group(miner_pid) == []
        with pytest.raises(MinerFault, match="cannot be reached"):
            await miner.read()
        await miner.close()
