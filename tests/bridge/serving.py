"""A real runner with the small real model, and the HTTP API in front of it.

What the bridge's loop does is done by the simplest one: every ticket is granted at once, to the
only runner, unless a test holds the grants back.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from hashcenter_bridge.asking import Asking
from hashcenter_bridge.child import Child, ChildState
from hashcenter_bridge.house_api import Readiness
from hashcenter_bridge.http_api import create_app, server
from hashcenter_bridge.plugin import PluginContext
from hashcenter_bridge.prefix import PromptKeeper
from hashcenter_bridge.registry import load
from hashcenter_bridge.runners import Runner
from hashcenter_bridge.runners.upstream import session
from hashcenter_bridge.task_rules import Status
from hashcenter_bridge.tasks import TaskQueue
from hashcenter_bridge.thoughts import VOICE_THINKING_S
from hashcenter_bridge.tickets import Ticket, Tickets
from hashcenter_bridge.warmth import Warmth

T = TypeVar("T")
PATIENCE_S = 60.0
KEY = "the rig's key"
MODEL = "small"


def make_runner(folder: Path, model: Path, plugin: str = "xllamacpp", **keys: Any) -> Runner:
    """Return a runner on the processor, not started."""
    settings = {"name": "voice", "gpus": [], "alias": MODEL, "threads": 2, "context_tokens": 2048}
    config = load("runners", plugin).Config.model_validate(
        {"plugin": plugin, "model": str(model), **settings, **keys}
    )
    runner: Runner = load("runners", plugin)(config, (), PluginContext(folder, folder))
    return runner


@dataclass
class Running:
    """A runner and its process."""

    runner: Runner
    child: Child
    changed: asyncio.Event

    async def until(self, state: ChildState) -> None:
        """Wait for a state of the process."""
        async with asyncio.timeout(PATIENCE_S):
            while self.child.state is not state:
                self.changed.clear()
                await self.changed.wait()

    async def slots(self) -> list[dict[str, Any]]:
        """Return what llama.cpp says of its slots."""
        async with (
            session(self.runner.upstream) as upstream,
            upstream.get(f"{self.runner.upstream.root_url}/slots") as response,
        ):
            said: list[dict[str, Any]] = await response.json()
            return said

    async def slots_in_use(self) -> int:
        """Return how many slots work, as llama.cpp itself says."""
        return sum(slot["is_processing"] for slot in await self.slots())

    async def until_slots_in_use(self, number: int) -> None:
        """Wait until so many slots work."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.slots_in_use() != number:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(runner: Runner) -> AsyncIterator[Running]:
    """Start `runner` and wait until it can answer."""
    async with wanted(runner) as held:
        await held.until(ChildState.READY)
        yield held


@asynccontextmanager
async def wanted(runner: Runner) -> AsyncIterator[Running]:
    """Want `runner` to run, as the bridge does."""
    changed = asyncio.Event()
    assert runner.child is not None
    child = Child(
        runner.child,
        ready=runner.ready,
        before_start=runner.verify,
        changed=changed.set,
        clock=time.monotonic,
        back_off_s=(0.1,),
    )
    held = Running(runner, child, changed)
    try:
        child.want(True)
        yield held
    finally:
        await child.close()
        await runner.close()


@dataclass
class Api:
    """The HTTP API, served. `closed` are finished tickets; `grant` decides about each new one.

    `told` is what was said of queued tasks.
    """

    url: str
    tasks: TaskQueue
    told: list[tuple[str, Status]] = field(default_factory=list)
    closed: list[Ticket] = field(default_factory=list)
    open: Mapping[int, Ticket] = field(default_factory=dict)
    grant: Callable[[Ticket], None] = lambda ticket: ticket.grant("voice")
    failing: bool = False
    ready: tuple[bool, str] = (True, "ready")
    warmth: Warmth = field(default_factory=lambda: Warmth(time.monotonic, lambda: None))

    @property
    def headers(self) -> dict[str, str]:
        """What lets a client in."""
        return {"Authorization": f"Bearer {KEY}"}

    def client(self, **settings: Any) -> aiohttp.ClientSession:
        """Return a session with the key."""
        return aiohttp.ClientSession(self.url, headers=self.headers, **settings)


@asynccontextmanager
async def served(
    *runners: Runner,
    keepers: Mapping[str, PromptKeeper] | None = None,
    folder: Path | None = None,
    thinking_s: float = VOICE_THINKING_S,
) -> AsyncIterator[Api]:
    """Serve the API over `runners` on a free port of the loopback interface.

    Queued tasks are kept in `folder`, or nowhere for long. `thinking_s`: see `Asking`.
    """
    with tempfile.TemporaryDirectory() as passing:
        tasks = TaskQueue(folder or Path(passing))
        async with _served(Api("", tasks), runners, keepers or {}, thinking_s) as api:
            yield api


@asynccontextmanager
async def _served(
    api: Api,
    runners: Sequence[Runner],
    keepers: Mapping[str, PromptKeeper],
    thinking_s: float,
) -> AsyncIterator[Api]:

    def look() -> None:
        for ticket in tickets.open.values():
            if ticket.waiting:
                api.grant(ticket)

    def health() -> dict[str, Any]:
        if api.failing:
            raise RuntimeError("a mistake of ours")
        return {"status": "ok"}

    tickets = Tickets(time.monotonic, look, api.closed.append)
    api.open = tickets.open
    by_name = {runner.name: runner for runner in runners}
    asking = Asking(tickets, by_name, keepers, lambda _: api.ready[0], thinking_s)
    api.tasks.load(asking.whole, lambda *said: api.told.append(said))
    app = create_app(
        asking=asking,
        tasks=api.tasks,
        accepts=lambda given: given == KEY,
        metrics=lambda: "hashcenter_up 1\n",
        health=health,
        readiness=Readiness(api.warmth, lambda: api.ready, keepers),
    )
    serving = server(app)
    await serving.setup()
    try:
        await web.TCPSite(serving, "127.0.0.1", 0).start()
        host, port = serving.addresses[0][:2]
        api.url = f"http://{host}:{port}"
        yield api
    finally:
        await api.tasks.close()
        await serving.cleanup()


async def all_of(stream: AsyncIterator[T]) -> list[T]:
    """Return all pieces of a stream."""
    return [piece async for piece in stream]


async def error_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the error of an answer, which has OpenAI's form."""
    error: dict[str, Any] = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error
