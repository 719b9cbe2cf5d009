"""Work that nobody waits for: queued on a rig, fetched by its id. The HTTP servers are real."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Any, Self

import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message

from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import encode
from custom_components.hashcenter.wire.messages import (
    Endpoint,
    Heater,
    HeaterState,
    InferenceState,
    Inventory,
    LeaseInForce,
    RigState,
)
from custom_components.hashcenter.wire.values import Favor
from tests.component.talking import KEY, rig_says, rig_subentry, set_up

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")


class Queue:
    """A rig's task queue: it keeps what it is given, and does nothing about it by itself."""

    def __init__(self) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.refuses: tuple[int, str] | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hashcenter/tasks", self._add)
        app.router.add_get("/hashcenter/tasks/{id}", self._get)
        app.router.add_delete("/hashcenter/tasks/{id}", self._remove)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def ends(self, name: str, **fields: Any) -> None:
        """Have a task end."""
        self.tasks[name] |= fields

    def _known(self, request: web.Request) -> dict[str, Any]:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        name = request.match_info.get("id", "")
        if name not in self.tasks:
            body = '{"error": {"code": "task_not_found", "message": "there is no such task"}}'
            raise web.HTTPNotFound(text=body, content_type="application/json")
        return self.tasks[name]

    async def _add(self, request: web.Request) -> web.Response:
        if self.refuses is not None:
            status, code = self.refuses
            return web.json_response({"error": {"code": code, "message": "No."}}, status=status)
        body = await request.json()
        known = self.tasks.setdefault(
            body["id"],
            {**body, "status": "waiting", "reason": "", "answer": None, "error": None},
        )
        return web.json_response(_outline(known), status=202)

    async def _get(self, request: web.Request) -> web.Response:
        task = self._known(request)
        return web.json_response(
            {**_outline(task), "answer": task["answer"], "error": task["error"]}
        )

    async def _remove(self, request: web.Request) -> web.Response:
        self._known(request)
        del self.tasks[request.match_info["id"]]
        return web.Response(status=204)


def _outline(task: dict[str, Any]) -> dict[str, Any]:
    return {name: task[name] for name in ("id", "status", "reason", "run")}


def completion(text: str) -> dict[str, Any]:
    """Return a chat completion that says this."""
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


Start = Callable[[], Any]


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    """Start queues."""
    async with AsyncExitStack() as stack:

        async def started() -> Queue:
            return await stack.enter_async_context(Queue())

        yield started


@pytest.fixture
async def queue(hass: HomeAssistant, start: Start) -> Queue:
    """The queue of the only rig of a house."""
    made: Queue = await start()
    await set_up(hass, rig_subentry("rig", made.url), agents=0)
    await rig_says(hass, "rig", made.url)
    return made


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    """Call one of the actions."""
    answers = action != "cancel_task"
    return await hass.services.async_call(
        "hashcenter", action, data, blocking=True, return_response=answers
    )


async def test_a_task_is_queued_and_fetched_by_its_name(hass: HomeAssistant, queue: Queue) -> None:
    queued = await act(hass, "queue_task", id="report", instructions="Sum up.")
    assert queued == {
        "rig": "Rig",
        "id": "report",
        "status": "waiting",
        "reason": "",
        "run": "heat",
    }
    task = queue.tasks["report"]
    assert (task["run"], task["deadline_s"]) == ("heat", 86400)
    assert task["request"]["messages"][-1] == {"role": "user", "content": "Sum up."}
    waiting = await act(hass, "task_result", id="report")
    assert (waiting["status"], waiting["text"], waiting["data"]) == ("waiting", None, None)
    queue.ends("report", status="done", answer=completion("All is well."))
    done = await act(hass, "task_result", id="report")
    assert (done["rig"], done["status"], done["text"]) == ("Rig", "done", "All is well.")
    assert (done["data"], done["error"]) == (None, None)


async def test_data_has_a_structure_and_comes_back_as_data(
    hass: HomeAssistant, queue: Queue
) -> None:
    structure = {"lamps": {"selector": {"number": {}}, "required": True}}
    await act(
        hass,
        "queue_task",
        instructions="Count.",
        structure=structure,
        run="now",
        deadline={"hours": 2},
    )
    [(name, task)] = queue.tasks.items()
    assert (task["run"], task["deadline_s"]) == ("now", 7200)
    schema = task["request"]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["lamps"]
    queue.ends(name, status="done", answer=completion('{"lamps": 5}'))
    assert (await act(hass, "task_result", id=name))["data"] == {"lamps": 5}


async def test_a_task_that_failed_says_why(hass: HomeAssistant, queue: Queue) -> None:
    await act(hass, "queue_task", id="report", instructions="Sum up.")
    queue.ends("report", status="failed", error={"code": "too_long", "message": "too long"})
    failed = await act(hass, "task_result", id="report")
    assert (failed["status"], failed["text"], failed["error"]) == ("failed", None, "too long")


