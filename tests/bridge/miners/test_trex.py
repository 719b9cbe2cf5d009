"""The T-Rex plugin on a server that behaves as its API does, strange and lying ones included."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from hashcenter_bridge.errors import MinerFault
from hashcenter_bridge.miners import MinerReading, trex
from hashcenter_bridge.miners.trex import Plugin
from hashcenter_bridge.plugin import PluginContext

PASSWORD = "canary-3d10"
SUMMARY: dict[str, Any] = {
    "accepted_count": 12, "rejected_count": 1, "algorithm": "kawpow", "hashrate": 51_200_000,
    "active_pool": {"url": "stratum+tcp://10.0.0.9:3333", "user": "owner.rig", "ping": 20},
    "gpus": [{"device_id": 0, "paused": False}, {"device_id": 1, "paused": False}],
    "uptime": 300, "version": "0.26.8",
}  # fmt: skip


class Miner:
    """What T-Rex does: `pause=True` says success and does nothing; sessions can be wanted."""

    def __init__(self) -> None:
        self.paused = False
        self.password: str | None = None
        self.sessions: set[str] = set()
        self.read_only = False
        self.asked: list[str] = []
        self.summary: Any = SUMMARY

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        query = request.query
        if request.path == "/summary":
            if not isinstance(self.summary, dict):
                return web.Response(text=str(self.summary))
            cards = [{"device_id": index, "paused": self.paused} for index in (0, 1)]
            return web.json_response({**self.summary, "gpus": cards})
        if request.path == "/login":
            if query.get("password") != self.password:
                return web.json_response({"success": 0, "error": "wrong password"})
            self.sessions.add(f"sid{len(self.sessions)}")
            return web.json_response({"success": 1, "sid": f"sid{len(self.sessions) - 1}"})
        if self.read_only or (self.password and query.get("sid") not in self.sessions):
            return web.json_response({"success": 0, "error": "access denied"})
        if query.get("pause") in {"true", "false"}:
            self.paused = query["pause"] == "true"
        return web.json_response({"success": 1})


@pytest.fixture
async def server() -> AsyncIterator[tuple[Miner, str]]:
    miner = Miner()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", miner.handle)
    async with TestServer(application) as running:
        yield miner, str(running.make_url("")).rstrip("/")


def plugin(folder: Path, **block: Any) -> Plugin:
    config = Plugin.Config.model_validate({"plugin": "trex", "name": "garage", **block})
    return Plugin(config, ("GPU-1",), PluginContext(folder, folder))


async def test_a_summary_is_told_in_the_bridges_words(
    server: tuple[Miner, str], tmp_path: Path
) -> None:
    miner = plugin(tmp_path, url=server[1])
    assert await miner.read() == MinerReading(
        paused=False,
        hash_rate_hs=51_200_000,
        shares_accepted=12,
        shares_rejected=1,
        pool_connected=True,
        algorithm="kawpow",
    )
    await miner.close()


async def test_it_pauses_and_goes_on(server: tuple[Miner, str], tmp_path: Path) -> None:
    miner = plugin(tmp_path, url=server[1])
    await miner.pause()
    assert (await miner.read()).paused
    await miner.resume()
    assert not (await miner.read()).paused
    assert [path for path in server[0].asked if "control" in path] == [
        "/control?pause=true",
        "/control?pause=false",
    ]
    await miner.close()


async def test_a_session_is_opened_and_opened_again(
    server: tuple[Miner, str], tmp_path: Path
) -> None:
    server[0].password = PASSWORD
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    miner = plugin(tmp_path, url=server[1], password_file=file)
    await miner.pause()
    server[0].sessions.clear()
    await miner.resume()
    assert not server[0].paused
    await miner.close()


async def test_a_refusal_says_what_may_help_and_no_password(
    server: tuple[Miner, str], tmp_path: Path
) -> None:
    server[0].read_only = True
    miner = plugin(tmp_path, url=server[1])
    with pytest.raises(MinerFault, match="password_file"):
        await miner.pause()
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    locked = plugin(tmp_path, url="http://127.0.0.1:1", password_file=file)
    with pytest.raises(MinerFault) as raised:
        await locked.pause()
    assert PASSWORD not in raised.value.text
    await miner.close()
    await locked.close()


@pytest.mark.parametrize("said", ["", "<html>", "[]", '{"name": "t-rex"}'])
async def test_what_is_no_summary_is_a_fault(
    server: tuple[Miner, str], tmp_path: Path, said: str
) -> None:
    server[0].summary = said
    miner = plugin(tmp_path, url=server[1])
    with pytest.raises(MinerFault) as raised:
        await miner.read()
    assert raised.value.code == "miner_unreadable"
    await miner.close()


def test_one_paused_card_of_two_is_no_pause() -> None:
    half = {**SUMMARY, "gpus": [{"paused": True}, {"paused": False}]}
    assert not trex.reading(half).paused
    assert trex.reading({**SUMMARY, "active_pool": {}}).pool_connected is False
    assert trex.reading({"hashrate": "much"}).hash_rate_hs is None


def test_its_own_process_listens_on_loopback(tmp_path: Path) -> None:
    miner = plugin(tmp_path, command=("t-rex", "-a", "kawpow"))
    assert miner.child is not None
    assert miner.child.argv[3] == "--api-bind-http"
    assert miner.child.argv[4].startswith("127.0.0.1:")
    assert miner.can_pause
    assert not plugin(tmp_path, command=("t-rex",), pause=False).can_pause


@pytest.mark.parametrize("block", [{}, {"url": "http://10.0.0.9:4067", "pause": False}])
def test_blocks_that_cannot_work_are_refused(tmp_path: Path, block: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plugin(tmp_path, **block)
