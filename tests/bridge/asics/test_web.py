"""HTTP to a machine: nothing is written over a connection whose end has not said who it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web as server

from hashcenter_bridge.devices.transports.web import Web, glance
from hashcenter_bridge.errors import DeviceFault

from .machines import loopback

PORT = 18_082


class Machine:
    """A server that says its name at /who, and remembers what was written to it."""

    def __init__(self, name: str, *, hangs_up: bool = False) -> None:
        self.name = name
        self.hangs_up = hangs_up
        self.asked = 0
        self.written: list[str] = []

    async def handle(self, request: server.BaseRequest) -> server.Response:
        if request.method == "POST":
            self.written.append(request.path)
        else:
            self.asked += 1
        answer = server.json_response({"name": self.name})
        if self.hangs_up:
            answer.force_close()
        return answer


@asynccontextmanager
async def serving(machine: Machine, address: str) -> AsyncIterator[None]:
    runner = server.ServerRunner(server.Server(machine.handle), shutdown_timeout=0.1)
    await runner.setup()
    await server.TCPSite(runner, address, PORT).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Client:
    """A driver's use of it."""

    def __init__(self, address: str, expected: str) -> None:
        self.expected = expected
        self.web = Web(address, PORT, who=self._who)

    async def _who(self) -> None:
        answer = await self.web.get("/who")
        if answer.body["name"] != self.expected:
            raise DeviceFault("other_device", "somebody else")


async def test_a_kept_connection_is_asked_once() -> None:
    address, machine = loopback(), Machine("mine")
    async with serving(machine, address):
        client = Client(address, "mine")
        for _ in range(3):
            await client.web.write("POST", "/set")
        await client.web.close()
    assert machine.written == ["/set"] * 3
    assert machine.asked == 1


async def test_one_that_closes_each_connection_is_asked_before_each_write() -> None:
    address, machine = loopback(), Machine("mine", hangs_up=True)
    async with serving(machine, address):
        client = Client(address, "mine")
        for _ in range(2):
            await client.web.write("POST", "/set")
        await client.web.close()
    assert machine.written == ["/set"] * 2
    assert machine.asked >= 2


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_another_machine_at_the_address_gets_nothing(hangs_up: bool) -> None:
    address = loopback()
    first, second = Machine("mine", hangs_up=hangs_up), Machine("other", hangs_up=hangs_up)
    client = Client(address, "mine")
    async with serving(first, address):
        await client.web.write("POST", "/set")
    async with serving(second, address):
        with pytest.raises(DeviceFault) as raised:
            await client.web.write("POST", "/set")
    await client.web.close()
    assert raised.value.code == "other_device"
    assert second.written == []


async def test_after_a_cancelled_look_the_next_write_asks_anew() -> None:
    address, machine = loopback(), Machine("mine")
    stuck = asyncio.Event()

    async def slow(request: server.BaseRequest) -> server.Response:
        if request.path == "/slow":
            await stuck.wait()
        return await Machine.handle(machine, request)

    machine.handle = slow  # type: ignore[method-assign]
    async with serving(machine, address):
        client = Client(address, "mine")
        await client.web.write("POST", "/set")
        look = asyncio.create_task(client.web.get("/slow"))
        await asyncio.sleep(0.1)
        look.cancel()
        async with asyncio.timeout(2):
            await client.web.write("POST", "/set")
        stuck.set()
        await client.web.close()
    assert machine.written == ["/set"] * 2
    assert machine.asked >= 2


async def test_a_stranger_is_glanced_at_without_an_error() -> None:
    address = loopback()
    assert await glance(address, PORT, "/") is None
    async with serving(Machine("x"), address):
        answer = await glance(address, PORT, "/")
    assert answer is not None
    assert answer.body == {"name": "x"}
