"""What Home Assistant asks of rigs besides chat, from the action to the model and back.

One real house with two real bridges: `attic` runs the small real model and has an image server
beside it; `study` asks somebody else's server, which plays what a model of that size cannot do.
"""

import base64
import io
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image

from tests.conformance.plays import calls, says
from tests.conformance.scripted_upstream import Play, Received, ScriptedUpstream, Silence
from tests.e2e.answering import PATIENCE_S, SMALL, House, Rig, elsewhere, set_up
from tests.simulators import wyoming
from tests.simulators.image_server import ImageServer
from tools.demo.ports import free_port
from tools.demo.processes import DemoError, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]


class Script:
    """Plays in their order; what a bridge asks to measure a server's speed takes none of them."""

    def __init__(self) -> None:
        self.plays: list[Play] = []

    def __call__(self, received: Received) -> Play:
        if received.body["messages"][-1]["content"] == "Say hello.":
            return says("Hello.")
        return self.plays.pop(0)


#: More than the small model can read the names of.
_SWITCHES = 240


@dataclass
class Scene:
    """The house, its rigs, the servers beside them, and an AI Task entity fixed to each rig."""

    house: House
    attic: Rig
    study: Rig
    painter: ImageServer
    upstream: ScriptedUpstream
    plays: list[Play]
    small: str
    scripted: str

    async def ask(self, action: str, entity: str, **data: Any) -> Any:
        """Perform an AI Task action."""
        data = {"task_name": "A test", "entity_id": entity, **data}
        return await self.house.act("ai_task", action, **data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as ends:
        painter = await ends.enter_async_context(ImageServer())
        script = Script()
        upstream = await ends.enter_async_context(ScriptedUpstream(script))
        programs = {
            "attic": SMALL + _ears() + elsewhere("painter", painter.url, draws=True),
            "study": elsewhere("scripted", upstream.url, sees=True),
        }
        folder = tmp_path_factory.mktemp("answers")
        house, rigs = await ends.enter_async_context(set_up(folder, programs, _switches()))
        small = await house.add("ai_task_data", rig="attic")
        scripted = await house.add("ai_task_data", rig="study")
        for entity in (small, scripted):
            await house.until_state(entity, "unavailable", "missing", not_=True)
        yield Scene(
            house, rigs["attic"], rigs["study"], painter, upstream, script.plays, small, scripted
        )


async def test_a_speech_program_of_a_rig_is_there_or_not(scene: Scene) -> None:
    ears = await scene.house.entity("rig/attic_speech_ears")
    await scene.house.until_state(ears, "on")
    state = await scene.house.state(ears)
    assert state["attributes"]["can"] == ["hears"]


async def test_data_comes_in_the_structure_that_was_asked_for(scene: Scene) -> None:
    structure = {
        "room": {"selector": {"select": {"options": ["kitchen", "attic"]}}, "required": True},
        "warm": {"selector": {"boolean": {}}, "required": True},
        "level": {"selector": {"number": {}}, "required": True},
    }
    said = await scene.ask(
        "generate_data", scene.small, instructions="The attic is warm.", structure=structure
    )
    data = said["data"]
    assert set(data) == {"room", "warm", "level"}
    assert data["room"] in ("kitchen", "attic")
    assert isinstance(data["warm"], bool)
    assert isinstance(data["level"], int | float)


async def test_questions_are_answered_with_probabilities(scene: Scene) -> None:
    said = await scene.ask(
        "evaluate",
        scene.small,
        state={"oven": "on", "somebody_home": False},
        questions={
            "alarm": {"type": "noul", "instructions": "Is something dangerous?"},
            "room": {
                "type": "choice",
                "instructions": "Which room is it about?",
                "criteria": {"kitchen": "where one cooks", "bath": "where one washes"},
            },
            "urgency": {
                "type": "score",
                "instructions": "How urgent is it?",
                "criteria": ["not at all", "somewhat", "very"],
            },
        },
    )
    answers = said["answers"]
    assert 0 < answers["alarm"]["noul"] < 1
    assert answers["room"]["choice"] in ("kitchen", "bath")
    assert sum(answers["room"]["probabilities"].values()) == pytest.approx(1)
    assert 0 < answers["urgency"]["score"] < 2
    assert sum(answers["urgency"]["probabilities"]) == pytest.approx(1)


async def test_an_image_is_drawn_by_the_rigs_image_server(scene: Scene) -> None:
    said = await scene.ask("generate_image", scene.small, instructions="A warm attic")
    async with (
        aiohttp.ClientSession(scene.house.home.url) as session,
        session.get(said["url"]) as response,
    ):
        drawn = await response.read()
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.size == (512, 512)
        assert image.format == "PNG"
    assert scene.painter.asked[-1]["prompt"] == "A warm attic"


async def test_attached_images_reach_a_model_that_sees(scene: Scene) -> None:
    names = [f"camera_{at}.jpg" for at in range(4)]
    for at, name in enumerate(names):
        Image.effect_noise((4000, 3000), 90 + at).save(scene.house.media / name, quality=95)
    Image.new("RGB", (64, 64), "red").save(scene.house.media / "small.png")
    scene.plays += [says("A red square and noise.")]
    said = await scene.ask(
        "generate_data",
        scene.scripted,
        instructions="What is there?",
        attachments=[
            {
                "media_content_id": f"media-source://media_source/local/{name}",
                "media_content_type": f"image/{name.rpartition('.')[2].replace('jpg', 'jpeg')}",
            }
            for name in [*names, "small.png"]
        ],
    )
    assert said["data"] == "A red square and noise."
    (asked,) = [
        one
        for one in scene.upstream.received
        if not isinstance(one.body["messages"][-1]["content"], str)
    ]
    shown = _images(asked)
    assert len(shown) == 5
    assert max(max(image.size) for image in shown) <= 1568
    assert shown[-1].convert("RGB").getpixel((1, 1)) == (255, 0, 0)


async def test_images_are_not_offered_where_no_model_sees(scene: Scene) -> None:
    with pytest.raises(DemoError, match="does not support attachments"):
        await scene.ask(
            "generate_data",
            scene.small,
            instructions="What is there?",
            attachments=[
                {
                    "media_content_id": "media-source://media_source/local/small.png",
                    "media_content_type": "image/png",
                }
            ],
        )


async def test_an_agent_asks_about_rigs_and_sets_what_they_favor(scene: Scene) -> None:
    house = scene.house
    favor, power = await house.entity("_favor"), await house.entity("rig/attic_activity")
    await _expose(scene, [favor, power], expose=True)
    agent = await house.add("conversation", rig="study", llm_hass_api=["assist"])
    await house.until_state(agent, "unavailable", "missing", not_=True)
    scene.plays += [
        calls(("hashcenter__GetStatus", {}), ("hashcenter__SetFavor", {"favor": "inference"})),
        says("The attic is idle, and answers first now."),
    ]
    response = await house.say("What do the rigs do? They shall answer first.", agent)

    assert response["speech"]["plain"]["speech"] == "The attic is idle, and answers first now."
    await house.until_state(favor, "inference")
    first, second = [one for one in scene.upstream.received if one.body.get("tools")]
    offered = {tool["function"]["name"] for tool in first.body["tools"]}
    assert {"hashcenter__GetStatus", "hashcenter__SetFavor"} <= offered
    results = [
        json.loads(one["content"]) for one in second.body["messages"] if one["role"] == "tool"
    ]
    assert len(results) == 2
    assert "Attic" in results[0]["data"]["devices"]
    assert results[1]["data"] == {"favor": "inference"}
    assert [_priority(one) for one in (first, second)] == ["voice", "voice"]


async def test_a_small_model_is_held_to_tools_that_exist(scene: Scene) -> None:
    house = scene.house
    agent = await house.add(
        "conversation", rig="attic", llm_hass_api=["assist"], constrain_tools=True
    )
    await house.until_state(agent, "unavailable", "missing", not_=True)
    first = await house.first_act("What do the rigs do?", agent)
    # What it does with them is the model's: one call, several at once, or words.
    has = (await house.home.command("get_config"))["components"]
    for call in first.get("tool_calls", ()):
        owner, cut, _ = call["tool_name"].partition("__")
        assert cut
        assert owner in has or owner == "llm"
    assert first.get("tool_calls") or first["content"]


async def test_queued_work_is_fetched_by_its_id_and_run_once_over_restarts(scene: Scene) -> None:
    house, upstream = scene.house, scene.upstream
    study = await house.device_of(scene.study)

    async def queue(task_id: str) -> Any:
        wish = {"instructions": f"Task {task_id}", "run": "now", "device_id": study}
        return await house.act("hashcenter", "queue_task", id=task_id, **wish)

    async def result(task_id: str, *statuses: str) -> Any:
        async def there() -> Any:
            found = await house.act("hashcenter", "task_result", id=task_id)
            return found if found["status"] in statuses else None

        return await until(f"task {task_id} is {statuses}", there, PATIENCE_S)

    def asked(task_id: str) -> int:
        return sum(_words(one) == f"Task {task_id}" for one in upstream.received)

    scene.plays += [says("Done with the first."), Play((Silence(),))]
    assert (await queue("first"))["status"] in ("waiting", "running", "done")
    assert (await result("first", "done"))["text"] == "Done with the first."
    await queue("second")

    async def begun() -> bool:
        return asked("second") == 1

    await until("the second task is being worked on", begun, PATIENCE_S)
    await scene.study.kill()
    scene.plays += [says("Done with the second.")]
    await scene.study.start()

    assert (await _once_more(result, "second"))["text"] == "Done with the second."
    assert (await result("first", "done"))["text"] == "Done with the first."
    await queue("first")
    await queue("second")
    assert (await result("second", "done"))["text"] == "Done with the second."
    assert (asked("first"), asked("second")) == (1, 2)
    seconds = [one for one in upstream.received if _words(one) == "Task second"]
    assert [_priority(one) for one in seconds] == ["task", "task"]
    assert scene.plays == []


async def _once_more(result: Any, task_id: str) -> Any:
    async def there() -> Any:
        try:
            return await result(task_id, "done")
        except DemoError:
            return None

    return await until("the rig is back", there, PATIENCE_S)


async def test_queued_work_of_the_real_model_is_data_where_it_was_asked_for(scene: Scene) -> None:
    house = scene.house
    task = await house.act(
        "hashcenter",
        "queue_task",
        instructions="Is the attic warm?",
        run="now",
        device_id=await house.device_of(scene.attic),
        structure={"warm": {"selector": {"boolean": {}}, "required": True}},
    )

    async def done() -> Any:
        found = await house.act("hashcenter", "task_result", id=task["id"])
        return found if found["status"] not in ("waiting", "running") else None

    found = await until("the task has ended", done, PATIENCE_S)
    assert found["status"] == "done", found
    assert found["rig"] == "Attic"
    assert isinstance(found["data"]["warm"], bool)


async def test_more_than_a_model_can_read_is_a_repair_that_says_how_much_fits(
    scene: Scene,
) -> None:
    home = scene.house.home
    agent = await scene.house.add("conversation", rig="attic", llm_hass_api=["assist"])
    await scene.house.until_state(agent, "unavailable", "missing", not_=True)
    switches = [one for one in await home.states() if one.startswith("input_boolean.")]
    assert len(switches) == _SWITCHES
    await _expose(scene, switches, expose=True)

    response = await scene.house.say("Hello.", agent)

    assert response["response_type"] == "error"
    assert (
        "More is exposed than the model on Attic can read" in response["speech"]["plain"]["speech"]
    )
    listed = (await home.command("repairs/list_issues"))["issues"]
    (issue,) = [one for one in listed if one["translation_key"] == "too_many_entities"]
    numbers = issue["translation_placeholders"]
    assert int(numbers["exposed"]) >= _SWITCHES
    assert 0 < int(numbers["fits"]) < int(numbers["exposed"])
    await _expose(scene, switches, expose=False)


async def test_voice_goes_to_another_rig_and_nobody_is_said_at_once(scene: Scene) -> None:
    house, upstream = scene.house, scene.upstream
    agent = await house.add("conversation", llm_hass_api=[])
    await house.until_state(agent, "unavailable", "missing", not_=True)
    await scene.attic.kill()
    scene.plays += [says("The study answers.")]
    spoken = (await house.say("Who is there?", agent))["speech"]["plain"]["speech"]
    assert spoken == "The study answers."
    (asked,) = [one for one in upstream.received if _words(one).startswith("Who is there?")]
    assert _priority(asked) == "voice"

    await scene.study.kill()
    await house.until_state(agent, "unavailable")
    response = await house.say("Who is there?", agent)
    assert response["response_type"] == "error"
    assert response["speech"]["plain"]["speech"] == "No rig can answer right now."

    await scene.study.start()
    await house.until_state(agent, "unavailable", not_=True)
    scene.plays += [says("Here again.")]
    spoken = (await house.say("Who is there?", agent))["speech"]["plain"]["speech"]
    assert spoken == "Here again."


async def _expose(scene: Scene, entities: list[str], *, expose: bool) -> None:
    await scene.house.home.command(
        "homeassistant/expose_entity",
        assistants=["conversation"], entity_ids=entities, should_expose=expose,
    )  # fmt: skip


def _ears() -> str:
    port = free_port()
    command = json.dumps([sys.executable, wyoming.__file__, str(port), "asr"])
    return f'[[voice]]\nname = "ears"\ncommand = {command}\nport = {port}\n'


def _switches() -> str:
    lines = [f"  s{at}:\n    name: Reading lamp number {at}\n" for at in range(_SWITCHES)]
    return "input_boolean:\n" + "".join(lines)


def _priority(received: Received) -> str:
    return received.headers.get("X-Hashcenter-Priority", "")


def _words(received: Received) -> str:
    content = received.body["messages"][-1]["content"]
    return content if isinstance(content, str) else ""


def _images(received: Received) -> list[Image.Image]:
    content = received.body["messages"][-1]["content"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]
