"""The key goes only to a server that has proven that it knows it: real servers, real keys."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from custom_components.hashcenter.answers.contact import Endpoint, NotProvenError
from custom_components.hashcenter.flows.access import async_refusal
from hashcenter_bridge import certificate
from hashcenter_bridge.proof import add_proof
from tests.brokers import HOST, free_port

KEY = "hc-the-key-of-this-rig"

pytestmark = pytest.mark.usefixtures("socket_enabled")


class Rig:
    """A server with a certificate of its own; it remembers which keys it was sent."""

    def __init__(self, folder: Path, *keys: str, port: int | None = None) -> None:
        self.keys = keys
        self.sent: list[str | None] = []
        self.port = port or free_port()
        self.url = f"https://{HOST}:{self.port}"
        folder.mkdir(exist_ok=True)
        self._shown = certificate.read_or_make(folder)

    async def _models(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.sent.append(given)
        return web.json_response({}, status=200 if given in self.keys else 401)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Rig]:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        add_proof(app, lambda: self.keys, self._shown.fingerprint)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, HOST, self.port, ssl_context=self._shown.context()).start()
        try:
            yield self
        finally:
            await runner.cleanup()


async def status(session: aiohttp.ClientSession, endpoint: Endpoint) -> int:
    response = await endpoint.async_request(session, "GET", "/v1/models")
    response.close()
    return response.status


async def test_a_rig_that_proves_itself_gets_the_key(hass: HomeAssistant, tmp_path: Path) -> None:
    async with Rig(tmp_path, KEY).serving() as rig:
        assert await async_refusal(hass, rig.url, KEY) is None

        assert rig.sent == [KEY]


async def test_a_server_that_does_not_know_the_key_never_sees_it(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    async with Rig(tmp_path, "another key").serving() as rig:
        assert await async_refusal(hass, rig.url, KEY) == "wrong_key"

        assert rig.sent == []


async def test_a_server_in_the_middle_cannot_pass_on_the_rigs_proof(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    """It may ask the real rig for a proof, but that is over the real rig's certificate."""
    async with Rig(tmp_path / "rig", KEY).serving() as rig:
        middle = Rig(tmp_path / "middle", KEY)
        true_one = certificate.read_or_make(tmp_path / "rig")
        app = web.Application()
        add_proof(app, lambda: (KEY,), true_one.fingerprint)
        runner = web.AppRunner(app)
        await runner.setup()
        shown = certificate.read_or_make(tmp_path / "middle").context()
        await web.TCPSite(runner, HOST, middle.port, ssl_context=shown).start()
        try:
            assert await async_refusal(hass, middle.url, KEY) == "wrong_key"
        finally:
            await runner.cleanup()
        assert await async_refusal(hass, rig.url, KEY) is None


async def test_a_certificate_that_was_made_anew_proves_itself_again(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    session = async_get_clientsession(hass)
    async with Rig(tmp_path / "before", KEY).serving() as rig:
        endpoint = Endpoint("Attic", rig.url, KEY)
        assert await status(session, endpoint) == 200
    async with Rig(tmp_path / "after", KEY, port=rig.port).serving():
        assert await status(session, endpoint) == 200


async def test_another_server_at_the_rigs_address_is_not_told_the_key(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    session = async_get_clientsession(hass)
    async with Rig(tmp_path / "rig", KEY).serving() as rig:
        endpoint = Endpoint("Attic", rig.url, KEY)
        assert await status(session, endpoint) == 200
    async with Rig(tmp_path / "thief", "a guess", port=rig.port).serving() as thief:
        with pytest.raises(NotProvenError):
            await status(session, endpoint)
        assert thief.sent == []


async def test_nobody_there_is_no_wrong_key(hass: HomeAssistant) -> None:
    assert await async_refusal(hass, f"https://{HOST}:{free_port()}", KEY) == "cannot_connect"
