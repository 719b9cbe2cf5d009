"""AI Tasks on the house's own rigs: data, images in, images out. The HTTP servers are real."""

import base64
import io
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import probatio
import pytest
from homeassistant.components import ai_task
from homeassistant.components.ai_task import AITaskEntityFeature
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.setup import async_setup_component
from PIL import Image

from custom_components.hashcenter.answers.images import MAX_IMAGES, MAX_SIDE
from custom_components.hashcenter.wire.messages import Model
from tests.component.talking import (
    KEY,
    rig_says,
    rig_subentry,
    set_up,
    task_subentry,
)
from tests.conformance.plays import calls, fails, says, thinks
from tests.conformance.scripted_upstream import ScriptedUpstream

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")

ENTITY = "ai_task.hashcenter_ai_task"
SEES = Model(id="eyes", sees=True)
DRAWS = Model(id="brush", draws=True)
IMAGES = "/v1/images/generations"


def image(kind: str = "PNG", size: tuple[int, int] = (8, 6)) -> bytes:
    """Return an image."""
    made = io.BytesIO()
    Image.new("RGB", size, "red").save(made, kind)
    return made.getvalue()


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server; it also draws."""
    drawn = {"data": [{"b64_json": base64.b64encode(image()).decode(), "revised_prompt": "A dot"}]}
    async with ScriptedUpstream(key=KEY, others={IMAGES: drawn}) as server:
        yield server


@pytest.fixture
async def house(hass: HomeAssistant, upstream: ScriptedUpstream, tmp_path: Path) -> Path:
    """A house with a rig that can do everything, and a folder with media."""
    hass.config.media_dirs = {"local": str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    await set_up(hass, rig_subentry("rig", upstream.url), task_subentry(), agents=0)
    await rig_says(hass, "rig", upstream.url, models=(Model(id="text"), SEES, DRAWS))
    return tmp_path


async def generate(hass: HomeAssistant, **task: Any) -> Any:
    """Run a data task and return what came of it."""
    data = {"entity_id": ENTITY, "task_name": "test", "instructions": "Count the lamps.", **task}
    result = await hass.services.async_call(
        "ai_task", "generate_data", data, blocking=True, return_response=True
    )
    assert isinstance(result, dict)
    return result["data"]


async def why_not(hass: HomeAssistant, **task: Any) -> str:
    """Return the sentence that a data task ends in."""
    with pytest.raises(HomeAssistantError) as caught:
        await generate(hass, **task)
    return str(caught.value)


LAMPS = {
    "lamps": {"selector": {"number": {"min": 0}}, "required": True},
    "room": {"selector": {"select": {"options": ["hall", "attic"]}}},
}


async def test_a_task_in_words(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(thinks("Hm.", "Five lamps."))
    assert await generate(hass) == "Five lamps."
    [asked] = upstream.received
    assert asked.headers["X-Hashcenter-Priority"] == "task"
    assert "response_format" not in asked.body
    assert asked.body["messages"][-1]["content"].startswith("Count the lamps.")


async def test_a_task_with_a_structure_is_held_to_it(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(says('{"lamps": 5, "room": "hall"}'))
    assert await generate(hass, structure=LAMPS) == {"lamps": 5, "room": "hall"}
    form = upstream.received[0].body["response_format"]
    assert form["type"] == "json_schema"
    schema = form["json_schema"]["schema"]
    assert schema["required"] == ["lamps"]
    assert schema["properties"]["room"]["enum"] == ["hall", "attic"]


@pytest.mark.parametrize(
    "said",
    ["Five.", '{"lamps": "many"}', '{"room": "hall"}', '{"lamps": 5, "room": "cellar"}', "[5]"],
)
async def test_data_that_does_not_keep_the_structure_is_refused(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream, said: str
) -> None:
    upstream.add(says(said))
    assert "could not be understood" in await why_not(hass, structure=LAMPS)


async def test_data_in_a_fence_is_data(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(says('```json\n{"lamps": 5}\n```'))
    assert await generate(hass, structure=LAMPS) == {"lamps": 5}


async def test_a_tool_that_nobody_offered_does_not_run(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(calls(("intent__HassTurnOn", {"name": "Lamp"})), says("I cannot."))
    assert await generate(hass) == "I cannot."


async def test_a_rig_that_fails_is_named(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(fails(503, "loading"))
    assert "Rig is still loading" in await why_not(hass)


async def attach(house: Path, name: str, data: bytes) -> dict[str, Any]:
    """Return an attachment of a task."""
    (house / name).write_bytes(data)
    content_id = f"media-source://media_source/local/{name}"
    return {"attachments": [{"media_content_id": content_id, "media_content_type": "image/png"}]}


async def test_an_image_travels_in_the_question_to_the_model_that_sees(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("A red dot."))
    assert await generate(hass, **await attach(house, "dot.png", image())) == "A red dot."
    body = upstream.received[0].body
    assert body["model"] == "eyes"
    shown, words = body["messages"][-1]["content"]
    assert shown["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(image()).decode(
        "ascii"
    )
    assert words["text"].startswith("Count the lamps.")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
async def test_a_large_image_is_made_smaller(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream, kind: str
) -> None:
    upstream.add(says("Red."))
    await generate(hass, **await attach(house, "wide.png", image(kind, (4000, 1000))))
    url = upstream.received[0].body["messages"][-1]["content"][0]["image_url"]["url"]
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert sent.size == (MAX_SIDE, MAX_SIDE // 4)


async def test_many_images_fit_into_one_question(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    attachments = []
    for at in range(6):
        made = io.BytesIO()
        Image.effect_noise((2000, 1500), 100 + at).save(made, "JPEG", quality=95)
        attachments += (await attach(house, f"{at}.jpg", made.getvalue()))["attachments"]
    upstream.add(says("Noise."))
    assert await generate(hass, attachments=attachments) == "Noise."
    assert len(upstream.received[0].raw) < 1_800_000
    said = await why_not(hass, attachments=attachments * 5)
    assert said == f"A question can have at most {MAX_IMAGES} images"


async def test_what_is_no_image_is_refused_before_anybody_is_asked(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    said = await why_not(hass, **await attach(house, "dot.png", b"no image at all"))
    assert said == "dot.png cannot be read as an image"
    (house / "notes.txt").write_text("Hello.")
    notes = {"media_content_id": "media-source://media_source/local/notes.txt"}
    said = await why_not(hass, attachments=[{**notes, "media_content_type": "text/plain"}])
    assert "notes.txt is not an image" in said
    assert upstream.received == []


async def draw(hass: HomeAssistant, **task: Any) -> Any:
    """Have an image drawn."""
    data = {"entity_id": ENTITY, "task_name": "test", "instructions": "A red dot.", **task}
    return await hass.services.async_call(
        "ai_task", "generate_image", data, blocking=True, return_response=True
    )


async def test_an_image_is_drawn_by_a_rig_that_draws(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    result = await draw(hass)
    assert (result["mime_type"], result["model"]) == ("image/png", "brush")
    assert result["revised_prompt"] == "A dot"
    [asked] = upstream.told
    assert asked.body == {
        "model": "brush",
        "prompt": "A red dot.",
        "n": 1,
        "response_format": "b64_json",
    }
    [made] = (house / "image").rglob("*.png") if (house / "image").exists() else [None]
    assert made is None or made.read_bytes() == image()


@pytest.mark.parametrize(
    "answer", [{}, {"data": []}, {"data": [{"b64_json": "????"}]}, {"data": [{"b64_json": "aGk="}]}]
)
async def test_what_is_no_image_is_not_shown(hass: HomeAssistant, answer: dict[str, Any]) -> None:
    async with ScriptedUpstream(key=KEY, others={IMAGES: answer}) as server:
        await set_up(hass, rig_subentry("rig", server.url), task_subentry(), agents=0)
        await rig_says(hass, "rig", server.url, models=(DRAWS,))
        with pytest.raises(HomeAssistantError, match="broke off"):
            await draw(hass)


async def test_a_rig_that_does_not_draw_is_passed_over(
    hass: HomeAssistant, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    hass.config.media_dirs = {"local": str(tmp_path)}
    async with ScriptedUpstream(key=KEY, others={IMAGES: {"data": []}}) as broken:
        subentries = (rig_subentry("broken", broken.url), rig_subentry("whole", upstream.url))
        await set_up(hass, *subentries, task_subentry(), agents=0)
        await rig_says(hass, "broken", broken.url, models=(Model(id="torn"), DRAWS))
        await rig_says(hass, "whole", upstream.url, models=(DRAWS,))
        assert (await draw(hass))["revised_prompt"] == "A dot"
        assert len(broken.told) == len(upstream.told) == 1


def features(hass: HomeAssistant) -> AITaskEntityFeature:
    """Return what the entity says it can do."""
    state = hass.states.get(ENTITY)
    assert state
    return AITaskEntityFeature(state.attributes["supported_features"])


async def test_the_entity_can_do_what_the_rigs_models_can(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    always = AITaskEntityFeature.GENERATE_DATA | AITaskEntityFeature.EVALUATE
    sees, draws = AITaskEntityFeature.SUPPORT_ATTACHMENTS, AITaskEntityFeature.GENERATE_IMAGE
    assert features(hass) == always | sees | draws
    await rig_says(hass, "rig", upstream.url, tick=2, models=(Model(id="text"),))
    assert features(hass) == always
    await rig_says(hass, "rig", upstream.url, tick=3, models=(SEES,))
    assert features(hass) == always | sees
    await rig_says(hass, "rig", upstream.url, tick=4, stopped=True)
    state = hass.states.get(ENTITY)
    assert state
    assert state.state == STATE_UNAVAILABLE


async def test_a_rig_that_cannot_see_is_not_shown_anything(
    hass: HomeAssistant, house: Path, upstream: ScriptedUpstream
) -> None:
    async with ScriptedUpstream([says("Red.")], key=KEY) as seeing:
        [entry] = hass.config_entries.async_entries("hashcenter")
        await hass.config_entries.async_remove(entry.entry_id)
        subentries = (rig_subentry("blind", upstream.url), rig_subentry("seeing", seeing.url))
        await set_up(hass, *subentries, task_subentry(), agents=0)
        await rig_says(hass, "blind", upstream.url, models=(Model(id="text"),))
        await rig_says(hass, "seeing", seeing.url, models=(SEES,))
        assert await generate(hass, **await attach(house, "dot.png", image())) == "Red."
        assert upstream.received == []


async def test_a_task_with_tools_and_a_structure_can_use_both(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    await set_up(hass, rig_subentry("rig", upstream.url), task_subentry(), agents=0)
    await rig_says(hass, "rig", upstream.url)
    upstream.add(
        says('{"calls": [{"tool": "llm__GetDateTime", "arguments": {}}]}'),
        says('{"answer": {"lamps": 1}}'),
    )
    assist = next(api for api in llm.async_get_apis(hass) if api.id == "assist")
    structure = probatio.Schema({probatio.Required("lamps"): int})
    result = await ai_task.async_generate_data(
        hass,
        task_name="test",
        entity_id=ENTITY,
        instructions="Look at the clock and count.",
        structure=structure,
        llm_api=assist,
    )
    assert result.data == {"lamps": 1}
    told = upstream.received[1].body["messages"][-1]["content"]
    assert json.loads(told.removeprefix("Result: "))["data"]["timezone"]
