"""Heat requests as leases: sent at once, kept only if taken, renewed, not released by accident."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.number import (
    ATTR_VALUE,
    DOMAIN as NUMBER_DOMAIN,
    SERVICE_SET_VALUE,
)
from homeassistant.components.select import DOMAIN as SELECT_DOMAIN, SERVICE_SELECT_OPTION
from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_OFF, SERVICE_TURN_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.wire.messages import (
    HeaterState,
    LeaseInForce,
    LeaseRequest,
    ReleaseRequest,
    Response,
    StopAllRequest,
)
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    ScriptedRig,
    fire_burst,
    house_of,
    live_rig,
    set_up_house,
    states,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

REQUEST = "number.attic_heat_request"
ENDS = "sensor.attic_heat_request_ends"
KEY = HeaterKey(ATTIC, "machine")
HOLD = "number.hashcenter_heat_requests_hold_for"
HANDS_OFF = "switch.attic_hands_off"
STOP_ALL = "switch.hashcenter_stop_all"
FAVOR = "select.hashcenter_favor"


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Return a house with one rig."""
    return await set_up_house(hass, ATTIC)


@pytest.fixture
async def rig(hass: HomeAssistant, entry: MockConfigEntry) -> ScriptedRig:
    """Return its rig, alive."""
    return await live_rig(hass)


async def do(hass: HomeAssistant, domain: str, action: str, entity: str, **data: Any) -> None:
    """Do what a person does."""
    await hass.services.async_call(domain, action, {ATTR_ENTITY_ID: entity, **data}, blocking=True)
    await hass.async_block_till_done()


async def ask(hass: HomeAssistant, power_w: float) -> None:
    """Set the heat request."""
    await do(hass, NUMBER_DOMAIN, SERVICE_SET_VALUE, REQUEST, **{ATTR_VALUE: power_w})


async def beats(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory, seconds: float
) -> None:
    """Let the rig live on for some seconds."""
    for _ in range(round(seconds / 5)):
        freezer.tick(5)
        rig.beat()
        await hass.async_block_till_done(wait_background_tasks=True)


async def test_a_heat_request_is_leased_at_once(hass: HomeAssistant, rig: ScriptedRig) -> None:
    await ask(hass, 600)
    [request] = rig.asked
    assert isinstance(request, LeaseRequest)
    assert (request.heater, request.power_w, request.ttl_s) == ("machine", 600.0, 300.0)
    assert (request.boot_id, request.tick) == (rig.boot_id, rig.tick)
    assert states(hass, REQUEST, ENDS) == ["600.0", "2026-11-22T16:00:00+00:00"]


async def test_what_the_rig_refuses_is_not_kept_and_its_sentence_is_shown(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    rig.refuse.append(("held_by", "another house controls this rig: cabin."))
    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, 600)
    assert caught.value.translation_key == "rig_refused"
    assert str(caught.value) == "Attic refuses: another house controls this rig: cabin"
    assert states(hass, REQUEST) == ["unknown"]


