"""The rig subentry: rigs are added by hand, get another key, or are believed at another address."""

from http import HTTPStatus
from typing import Any, cast

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.hashcenter.wire.messages import Endpoint
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    KEY,
    URL,
    RigApi,
    ScriptedRig,
    house_entry,
    house_of,
    rig_subentry,
    rigs_of,
    set_up_house,
)

pytestmark = pytest.mark.usefixtures("kept")


async def start_subentry(hass: HomeAssistant, entry: ConfigEntry, **context: Any) -> Any:
    """Start the rig subentry flow."""
    about = cast("SubentryFlowContext", {"source": SOURCE_USER, **context})
    return await hass.config_entries.subentries.async_init((entry.entry_id, "rig"), context=about)


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_is_added_to_the_house_by_hand(
    hass: HomeAssistant, rig_api: RigApi, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass, CELLAR)]
    rig_api.answers(status=HTTPStatus.UNAUTHORIZED)
    entry = await set_up_house(hass, ATTIC)
    flow = await start_subentry(hass, entry)
    assert flow["step_id"] == "user"
    configure = hass.config_entries.subentries.async_configure
    flow = await configure(flow["flow_id"], {"rig": CELLAR})
    assert flow["step_id"] == "key"
    assert flow["description_placeholders"] == {"name": "Cellar", "host": URL}
    flow = await configure(flow["flow_id"], {"key": "hc-wrong"})
    assert flow["errors"] == {"key": "wrong_key"}
    flow = await configure(flow["flow_id"], {})
    assert flow["type"] is FlowResultType.CREATE_ENTRY
    assert flow["description"] == "heats", "what to do with its heaters"
    await hass.async_block_till_done()
    assert rigs_of(entry)["Cellar"] == {"rig": CELLAR, "key": None, "host": URL}
    assert set(house_of(entry).rigs) == {ATTIC, CELLAR}


@pytest.mark.usefixtures("mqtt_mock")
async def test_by_hand_there_is_nothing_to_add_when_every_rig_is_known(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    entry = await set_up_house(hass, ATTIC)
    flow = await start_subentry(hass, entry)
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "no_rigs"


async def test_by_hand_without_mqtt_it_says_so(hass: HomeAssistant) -> None:
    entry = house_entry(rig_subentry())
    entry.add_to_hass(hass)
    flow = await start_subentry(hass, entry)
    assert flow["reason"] == "mqtt_unavailable"


async def reconfigure(hass: HomeAssistant, entry: ConfigEntry) -> Any:
    """Start to change the attic's key or address."""
    [subentry] = entry.subentries.values()
    return await start_subentry(hass, entry, source="reconfigure", subentry_id=subentry.subentry_id)


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_new_key_is_checked_and_kept(
    hass: HomeAssistant, rig_api: RigApi, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    rig_api.answers(status=HTTPStatus.UNAUTHORIZED)
    entry = await set_up_house(hass, ATTIC)
    flow = await reconfigure(hass, entry)
    assert flow["step_id"] == "reconfigure"
    configure = hass.config_entries.subentries.async_configure
    flow = await configure(flow["flow_id"], {"key": "hc-wrong"})
    assert flow["errors"] == {"key": "wrong_key"}
    rig_api.answers()
    flow = await configure(flow["flow_id"], {"key": "hc-new"})
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert rigs_of(entry)["Attic"]["key"] == "hc-new"
    assert house_of(entry).rigs[ATTIC].key == "hc-new"


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_changed_address_is_accepted_with_the_key_there_was(
    hass: HomeAssistant, rig_api: RigApi, kept: list[ScriptedRig]
) -> None:
    rig_api.answers("http://10.0.0.77:8420")
    entry = await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    endpoint = Endpoint(url="http://10.0.0.77:8420/")
    rig.inventory = rig.inventory.model_copy(update={"endpoint": endpoint})
    kept.append(rig)
    flow = await reconfigure(hass, entry)
    assert flow["description_placeholders"]["host"] == "http://10.0.0.77:8420"
    flow = await hass.config_entries.subentries.async_configure(flow["flow_id"], {})
    assert flow["reason"] == "reconfigure_successful"
    assert rigs_of(entry)["Attic"] == {"rig": ATTIC, "key": KEY, "host": "http://10.0.0.77:8420"}


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_that_is_not_heard_cannot_be_reconfigured(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    flow = await reconfigure(hass, entry)
    assert flow["reason"] == "rig_not_heard"
