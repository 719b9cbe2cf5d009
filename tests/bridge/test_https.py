"""The API with HTTPS: its own certificate, the proof that it knows its key, keys that change."""

import asyncio
import hashlib
import os
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hashcenter_bridge import certificate, key
from hashcenter_bridge.asking import Asking
from hashcenter_bridge.config import HttpConfig
from hashcenter_bridge.errors import ConfigError
from hashcenter_bridge.house_api import Readiness
from hashcenter_bridge.http_api import create_app, server
from hashcenter_bridge.key import GRACE_S, Keys
from hashcenter_bridge.proof import PATH, add_proof
from hashcenter_bridge.tasks import TaskQueue
from hashcenter_bridge.tickets import Tickets
from hashcenter_bridge.warmth import Warmth
from tests.brokers import HOST, free_port

NONCE = "00112233445566778899aabbccddeeff"


@asynccontextmanager
async def https(folder: Path) -> AsyncIterator[tuple[str, Keys]]:
    """Serve the API as the bridge does on a network; yield its address and its keys."""
    keys, shown = Keys(folder), certificate.read_or_make(folder)
    tickets = Tickets(lambda: 0.0, lambda: None, lambda _: None)
    app = create_app(
        asking=Asking(tickets, {}, {}, lambda _: False),
        tasks=TaskQueue(folder / "tasks"),
        accepts=keys.accepts,
        metrics=str,
        health=dict,
        readiness=Readiness(Warmth(lambda: 0.0, lambda: None), lambda: (False, "")),
    )
    add_proof(app, keys.valid, shown.fingerprint)
    runner, port = server(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, HOST, port, ssl_context=shown.context()).start()
    try:
        yield f"https://{HOST}:{port}", keys
    finally:
        await runner.cleanup()


async def seen_certificate(url: str) -> tuple[bytes, list[str]]:
    """Return the fingerprint that a connection shows, and the rig's proofs, without any key."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    _, line = await asyncio.open_connection(HOST, int(url.rpartition(":")[2]), ssl=trusting)
    der = line.get_extra_info("ssl_object").getpeercert(binary_form=True)
    line.close()
    fingerprint = hashlib.sha256(der).digest()
    pinned = aiohttp.Fingerprint(fingerprint)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}{PATH}", params={"nonce": NONCE}, ssl=pinned) as response,
    ):
        assert response.status == 200
        return fingerprint, (await response.json())["proofs"]


async def status(url: str, with_key: str, fingerprint: bytes) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{url}/v1/models",
            headers={"Authorization": f"Bearer {with_key}"},
            ssl=aiohttp.Fingerprint(fingerprint),
        ) as response,
    ):
        return response.status


async def test_the_rig_proves_its_certificate_to_who_knows_its_key(tmp_path: Path) -> None:
    async with https(tmp_path) as (url, keys):
        fingerprint, proofs = await seen_certificate(url)
        (mine,) = keys.valid()

        assert proofs == [certificate.proof(mine, bytes.fromhex(NONCE), fingerprint)]
        assert certificate.proof("another", bytes.fromhex(NONCE), fingerprint) not in proofs
        assert await status(url, mine, fingerprint) == 200


async def test_a_program_that_checks_names_can_be_told_the_certificate(tmp_path: Path) -> None:
    async with https(tmp_path) as (url, keys):
        told = ssl.create_default_context(cafile=tmp_path / "api.crt")
        headers = {"Authorization": f"Bearer {keys.valid()[0]}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{url}/metrics", ssl=told, server_hostname="hashcenter") as response,
        ):
            assert response.status == 200


async def test_another_server_cannot_pass_for_the_rig(tmp_path: Path) -> None:
    (tmp_path / "rig").mkdir()
    (tmp_path / "other").mkdir()
    async with https(tmp_path / "rig") as (url, keys), https(tmp_path / "other") as (other, _):
        pinned, _ = await seen_certificate(url)
        strangers, proofs = await seen_certificate(other)

        expected = certificate.proof(keys.valid()[0], bytes.fromhex(NONCE), strangers)
        assert expected not in proofs
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await status(other, keys.valid()[0], pinned)


@pytest.mark.parametrize("nonce", ["", "00", "zz" * 16, "00" * 65, "AA" * 16])
async def test_a_nonce_that_is_none_is_refused(tmp_path: Path, nonce: str) -> None:
    async with (
        https(tmp_path) as (url, _),
        aiohttp.ClientSession() as session,
        session.get(f"{url}{PATH}", params={"nonce": nonce}, ssl=False) as response,
    ):
        assert response.status == 400


async def test_a_renewed_key_holds_at_once_and_the_one_before_for_a_week(tmp_path: Path) -> None:
    async with https(tmp_path) as (url, keys):
        fingerprint, _ = await seen_certificate(url)
        before = keys.valid()[0]
        now = key.renew(tmp_path)

        assert await status(url, now, fingerprint) == 200
        assert await status(url, before, fingerprint) == 200
        week_ago = (tmp_path / "key").stat().st_mtime - GRACE_S - 1
        os.utime(tmp_path / "key", (week_ago, week_ago))
        assert await status(url, now, fingerprint) == 200
        assert await status(url, before, fingerprint) == 401


def test_the_certificate_is_made_once_and_private(tmp_path: Path) -> None:
    first = certificate.read_or_make(tmp_path)

    assert certificate.read_or_make(tmp_path).fingerprint == first.fingerprint
    assert stat.S_IMODE(first.key_file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api.crt", "api.key"]


def test_an_owners_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.crt").write_text("hello")

    with pytest.raises(ConfigError, match=r"cert_file: .*mine\.crt cannot be read"):
        certificate.read(tmp_path / "mine.crt", tmp_path / "mine.key")


def test_beyond_this_machine_it_is_https_unless_the_owner_says_no(tmp_path: Path) -> None:
    assert HttpConfig().certificate(tmp_path) is None
    assert HttpConfig(listen="0.0.0.0", plain=True).certificate(tmp_path) is None
    assert HttpConfig(listen="0.0.0.0").certificate(tmp_path) is not None
    assert HttpConfig(listen="192.168.1.20").encrypts
