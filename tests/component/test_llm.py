"""Any Assist agent can ask about rigs, heat and cost, as far as they are exposed."""

from typing import Any

import pytest
from homeassistant.components.homeassistant.exposed_entities import (
    KNOWN_ASSISTANTS,
    async_expose_entity,
)
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er, llm
from homeassistant.setup import async_setup_component

from tests.component.rigs import ATTIC, CELLAR, live_rig, set_up_house, states

pytestmark = pytest.mark.usefixtures("house")

STATUS, FAVOR = "hashcenter__GetStatus", "hashcenter__SetFavor"
FAVOR_SELECT = "select.hashcenter_favor"
OF_ATTIC = ("sensor.attic_power", "sensor.attic_activity", "sensor.attic_gpu_0_temperature")


@pytest.fixture
async def house(hass: HomeAssistant, mqtt_mock: Any) -> None:
    """A house with two rigs of which nothing is exposed."""
    for component in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, component, {})
    await set_up_house(hass, ATTIC, CELLAR)
    await live_rig(hass)
    await live_rig(hass, CELLAR)
    for state in hass.states.async_all():
        expose(hass, state.entity_id, yes=False)


def expose(hass: HomeAssistant, *entity_ids: str, yes: bool = True) -> None:
    """Expose entities to Assist, or no more."""
    for entity_id in entity_ids:
        async_expose_entity(hass, "conversation", entity_id, should_expose=yes)


async def assist(hass: HomeAssistant) -> llm.APIInstance:
    """Return what an agent of any make is offered."""
    context = llm.LLMContext("any", Context(), "en", "conversation", None)
    return await llm.async_get_api(hass, "assist", context)


async def offered(hass: HomeAssistant) -> set[str]:
    """Return our tools among those."""
    api = await assist(hass)
    return {tool.name for tool in api.tools if tool.integration == "hashcenter"}


async def call(hass: HomeAssistant, tool: str, **arguments: Any) -> llm.ToolResult:
    """Call a tool as a model does."""
    return await (await assist(hass)).async_call_tool(llm.ToolInput(tool, arguments))


async def test_no_assistant_can_release_stop_all_by_default(hass: HomeAssistant) -> None:
    stop_all = er.async_get(hass).async_get("switch.hashcenter_stop_all")
    assert stop_all
    for assistant in KNOWN_ASSISTANTS:
        assert stop_all.options[assistant] == {"should_expose": False}


async def test_nothing_is_offered_until_something_is_exposed(hass: HomeAssistant) -> None:
    assert await offered(hass) == set()
    expose(hass, OF_ATTIC[0])
    assert await offered(hass) == {STATUS}
    expose(hass, FAVOR_SELECT)
    assert await offered(hass) == {STATUS, FAVOR}


async def test_what_is_exposed_is_told_by_device_and_nothing_else(hass: HomeAssistant) -> None:
    expose(hass, *OF_ATTIC)
    result = await call(hass, STATUS)
    assert result.error is False
    assert result.data == {
        "devices": {
            "Attic": {"Power": "412.0 W", "Activity": "hashing"},
            "GPU 0": {"Temperature": "61.0 °C"},
        }
    }


async def test_one_device_can_be_asked_about(hass: HomeAssistant) -> None:
    expose(hass, *OF_ATTIC, "sensor.cellar_power")
    result = await call(hass, STATUS, device="cellar")
    assert result.data == {"devices": {"Cellar": {"Power": "412.0 W"}}}
    assert (await call(hass, STATUS, device="garage")).error


async def test_what_is_not_known_is_said_to_be_not_known(hass: HomeAssistant) -> None:
    expose(hass, OF_ATTIC[0])
    hass.states.async_set(OF_ATTIC[0], "unavailable")
    result = await call(hass, STATUS)
    assert result.data == {"devices": {"Attic": {"Power": "not known"}}}


async def test_what_the_house_favors_can_be_set(hass: HomeAssistant) -> None:
    expose(hass, FAVOR_SELECT)
    assert (await call(hass, FAVOR, favor="hashing")).data == {"favor": "hashing"}
    assert states(hass, FAVOR_SELECT) == ["hashing"]


async def test_what_was_withdrawn_meanwhile_cannot_be_set(hass: HomeAssistant) -> None:
    expose(hass, FAVOR_SELECT)
    api = await assist(hass)
    expose(hass, FAVOR_SELECT, yes=False)
    before = states(hass, FAVOR_SELECT)
    result = await api.async_call_tool(llm.ToolInput(FAVOR, {"favor": "hashing"}))
    assert result.error
    assert states(hass, FAVOR_SELECT) == before


async def test_the_tools_of_other_apis_are_not_ours(hass: HomeAssistant) -> None:
    expose(hass, *OF_ATTIC)
    context = llm.LLMContext("any", Context(), "en", "conversation", None)
    other = await hass.data["llm_apis"]["homeassistant"].async_get_api_instance(context)
    assert not [tool for tool in other.tools if tool.integration == "hashcenter"]
