"""What happens on a rig is shown as events, and what can restart has a button."""

import pytest
from homeassistant.components.button import DOMAIN as BUTTON_DOMAIN, SERVICE_PRESS
from homeassistant.const import ATTR_ENTITY_ID, EVENT_STATE_CHANGED
from homeassistant.core import Event as HassEvent, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from custom_components.hashcenter.event import Kind, kind_of
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.messages import Event, RestartDeviceRequest
from custom_components.hashcenter.wire.values import Severity
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    GPU,
    ScriptedRig,
    asic,
    entity_ids,
    heater,
    live_rig,
    set_up_house,
    states,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

EVENTS = "event.attic_events"
RESTART = "button.s19_in_the_cellar_restart"


def event(code: str = "xid_79", text: str = "it fell off the bus", **values: str) -> Event:
    """Return what a rig says has happened."""
    defaults = {"boot_id": "boot-1", "tick": 104.0, "severity": Severity.WARNING}
    return Event.model_validate({**defaults, "code": code, "text": text, **values})


@pytest.mark.parametrize(
    ("code", "severity", "kind"),
    [
        ("preempted", Severity.INFO, Kind.PREEMPTED),
        ("refused", Severity.INFO, Kind.REFUSED),
        ("stop_all", Severity.WARNING, Kind.STOP_ALL),
        ("paired", Severity.INFO, Kind.PAIRED),
        ("task_done", Severity.INFO, Kind.TASK_DONE),
        ("task_expired", Severity.WARNING, Kind.TASK_FAILED),
        ("task_running", Severity.INFO, Kind.TASK),
        ("pool_lost", Severity.WARNING, Kind.FAULT),
        ("pool_lost_over", Severity.INFO, Kind.RECOVERED),
        ("from_the_future", Severity.INFO, Kind.OTHER),
        ("from_the_future", "apocalyptic", Kind.FAULT),
    ],
)
def test_each_code_has_its_kind_and_an_unknown_one_goes_by_its_severity(
    code: str, severity: str, kind: Kind
) -> None:
    assert kind_of(event(code, severity=severity)) is kind


async def test_an_event_is_shown_with_its_kind_and_the_rigs_own_words(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    assert states(hass, EVENTS) == ["unknown"]
    rig.say(topics.EVENT, event(uid=GPU))
    shown = hass.states.get(EVENTS)
    assert shown
    assert {
        name: shown.attributes[name]
        for name in ("event_type", "code", "text", "severity", "device")
    } == {
        "event_type": "fault",
        "code": "xid_79",
        "text": "it fell off the bus",
        "severity": "warning",
        "device": "RTX 3090",
    }


async def test_every_event_is_one_change_and_heartbeats_are_none(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    seen: list[str] = []

    @callback
    def changed(said: HassEvent[EventStateChangedData]) -> None:
        if said.data["entity_id"] == EVENTS and (new := said.data["new_state"]):
            seen.append(new.attributes["event_type"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    for code in ("preempted", "preempted", "refused"):
        rig.say(topics.EVENT, event(code, severity=Severity.INFO))
        rig.beat()
    await hass.async_block_till_done()
    assert seen == ["preempted", "preempted", "refused"]


async def test_an_event_that_a_broker_kept_is_old_news(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say(topics.EVENT, event(), retain=True)
    assert states(hass, EVENTS) == ["unknown"]


async def cellar(hass: HomeAssistant, *, allow_control: bool = True) -> ScriptedRig:
    """Return a live rig with a miner that can restart."""
    await set_up_house(hass, CELLAR)
    rig = ScriptedRig(hass, CELLAR)
    await rig.listen()
    rig.say_inventory(
        devices=(asic(),), heaters=(heater((ASIC,), id="s19"),), allow_control=allow_control
    )
    rig.beat()
    await hass.async_block_till_done()
    return rig


async def press(hass: HomeAssistant) -> None:
    """Press the miner's button."""
    await hass.services.async_call(
        BUTTON_DOMAIN, SERVICE_PRESS, {ATTR_ENTITY_ID: RESTART}, blocking=True
    )


async def test_the_button_asks_the_rig_to_restart_the_device(hass: HomeAssistant) -> None:
    rig = await cellar(hass)
    await press(hass)
    (asked,) = rig.asked
    assert isinstance(asked, RestartDeviceRequest)
    assert asked.uid == ASIC


async def test_a_silent_device_can_be_restarted_as_long_as_its_rig_is_there(
    hass: HomeAssistant,
) -> None:
    rig = await cellar(hass)
    assert states(hass, "sensor.s19_in_the_cellar_activity", RESTART) == ["unavailable", "unknown"]
    rig.say_offline()
    assert states(hass, RESTART) == ["unavailable"]


async def test_a_rig_that_refuses_a_restart_says_why(hass: HomeAssistant) -> None:
    rig = await cellar(hass)
    rig.refuse = [("hands_off", "its owner is at it")]
    with pytest.raises(HomeAssistantError, match="its owner is at it"):
        await press(hass)


async def test_no_button_where_control_is_off_or_nothing_restarts(hass: HomeAssistant) -> None:
    rig = await cellar(hass, allow_control=False)
    assert entity_ids(hass, BUTTON_DOMAIN) == []
    rig.say_inventory(allow_control=True)
    rig.beat()
    await hass.async_block_till_done()
    assert entity_ids(hass, BUTTON_DOMAIN) == [RESTART]
    rig.say_inventory(allow_control=False)
    rig.beat()
    await hass.async_block_till_done()
    assert entity_ids(hass, BUTTON_DOMAIN) == []
