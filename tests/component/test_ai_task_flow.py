"""Adding and changing an AI Task entity in the user interface."""

from typing import Any

import pytest
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryDisabler,
    SubentryFlowContext,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er

from custom_components.hashcenter.flows.ai_task_flow import default_subentry_data
from tests.component.talking import Voice, rig_subentry, set_up, task_subentry

pytestmark = pytest.mark.usefixtures("mqtt_mock")

URL = "http://127.0.0.1:8420"


@pytest.fixture
async def house(hass: HomeAssistant) -> Voice:
    """A house with two rigs and one entity for tasks."""
    rigs = (rig_subentry("one", URL), rig_subentry("two", URL))
    return await set_up(hass, *rigs, task_subentry(rig="two"), agents=0)


async def start(house: Voice, context: SubentryFlowContext) -> dict[str, Any]:
    """Start the subentry flow."""
    where = (house.entry.entry_id, "ai_task_data")
    return dict(await house.hass.config_entries.subentries.async_init(where, context=context))


async def answer(house: Voice, form: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """Fill in the form."""
    subentries = house.hass.config_entries.subentries
    result = await subentries.async_configure(form["flow_id"], answers)
    await house.hass.async_block_till_done()
    return dict(result)


async def test_one_is_added(house: Voice) -> None:
    form = await start(house, SubentryFlowContext(source=SOURCE_USER))
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    done = await answer(house, form, {"rig": "one", "thinking": "off"})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    added = list(house.entry.get_subentries_of_type("ai_task_data"))[-1]
    assert (added.title, dict(added.data)) == ("Hashcenter AI Task (One)", {"rig": "one"})
    entities = er.async_entries_for_config_entry(er.async_get(house.hass), house.entry.entry_id)
    assert added.subentry_id in {entity.unique_id for entity in entities}


async def test_one_is_changed(house: Voice) -> None:
    [one] = house.entry.get_subentries_of_type("ai_task_data")
    form = await start(
        house, SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id=one.subentry_id)
    )
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "reconfigure")
    done = await answer(house, form, {"thinking": "free"})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    [one] = house.entry.get_subentries_of_type("ai_task_data")
    assert (one.title, dict(one.data)) == ("Hashcenter AI Task", {"thinking": "free"})


async def test_one_can_be_added_only_while_the_house_runs(house: Voice) -> None:
    await house.hass.config_entries.async_set_disabled_by(
        house.entry.entry_id, ConfigEntryDisabler.USER
    )
    result = await start(house, SubentryFlowContext(source=SOURCE_USER))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "entry_not_loaded")


async def test_the_one_of_a_new_house_is_there(hass: HomeAssistant) -> None:
    await set_up(hass, default_subentry_data(), agents=0)
    state = hass.states.get("ai_task.hashcenter_ai_task")
    assert state
    assert state.state == "unavailable"