async def test_a_cancelled_task_is_gone(hass: HomeAssistant, queue: Queue) -> None:
    await act(hass, "queue_task", id="report", instructions="Sum up.")
    await act(hass, "cancel_task", id="report")
    assert queue.tasks == {}
    for action in ("task_result", "cancel_task"):
        with pytest.raises(HomeAssistantError, match="no such task"):
            await act(hass, action, id="report")


@pytest.mark.parametrize(
    ("refusal", "says"),
    [((409, "task_exists"), "another task of this name"), ((507, "storage"), "had a problem")],
)
async def test_a_refusal_is_a_sentence(
    hass: HomeAssistant, queue: Queue, refusal: tuple[int, str], says: str
) -> None:
    queue.refuses = refusal
    with pytest.raises(HomeAssistantError, match=says):
        await act(hass, "queue_task", instructions="Sum up.")


async def lease(hass: HomeAssistant, rig: str, url: str, power_w: float, favor: Favor) -> None:
    """Have a rig say that it is leased these watts."""
    heater = Heater(id="m", name="M", devices=(), idle_w=50, min_w=100, max_w=500, unattended_w=50)
    inventory = Inventory(
        boot_id="boot",
        protocol=1,
        min_protocol=1,
        version="0.1.0",
        name=rig,
        endpoint=Endpoint(url=url),
        heaters=(heater,),
    )
    held = LeaseInForce(controller="c", power_w=power_w, favor=favor, remaining_s=100)
    state = RigState(
        boot_id="boot",
        tick=2,
        activity="idle",
        heaters=(HeaterState(id="m", lease=held),),
        inference=InferenceState(available=True),
    )
    async_fire_mqtt_message(hass, topics.INVENTORY.of(rig), encode(inventory))
    async_fire_mqtt_message(hass, topics.STATE.of(rig), encode(state))
    await hass.async_block_till_done()


@pytest.fixture
async def two(hass: HomeAssistant, start: Start) -> tuple[Queue, Queue]:
    """The queues of two rigs."""
    queues = (await start(), await start())
    names = ("one", "two")
    await set_up(
        hass,
        *(rig_subentry(name, one.url) for name, one in zip(names, queues, strict=True)),
        agents=0,
    )
    for name, one in zip(names, queues, strict=True):
        await rig_says(hass, name, one.url)
    return queues


@pytest.mark.parametrize(
    ("power_w", "favor", "to"),
    [(400, Favor.INFERENCE, "Two"), (400, Favor.HASHING, "One"), (50, Favor.INFERENCE, "One")],
)
async def test_a_task_goes_where_its_heat_is_wanted(
    hass: HomeAssistant, two: tuple[Queue, Queue], power_w: float, favor: Favor, to: str
) -> None:
    await lease(hass, "two", two[1].url, power_w, favor)
    assert (await act(hass, "queue_task", instructions="Sum up."))["rig"] == to


async def test_a_task_goes_to_the_rig_that_is_named(
    hass: HomeAssistant, two: tuple[Queue, Queue]
) -> None:
    device = dr.async_get(hass).async_get_device_by_identifier(
        ("hashcenter", "rig/two"), hass.config_entries.async_entries("hashcenter")[0].entry_id
    )
    assert device
    queued = await act(hass, "queue_task", instructions="Sum up.", device_id=device.id)
    assert queued["rig"] == "Two"
    with pytest.raises(HomeAssistantError, match="is not a rig"):
        await act(hass, "queue_task", instructions="Sum up.", device_id="another")


async def test_a_full_queue_leaves_it_to_another_rig(
    hass: HomeAssistant, two: tuple[Queue, Queue]
) -> None:
    two[0].refuses = (429, "queue_full")
    assert (await act(hass, "queue_task", instructions="Sum up."))["rig"] == "Two"


async def test_a_rig_that_is_off_leaves_it_to_another(
    hass: HomeAssistant, two: tuple[Queue, Queue]
) -> None:
    await two[0].__aexit__()
    assert (await act(hass, "queue_task", id="x", instructions="Sum up."))["rig"] == "Two"
    assert (await act(hass, "task_result", id="x"))["rig"] == "Two"


async def test_what_a_rig_may_have_heard_goes_to_no_other(
    hass: HomeAssistant, two: tuple[Queue, Queue]
) -> None:
    two[0].refuses = (500, "internal")
    with pytest.raises(HomeAssistantError):
        await act(hass, "queue_task", instructions="Sum up.")
    assert two[1].tasks == {}


async def test_a_task_is_not_called_unknown_while_a_rig_cannot_be_asked(
    hass: HomeAssistant, two: tuple[Queue, Queue]
) -> None:
    await two[0].__aexit__()
    with pytest.raises(HomeAssistantError, match="One cannot be reached"):
        await act(hass, "task_result", id="x")


async def test_without_a_house_or_a_rig_there_is_a_sentence(
    hass: HomeAssistant, start: Start
) -> None:
    await set_up(hass, rig_subentry("rig", "http://127.0.0.1:9"), agents=0)
    with pytest.raises(HomeAssistantError, match="No rig can answer"):
        await act(hass, "queue_task", instructions="Sum up.")
    [entry] = hass.config_entries.async_entries("hashcenter")
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError, match="not running"):
        await act(hass, "queue_task", instructions="Sum up.")
