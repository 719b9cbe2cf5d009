"""What a person is asked to do, and how doing it helps."""

from http import HTTPStatus
from typing import Any

import pytest
from homeassistant.components.repairs import DOMAIN as REPAIRS_DOMAIN
from homeassistant.components.repairs.issue_handler import RepairsFlowManager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter import issues
from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.wire.messages import Endpoint
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    KEY,
    URL,
    RigApi,
    fire_burst,
    house_entry,
    house_of,
    live_rig,
    rig_subentry,
    set_up_house,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

ELSEWHERE = "http://10.0.0.66:8420"


def raised(issue_registry: ir.IssueRegistry) -> set[str]:
    """Return the ids of our repairs."""
    return {issue_id for domain, issue_id in issue_registry.issues if domain == DOMAIN}


async def set_up(hass: HomeAssistant, key: str | None, host: str | None = URL) -> MockConfigEntry:
    """Set up a house whose rig has this key and this confirmed address."""
    for component in ("homeassistant", REPAIRS_DOMAIN):
        assert await async_setup_component(hass, component, {})
    entry = house_entry(rig_subentry(key=key, host=host))
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def flows(hass: HomeAssistant) -> RepairsFlowManager:
    """Return what runs fix flows."""
    manager: RepairsFlowManager = hass.data[REPAIRS_DOMAIN]["flow_manager"]
    return manager


async def fix(hass: HomeAssistant, issue_id: str) -> Any:
    """Start to fix an issue."""
    return await flows(hass).async_init(DOMAIN, data={"issue_id": issue_id})


def subentry_of(entry: MockConfigEntry) -> dict[str, Any]:
    """Return what the rig's subentry holds."""
    [subentry] = entry.subentries.values()
    return dict(subentry.data)


async def test_a_rig_with_its_key_at_its_address_needs_nothing(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up(hass, KEY)
    await live_rig(hass)
    assert raised(issue_registry) == set()


async def test_a_missing_key_is_asked_for_and_tried(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, rig_api: RigApi
) -> None:
    entry = await set_up(hass, None, None)
    rig = await live_rig(hass)
    assert raised(issue_registry) == {"missing_key_attic"}
    flow = await fix(hass, "missing_key_attic")
    assert flow["step_id"] == "key"
    assert flow["description_placeholders"] == {"name": "Attic", "host": URL}
    rig_api.answers(status=HTTPStatus.UNAUTHORIZED)
    flow = await flows(hass).async_configure(flow["flow_id"], {"key": "hc-wrong"})
    assert flow["errors"] == {"key": "wrong_key"}
    rig_api.answers()
    flow = await flows(hass).async_configure(flow["flow_id"], {"key": KEY})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert subentry_of(entry) == {"rig": ATTIC, "key": KEY, "host": URL}
    fire_burst(rig)
    await hass.async_block_till_done()
    assert raised(issue_registry) == set()


async def test_a_rig_that_wants_no_key_is_not_missing_one(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up(hass, None)
    rig = await live_rig(hass)
    rig.say_inventory(endpoint=Endpoint(url=URL, needs_key=False))
    assert raised(issue_registry) == set()


async def test_a_rig_that_answers_nowhere_needs_no_key(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up(hass, None)
    rig = await live_rig(hass)
    assert raised(issue_registry) == {"missing_key_attic"}
    rig.say_inventory(endpoint=None)
    assert raised(issue_registry) == set()


async def test_a_changed_address_waits_for_a_yes_and_keeps_the_key(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, rig_api: RigApi
) -> None:
    entry = await set_up(hass, KEY)
    rig = await live_rig(hass)
    rig.say_inventory(endpoint=Endpoint(url=ELSEWHERE))
    assert raised(issue_registry) == {"endpoint_changed_attic"}
    assert rig_api.shown == [], "nothing is asked there before a yes"
    rig_api.answers(ELSEWHERE)
    flow = await fix(hass, "endpoint_changed_attic")
    flow = await flows(hass).async_configure(flow["flow_id"], {})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert rig_api.shown == [f"Bearer {KEY}"]
    assert subentry_of(entry)["host"] == ELSEWHERE


async def test_a_rig_that_speaks_openly_is_said_and_withdrawn(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up(hass, KEY)
    rig = await live_rig(hass)
    rig.say_inventory(exposed=("mqtt",))
    assert raised(issue_registry) == {"exposed_attic"}
    rig.say_inventory(exposed=())
    assert raised(issue_registry) == set()


async def test_an_address_that_came_back_withdraws_its_repair(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up(hass, KEY)
    rig = await live_rig(hass)
    rig.say_inventory(endpoint=Endpoint(url=ELSEWHERE))
    rig.say_inventory(endpoint=Endpoint(url=URL))
    assert raised(issue_registry) == set()


async def test_a_refused_key_is_asked_for_until_it_is_changed(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry, rig_api: RigApi
) -> None:
    entry = await set_up(hass, "hc-old")
    rig = await live_rig(hass)
    issues.async_raise_wrong_key(hass, entry, house_of(entry).rigs[ATTIC])
    rig.say_inventory()
    assert raised(issue_registry) == {"wrong_key_attic"}
    rig_api.answers()
    flow = await fix(hass, "wrong_key_attic")
    await flows(hass).async_configure(flow["flow_id"], {"key": KEY})
    await hass.async_block_till_done()
    assert raised(issue_registry) == set()
    assert subentry_of(entry)["key"] == KEY


async def test_another_protocol_is_said_with_both_versions(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_inventory(protocol=9, min_protocol=9, version="9.0.0")
    issue = issue_registry.async_get_issue(DOMAIN, "protocol_mismatch_attic")
    assert issue is not None
    assert not issue.is_fixable
    assert issue.translation_placeholders == {
        "rig": "Attic",
        "host": URL,
        "bridge": "9.0.0",
        "wanted": "0.1.0",
    }
    rig.say_inventory(protocol=1, min_protocol=1)
    assert raised(issue_registry) == set()


async def test_repairs_of_a_rig_that_left_are_withdrawn_and_others_stay(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    entry = house_entry(rig_subentry(key=None), rig_subentry(CELLAR, key=None))
    assert await async_setup_component(hass, "homeassistant", {})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await live_rig(hass)
    await live_rig(hass, CELLAR)
    assert raised(issue_registry) == {"missing_key_attic", "missing_key_cellar"}
    [cellar] = [one for one in entry.subentries.values() if one.title == "Cellar"]
    hass.config_entries.async_remove_subentry(entry, cellar.subentry_id)
    await hass.async_block_till_done()
    assert raised(issue_registry) == {"missing_key_attic"}
    await hass.config_entries.async_remove(entry.entry_id)
    assert raised(issue_registry) == set()


async def test_an_issue_whose_rig_left_meanwhile_needs_no_more_than_a_yes(
    hass: HomeAssistant, issue_registry: ir.IssueRegistry
) -> None:
    entry = await set_up(hass, None)
    await live_rig(hass)
    issue = issue_registry.async_get_issue(DOMAIN, "missing_key_attic")
    assert issue is not None
    await hass.config_entries.async_unload(entry.entry_id)
    flow = await fix(hass, "missing_key_attic")
    assert flow["step_id"] == "confirm"
