"""How rigs come into the house: discovered, ignored, found by hand, with the right key or none."""

from functools import partial
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_MQTT,
    SOURCE_USER,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import encode
from custom_components.hashcenter.wire.messages import Announce
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    KEY,
    URL,
    RigApi,
    ScriptedRig,
    fire_burst,
    house_of,
    live_rig,
    rigs_of,
    set_up_house,
)

ANNOUNCED_BY_CELLAR = Announce(
    rig=CELLAR, name="Cellar", protocol=1, min_protocol=1, version="0.1.0"
)

pytestmark = pytest.mark.usefixtures("kept")


def discovery(payload: str, rig_id: str = ATTIC) -> MqttServiceInfo:
    """Return what Home Assistant's MQTT hands to a discovery flow."""
    topic = topics.ANNOUNCE.of(rig_id)
    return MqttServiceInfo(topic, payload, 0, True, "hashcenter/v1/+/announce", 0.0)


async def discover(hass: HomeAssistant, rig_id: str = ATTIC) -> ConfigFlowResult:
    """Have a rig's announcement discovered; Home Assistant may have done so by itself."""
    await hass.async_block_till_done(wait_background_tasks=True)
    flows = hass.config_entries.flow
    for flow in flows.async_progress_by_handler(DOMAIN):
        if flow["context"]["unique_id"] == f"rig/{rig_id}":
            return await flows.async_configure(flow["flow_id"])
    announced = encode(ScriptedRig(hass, rig_id).announce)
    return await flows.async_init(
        DOMAIN, context={"source": SOURCE_MQTT}, data=discovery(announced, rig_id)
    )


async def answer(
    hass: HomeAssistant, flow: ConfigFlowResult, **user_input: Any
) -> ConfigFlowResult:
    """Fill a form in."""
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], user_input)
    await hass.async_block_till_done()
    return result


@pytest.mark.usefixtures("mqtt_mock")
async def test_the_first_discovered_rig_makes_the_house_with_an_agent(
    hass: HomeAssistant, rig_api: RigApi, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    rig_api.answers()
    flow = await discover(hass)
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "rig"
    assert flow["description_placeholders"] == {"name": "Attic", "host": URL}
    result = await answer(hass, flow, key=f" {KEY} ")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["description"] == "heats", "what to do with its heaters"
    assert result["title"] == "Hashcenter"
    assert rig_api.shown == [f"Bearer {KEY}"]
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert entry.unique_id == DOMAIN
    assert entry.state is ConfigEntryState.LOADED
    assert rigs_of(entry) == {"Attic": {"rig": ATTIC, "key": KEY, "host": URL}}
    assert {one.subentry_type for one in entry.subentries.values()} == {
        "rig",
        "conversation",
        "ai_task_data",
    }


@pytest.mark.usefixtures("mqtt_mock")
async def test_an_announcement_heard_by_home_assistant_becomes_a_tile(hass: HomeAssistant) -> None:
    await hass.async_block_till_done()
    ScriptedRig(hass).say_announce()
    await hass.async_block_till_done(wait_background_tasks=True)
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert flow["context"]["title_placeholders"] == {"name": "Attic"}
    assert flow["context"]["unique_id"] == "rig/attic"


@pytest.mark.usefixtures("mqtt_mock")
async def test_another_discovered_rig_is_added_to_the_house(
    hass: HomeAssistant, rig_api: RigApi, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass, CELLAR)]
    rig_api.answers()
    entry = await set_up_house(hass, ATTIC)
    flow = await discover(hass, CELLAR)
    assert flow["step_id"] == "rig"
    result = await answer(hass, flow, key=KEY)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "rig_added"
    assert result["description_placeholders"] == {"name": "Cellar"}
    assert set(rigs_of(entry)) == {"Attic", "Cellar"}
    assert set(house_of(entry).rigs) == {ATTIC, CELLAR}