async def test_a_rig_that_does_not_answer_is_said_to_be_silent(
    hass: HomeAssistant, rig: ScriptedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.hashcenter.rigs.requester.ANSWER_TIMEOUT_S", 0)
    rig.deaf = True
    with pytest.raises(HomeAssistantError, match=r"Attic did not answer"):
        await ask(hass, 600)
    assert states(hass, REQUEST) == ["unknown"]


async def test_a_request_that_failed_leaves_the_one_before_in_force(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    await ask(hass, 600)
    rig.refuse.append(("whatever", "no"))
    with pytest.raises(HomeAssistantError):
        await ask(hass, 700)
    assert rig.leases() == [600.0, 700.0]
    await beats(hass, rig, freezer, 5)
    assert rig.leases() == [600.0], "said again, because nobody knows what the rig made of it"
    assert states(hass, REQUEST) == ["600.0"]


@pytest.mark.parametrize("entity", [REQUEST, HOLD])
async def test_watts_and_hours_that_are_no_number_are_refused(
    hass: HomeAssistant, rig: ScriptedRig, entity: str
) -> None:
    before = states(hass, entity)
    with pytest.raises(ServiceValidationError, match="nan cannot be used: enter a number"):
        await do(hass, NUMBER_DOMAIN, SERVICE_SET_VALUE, entity, **{ATTR_VALUE: "nan"})
    assert states(hass, entity) == before
    assert rig.leases() == []


async def test_a_high_limit_that_is_no_number_is_refused(
    rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    with pytest.raises(ServiceValidationError, match="nan cannot be used: enter a number"):
        await house_of(entry).heating.async_request_heat(
            KEY, 300, high_limit_c=float("nan"), thermometer="sensor.room"
        )
    assert rig.leases() == []


async def test_a_release_while_a_request_is_not_answered_yet_is_the_last_word(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    link = house_of(entry).rigs[ATTIC]
    send = link.async_send

    async def slowly(build: Any) -> Response:
        response = await send(build)
        asked.set()
        await answer.wait()
        return response

    monkeypatch.setattr(link, "async_send", slowly)
    heating = house_of(entry).heating
    request = hass.async_create_task(heating.async_request_heat(KEY, 600))
    await asyncio.wait_for(asked.wait(), 5)
    release = hass.async_create_task(heating.async_release_heat(KEY))
    await asyncio.sleep(0)
    answer.set()
    await asyncio.wait_for(asyncio.gather(request, release), 5)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert heating.request(KEY) is None
    kinds = [type(one) for one in rig.asked]
    assert kinds == [LeaseRequest, ReleaseRequest], "and nothing is leased again"


async def test_a_lease_that_nobody_wants_after_a_lost_answer_is_released(
    hass: HomeAssistant,
    rig: ScriptedRig,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    lease = LeaseInForce(controller=house_of(entry).controller, power_w=600.0, remaining_s=290.0)
    rig.beat(heaters=(HeaterState(id="machine", lease=lease),))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [type(request) for request in rig.asked] == [ReleaseRequest]


async def test_anothers_lease_is_not_released(hass: HomeAssistant, rig: ScriptedRig) -> None:
    lease = LeaseInForce(controller="cabin", power_w=600.0, remaining_s=290.0)
    rig.beat(heaters=(HeaterState(id="machine", lease=lease),))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert rig.asked == []


async def test_a_lease_is_renewed_every_minute(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    await beats(hass, rig, freezer, 55)
    assert rig.asked == []
    await beats(hass, rig, freezer, 185)
    assert rig.leases() == [600.0] * 4


async def test_a_bridge_that_began_a_new_run_is_asked_again_at_once(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    rig.restart("boot-2")
    rig.beat()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert rig.asked == [], "the inventory of this run was not heard yet"
    rig.say_inventory()
    await hass.async_block_till_done(wait_background_tasks=True)
    [request] = rig.asked
    assert (request.boot_id, request.tick) == ("boot-2", 5.0)


async def test_after_the_hold_the_lease_is_released(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    await do(hass, NUMBER_DOMAIN, SERVICE_SET_VALUE, HOLD, **{ATTR_VALUE: 0.25})
    await ask(hass, 600)
    await beats(hass, rig, freezer, 890)
    rig.asked.clear()
    assert states(hass, REQUEST) == ["600.0"]
    await beats(hass, rig, freezer, 15)
    assert [type(request) for request in rig.asked] == [ReleaseRequest]
    assert states(hass, REQUEST, ENDS) == ["unknown", "unknown"]


async def test_home_assistant_restarts_without_a_gap_or_a_jump(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    await do(hass, SELECT_DOMAIN, SERVICE_SELECT_OPTION, FAVOR, option="hashing")
    await ask(hass, 600)
    first = rig.asked[-1]
    rig.asked.clear()
    await hass.config_entries.async_reload(entry.entry_id)
    fire_burst(rig)
    await hass.async_block_till_done(wait_background_tasks=True)
    [again] = rig.asked
    assert isinstance(again, LeaseRequest)
    assert (again.power_w, again.favor) == (600.0, "hashing")
    assert again.seq > first.seq
    assert states(hass, REQUEST, FAVOR) == ["600.0", "hashing"]


async def test_a_hold_that_ended_while_home_assistant_was_off_is_released(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    await hass.config_entries.async_unload(entry.entry_id)
    freezer.tick(timedelta(hours=5))
    await hass.config_entries.async_setup(entry.entry_id)
    fire_burst(rig)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [type(request) for request in rig.asked] == [ReleaseRequest]


async def test_what_was_asked_of_a_rig_that_left_is_forgotten(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    await ask(hass, 600)
    [subentry] = entry.subentries.values()
    hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
    await hass.async_block_till_done()
    assert not house_of(entry).heating.state.requests
    assert not hass.states.get(REQUEST)


async def test_a_changed_favor_is_leased_at_once(hass: HomeAssistant, rig: ScriptedRig) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    await do(hass, SELECT_DOMAIN, SERVICE_SELECT_OPTION, FAVOR, option="inference")
    await hass.async_block_till_done(wait_background_tasks=True)
    [request] = rig.asked
    assert isinstance(request, LeaseRequest)
    assert request.favor == "inference"
    assert states(hass, FAVOR) == ["inference"]


async def test_more_than_the_owners_limit_is_not_asked_for(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    heating = house_of(entry).heating
    with pytest.raises(
        ServiceValidationError, match="901 W is more than this heater may draw: 900 W"
    ):
        await heating.async_request_heat(KEY, 901)
    assert rig.asked == []


async def test_an_offline_rig_cannot_be_asked(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    rig.say_offline()
    await hass.async_block_till_done()
    with pytest.raises(HomeAssistantError, match=r"Attic is not connected"):
        await house_of(entry).heating.async_request_heat(KEY, 100)


async def test_hands_off_lets_go_and_then_leaves_the_heater_alone(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_ON, HANDS_OFF)
    assert [type(request) for request in rig.asked] == [ReleaseRequest]
    rig.asked.clear()
    with pytest.raises(ServiceValidationError, match="Hands off is on"):
        await ask(hass, 500)
    await hass.config_entries.async_reload(entry.entry_id)
    fire_burst(rig)
    await beats(hass, rig, freezer, 120)
    assert rig.asked == []
    assert states(hass, HANDS_OFF, REQUEST) == ["on", "unknown"]
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_OFF, HANDS_OFF)
    await ask(hass, 500)
    assert rig.leases() == [500.0]


async def test_hands_off_holds_also_if_the_rig_cannot_be_told(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    await ask(hass, 600)
    rig.say_offline()
    await hass.async_block_till_done()
    await house_of(entry).heating.async_set_hands_off(KEY, hands_off=True)
    rig.asked.clear()
    rig.beat()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert rig.asked == [], "its lease ends by itself"


async def test_stop_all_stops_every_rig_and_stays_until_released(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    await ask(hass, 600)
    rig.asked.clear()
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_ON, STOP_ALL)
    [request] = rig.asked
    assert isinstance(request, StopAllRequest)
    assert request.engaged
    with pytest.raises(ServiceValidationError, match="Stop all is in force"):
        await ask(hass, 500)
    fire_burst(rig)
    await hass.async_block_till_done()
    rig.asked.clear()
    await hass.config_entries.async_reload(entry.entry_id)
    fire_burst(rig)
    await beats(hass, rig, freezer, 120)
    assert rig.asked == [], "nothing is leased, nothing is said twice"
    assert states(hass, STOP_ALL) == ["on"]
    assert states(hass, "sensor.hashcenter_why") == [
        "Stop all is in force until a person releases it."
    ]
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_OFF, STOP_ALL)
    [released] = rig.asked
    assert isinstance(released, StopAllRequest)
    assert not released.engaged
    await beats(hass, rig, freezer, 5)
    assert states(hass, STOP_ALL) == ["off"]
    assert rig.leases() == [600.0], "what was asked and is not over is asked again"


async def test_stop_all_names_the_rigs_that_did_not_confirm_and_stops_them_when_they_return(
    hass: HomeAssistant,
) -> None:
    await set_up_house(hass, CELLAR)
    cellar = await live_rig(hass, CELLAR)
    cellar.say_offline()
    await hass.async_block_till_done()
    with pytest.raises(
        HomeAssistantError,
        match=r"Not everything is known to have stopped\. Cellar is not connected",
    ):
        await do(hass, SWITCH_DOMAIN, SERVICE_TURN_ON, STOP_ALL)
    assert states(hass, STOP_ALL) == ["on"]
    cellar.restart("boot-2")
    cellar.beat()
    await hass.async_block_till_done(wait_background_tasks=True)
    [request] = cellar.asked
    assert isinstance(request, StopAllRequest)
    assert request.engaged


async def test_a_rig_that_refuses_to_stop_is_named_with_its_sentence(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    rig.refuse.append(("held_by", "another house controls this rig: cabin"))
    with pytest.raises(HomeAssistantError, match="Attic refuses: another house controls this rig"):
        await do(hass, SWITCH_DOMAIN, SERVICE_TURN_ON, STOP_ALL)


async def test_a_rig_that_missed_the_release_hears_it_when_it_returns(
    hass: HomeAssistant, rig: ScriptedRig, entry: MockConfigEntry
) -> None:
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_ON, STOP_ALL)
    rig.say_offline()
    await hass.async_block_till_done()
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_OFF, STOP_ALL)
    await hass.config_entries.async_reload(entry.entry_id)
    rig.asked.clear()
    fire_burst(rig)
    await hass.async_block_till_done(wait_background_tasks=True)
    [request] = rig.asked
    assert isinstance(request, StopAllRequest)
    assert not request.engaged
    assert house_of(entry).heating.state.unreleased == frozenset()


async def test_a_rig_that_its_owner_stopped_shows_and_can_be_released(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    rig.beat(stopped=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert states(hass, STOP_ALL) == ["on"]
    assert rig.asked == []
    await do(hass, SWITCH_DOMAIN, SERVICE_TURN_OFF, STOP_ALL)
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, STOP_ALL) == ["off"]


async def test_a_renewal_that_is_refused_is_a_problem_until_it_is_taken(
    hass: HomeAssistant,
    rig: ScriptedRig,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await ask(hass, 600)
    rig.refuse = [("control_refused", "unattended_w does not fit")] * 2
    await beats(hass, rig, freezer, 95)
    assert caplog.text.count("Attic refuses: unattended_w does not fit") == 1
    [said] = states(hass, "sensor.hashcenter_problems")
    assert said.startswith("Attic refuses: unattended_w does not fit (since Nov 22, ")
    await beats(hass, rig, freezer, 65)
    assert states(hass, "sensor.hashcenter_problems") == ["Nothing is wrong"]
