"""The actions: by entity or by device, with the rig's answer, with a sentence for every mistake."""

from typing import Any

import probatio
import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.wire.messages import LeaseRequest, ReleaseRequest
from tests.component.rigs import ATTIC, ScriptedRig, live_rig, set_up_house, states

pytestmark = pytest.mark.usefixtures("mqtt_mock")

REQUEST = "number.attic_heat_request"


@pytest.fixture
async def rig(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> ScriptedRig:
    """Return the live rig of a house."""
    freezer.move_to("2026-11-22 12:00:00+00:00")
    await set_up_house(hass, ATTIC)
    return await live_rig(hass)


async def act(hass: HomeAssistant, action: str, target: dict[str, Any], **data: Any) -> Any:
    """Call an action of ours."""
    answers = action == "request_heat"
    return await hass.services.async_call(
        DOMAIN, action, data, target=target, blocking=True, return_response=answers
    )


async def test_heat_is_requested_for_a_time_and_the_rigs_answer_comes_back(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    target = {"entity_id": REQUEST}
    answer = await act(hass, "request_heat", target, power_w=650, duration={"hours": 2})
    assert answer == {
        REQUEST: {
            "result": "accepted",
            "power_w": 650.0,
            "until": "2026-11-22T14:00:00+00:00",
            "available_w": 880.0,
            "granted_w": 650.0,
            "why": "650 W are asked of it for 120 min more.",
        }
    }
    [request] = rig.asked
    assert isinstance(request, LeaseRequest)
    assert request.power_w == 650.0


async def test_without_a_duration_the_houses_hold_time_counts(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    answer = await act(hass, "request_heat", {"entity_id": REQUEST}, power_w=0)
    assert answer[REQUEST]["until"] == "2026-11-22T16:00:00+00:00"
    assert rig.leases() == [0.0], "no watts is a request like any other, not a release"


async def test_a_heater_is_found_by_its_device_and_no_other_number_is_touched(
    hass: HomeAssistant, rig: ScriptedRig, entity_registry: er.EntityRegistry
) -> None:
    entry = entity_registry.async_get(REQUEST)
    house = entity_registry.async_get("number.hashcenter_heat_requests_hold_for")
    assert entry is not None
    assert house is not None
    target = {"device_id": [entry.device_id, house.device_id]}
    answer = await act(hass, "request_heat", target, power_w=300)
    assert list(answer) == [REQUEST]
    assert states(hass, "number.hashcenter_heat_requests_hold_for") == ["4.0"]


async def test_heat_is_released(hass: HomeAssistant, rig: ScriptedRig) -> None:
    await act(hass, "request_heat", {"entity_id": REQUEST}, power_w=650)
    rig.asked.clear()
    await act(hass, "release_heat", {"entity_id": REQUEST})
    assert [type(request) for request in rig.asked] == [ReleaseRequest]
    assert states(hass, REQUEST) == ["unknown"]


async def test_releasing_what_was_never_asked_says_nothing(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await act(hass, "release_heat", {"entity_id": REQUEST})
    assert rig.asked == []


async def test_a_refusal_reaches_the_caller_in_the_rigs_words(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    rig.refuse = [("control_refused", "unattended_w does not fit the circuit")]
    with pytest.raises(HomeAssistantError, match="unattended_w does not fit the circuit"):
        await act(hass, "request_heat", {"entity_id": REQUEST}, power_w=650)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"power_w": -1},
        {"power_w": "warm"},
        {"power_w": 100, "duration": {"seconds": 5}},
        {"power_w": 100, "duration": {"days": 30}},
        {"power_w": 100, "heater": "machine"},
        {"power_w": 100, "high_limit": 25},
        {"power_w": 100, "thermometer": "sensor.bath_temperature"},
    ],
)
async def test_what_makes_no_sense_is_not_asked(
    hass: HomeAssistant, rig: ScriptedRig, data: dict[str, Any]
) -> None:
    with pytest.raises(probatio.Invalid):
        await act(hass, "request_heat", {"entity_id": REQUEST}, **data)
    assert rig.asked == []


async def test_a_number_that_is_no_heater_cannot_be_asked_for_heat(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    with pytest.raises(HomeAssistantError):
        await act(
            hass,
            "request_heat",
            {"entity_id": "number.hashcenter_heat_requests_hold_for"},
            power_w=1,
        )


async def test_the_actions_are_there_before_any_house(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert isinstance(entry, MockConfigEntry)
    await hass.config_entries.async_unload(entry.entry_id)
    assert hass.services.has_service(DOMAIN, "request_heat")
    assert hass.services.has_service(DOMAIN, "release_heat")