@pytest.mark.usefixtures("mqtt_mock")
async def test_adding_a_rig_while_heating_touches_no_lease(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    await hass.services.async_call(
        "number",
        "set_value",
        {"entity_id": "number.attic_heat_request", "value": 600},
        blocking=True,
    )
    assert rig.leases() == [600.0]
    await answer(hass, await discover(hass, CELLAR))
    fire_burst(rig)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert rig.leases() == [600.0]
    assert set(house_of(entry).rigs) == {ATTIC, CELLAR}


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_is_taken_in_without_a_key(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    result = await answer(hass, await discover(hass))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert rigs_of(entry) == {"Attic": {"rig": ATTIC, "key": None, "host": URL}}


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_that_only_announces_itself_is_taken_in_without_an_address_or_an_agent(
    hass: HomeAssistant,
) -> None:
    flow = await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_MQTT},
        data=discovery(encode(ScriptedRig(hass).announce)),
    )
    assert flow["description_placeholders"] == {"name": "Attic", "host": "(not known yet)"}
    result = await answer(hass, flow, key=KEY)
    assert result["errors"] == {"key": "no_endpoint"}
    result = await answer(hass, flow)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert rigs_of(entry) == {"Attic": {"rig": ATTIC, "key": None, "host": None}}
    assert {one.subentry_type for one in entry.subentries.values()} == {"rig"}


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        ({"status": HTTPStatus.UNAUTHORIZED}, {"key": "wrong_key"}),
        ({"status": HTTPStatus.FORBIDDEN}, {"key": "wrong_key"}),
        ({"status": HTTPStatus.BAD_GATEWAY}, {"base": "cannot_connect"}),
        (
            {"status": HTTPStatus.FOUND, "headers": {"Location": "http://x/"}},
            {"base": "cannot_connect"},
        ),
        ({"exc": aiohttp.ClientError()}, {"base": "cannot_connect"}),
        ({"exc": TimeoutError()}, {"base": "cannot_connect"}),
    ],
)
async def test_a_key_that_does_not_work_is_said_in_the_form(
    hass: HomeAssistant,
    rig_api: RigApi,
    reply: dict[str, Any],
    errors: dict[str, str],
    kept: list[ScriptedRig],
) -> None:
    kept[:] = [ScriptedRig(hass)]
    rig_api.answers(**reply)
    flow = await discover(hass)
    result = await answer(hass, flow, key="hc-wrong")
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == errors
    rig_api.answers()
    result = await answer(hass, flow, key=KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_of_the_house_is_not_discovered_again(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    result = await discover(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_called_like_the_house_is_a_rig_like_any_other(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    assert (await discover(hass, DOMAIN))["type"] is FlowResultType.FORM


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        '{"rig": "attic"}',
        '{"rig":"cellar","name":"X","protocol":1,"min_protocol":1,"version":"1"}',
    ],
)
async def test_what_is_no_announcement_of_this_rig_is_no_discovery(
    hass: HomeAssistant, payload: str
) -> None:
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_MQTT}, data=discovery(payload)
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "invalid_discovery_info"


@pytest.mark.usefixtures("mqtt_mock")
async def test_an_ignored_rig_stays_ignored_until_it_is_added_by_hand(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    entry = await set_up_house(hass, CELLAR)
    flow = await discover(hass)
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": "rig/attic", "title": "Attic"},
    )
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN), flow
    assert (await discover(hass))["reason"] == "already_configured"

    flow = await by_hand(hass, "Attic")
    result = await answer(hass, flow)
    assert result["reason"] == "rig_added"
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def by_hand(hass: HomeAssistant, *said: str) -> ConfigFlowResult:
    """Start to add a rig by hand, and choose the attic's if it is named."""
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "user"
    return await answer(hass, flow, rig=ATTIC) if said else flow


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_found_by_hand_makes_the_house_and_its_tile_goes_away(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    await discover(hass)
    flow = await by_hand(hass, "Attic")
    assert flow["step_id"] == "rig"
    result = await answer(hass, flow)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


@pytest.mark.usefixtures("mqtt_mock")
async def test_the_list_says_what_rigs_are_called(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass)]
    flow = await by_hand(hass)
    schema = flow["data_schema"]
    assert schema is not None
    [selector] = schema.schema.values()
    assert selector.config["options"] == [{"value": ATTIC, "label": "Attic (attic)"}]


@pytest.mark.usefixtures("mqtt_mock")
async def test_when_no_rig_is_heard_it_says_what_to_do_and_listens_again(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["type"] is FlowResultType.FORM
    assert flow["step_id"] == "none_heard"
    kept.append(ScriptedRig(hass))
    assert (await answer(hass, flow))["step_id"] == "user"


@pytest.mark.usefixtures("mqtt_mock")
@pytest.mark.parametrize("noise", ["{", encode(ANNOUNCED_BY_CELLAR)])
async def test_noise_on_the_topics_is_not_listed(
    hass: HomeAssistant, kept: list[ScriptedRig], noise: str
) -> None:
    rig = ScriptedRig(hass)
    rig.say_announce = partial(rig.say, topics.ANNOUNCE, noise)  # type: ignore[method-assign]
    kept.append(rig)
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["step_id"] == "none_heard"


async def test_without_mqtt_it_says_so(hass: HomeAssistant) -> None:
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "mqtt_unavailable"


@pytest.mark.usefixtures("mqtt_mock")
async def test_two_tiles_accepted_at_once_make_one_house(
    hass: HomeAssistant, kept: list[ScriptedRig]
) -> None:
    kept[:] = [ScriptedRig(hass), ScriptedRig(hass, CELLAR)]
    attic, cellar = await discover(hass), await discover(hass, CELLAR)
    assert (await answer(hass, attic))["type"] is FlowResultType.CREATE_ENTRY
    assert (await answer(hass, cellar))["reason"] == "rig_added"
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert set(rigs_of(entry)) == {"Attic", "Cellar"}
    assert set(house_of(entry).rigs) == {ATTIC, CELLAR}
