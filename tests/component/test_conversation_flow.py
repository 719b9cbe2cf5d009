"""Adding and changing an agent in the user interface."""

from typing import Any

import pytest
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntryDisabler,
    ConfigSubentry,
    SubentryFlowContext,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er, llm

from custom_components.hashcenter.flows.conversation_flow import default_subentry_data
from tests.component.talking import Voice, agent_subentry, rig_subentry, set_up

pytestmark = pytest.mark.usefixtures("mqtt_mock")

URL = "http://127.0.0.1:8420"


@pytest.fixture
async def voice(hass: HomeAssistant) -> Voice:
    """A house with two rigs and one agent."""
    return await set_up(
        hass,
        rig_subentry("one", URL),
        rig_subentry("two", URL),
        agent_subentry(prompt="Be brief.", rig="two"),
    )


def agents(voice: Voice) -> list[ConfigSubentry]:
    """Return the agents' subentries, oldest first."""
    return list(voice.entry.get_subentries_of_type("conversation"))


async def start(voice: Voice, context: SubentryFlowContext) -> dict[str, Any]:
    """Start the subentry flow."""
    subentries = voice.hass.config_entries.subentries
    where = (voice.entry.entry_id, "conversation")
    return dict(await subentries.async_init(where, context=context))


def changing(agent: ConfigSubentry) -> SubentryFlowContext:
    """Return the context in which an agent is changed."""
    return SubentryFlowContext(source=SOURCE_RECONFIGURE, subentry_id=agent.subentry_id)


async def answer(voice: Voice, form: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """Fill in the form."""
    subentries = voice.hass.config_entries.subentries
    result = await subentries.async_configure(form["flow_id"], answers)
    await voice.hass.async_block_till_done()
    return dict(result)


def suggested(form: dict[str, Any]) -> dict[str, Any]:
    """Return what the form's fields hold when it opens."""
    return {
        str(key.schema): key.description["suggested_value"]
        for key in form["data_schema"].schema
        if key.description and "suggested_value" in key.description
    }


async def test_an_agent_is_added_with_what_was_answered(voice: Voice) -> None:
    form = await start(voice, SubentryFlowContext(source=SOURCE_USER))
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    assert suggested(form) == {
        "prompt": llm.DEFAULT_INSTRUCTIONS_PROMPT,
        "llm_hass_api": ["assist"],
        "thinking": "off",
        "constrain_tools": False,
    }
    done = await answer(voice, form, {"prompt": "Rhyme.", "llm_hass_api": ["assist"], "rig": "one"})
    assert done["type"] is FlowResultType.CREATE_ENTRY
    added = agents(voice)[-1]
    assert added.title == "Hashcenter (One)"
    assert dict(added.data) == {"prompt": "Rhyme.", "llm_hass_api": ["assist"], "rig": "one"}
    entities = er.async_entries_for_config_entry(er.async_get(voice.hass), voice.entry.entry_id)
    assert added.subentry_id in {entity.unique_id for entity in entities}


async def test_defaults_are_not_stored_so_that_they_can_improve(voice: Voice) -> None:
    form = await start(voice, SubentryFlowContext(source=SOURCE_USER))
    defaults = {"thinking": "off", "constrain_tools": False, "llm_hass_api": []}
    await answer(voice, form, {"prompt": llm.DEFAULT_INSTRUCTIONS_PROMPT, **defaults})
    added = agents(voice)[-1]
    assert (added.title, dict(added.data)) == ("Hashcenter", {})


async def test_an_agent_is_changed(voice: Voice) -> None:
    [agent] = agents(voice)
    form = await start(voice, changing(agent))
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "reconfigure")
    assert suggested(form) == {
        "prompt": "Be brief.",
        "llm_hass_api": ["assist"],
        "rig": "two",
        "thinking": "off",
        "constrain_tools": False,
    }
    answers = {"prompt": "Be long.", "thinking": "short", "constrain_tools": True}
    done = await answer(voice, form, answers)
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    [agent] = agents(voice)
    assert (agent.title, dict(agent.data)) == ("Hashcenter", answers)
    state = voice.hass.states.get(voice.agent)
    assert state
    assert state.attributes["supported_features"] == 0


@pytest.mark.parametrize(
    "answers",
    [{"prompt": "{{ broken"}, {"llm_hass_api": ["gone"]}, {"rig": "three"}, {"thinking": "x"}],
)
async def test_what_cannot_be_is_refused_by_the_form(voice: Voice, answers: dict[str, Any]) -> None:
    form = await start(voice, SubentryFlowContext(source=SOURCE_USER))
    with pytest.raises(InvalidData):
        await answer(voice, form, answers)


async def test_what_is_gone_is_not_suggested_again(hass: HomeAssistant) -> None:
    voice = await set_up(
        hass, rig_subentry("one", URL), agent_subentry(llm_hass_api=["gone"], rig="gone")
    )
    [agent] = agents(voice)
    form = await start(voice, changing(agent))
    found = suggested(form)
    assert (found["llm_hass_api"], "rig" in found) == ([], False)


async def test_an_agent_can_be_added_only_while_the_house_runs(voice: Voice) -> None:
    await voice.hass.config_entries.async_set_disabled_by(
        voice.entry.entry_id, ConfigEntryDisabler.USER
    )
    result = await start(voice, SubentryFlowContext(source=SOURCE_USER))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "entry_not_loaded")


async def test_the_agent_of_a_new_house_controls_what_assist_may(hass: HomeAssistant) -> None:
    voice = await set_up(hass, default_subentry_data())
    [agent] = agents(voice)
    assert agent.title == "Hashcenter"
    state = hass.states.get(voice.agent)
    assert state
    assert state.attributes["supported_features"] == 1
