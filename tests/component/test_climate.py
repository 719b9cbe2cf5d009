"""A room's thermostat: what people want goes to the heating, what happens comes back."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import conversation
from homeassistant.components.climate import (
    ATTR_CURRENT_TEMPERATURE,
    ATTR_HVAC_ACTION,
    ATTR_HVAC_MODE,
    ATTR_MAX_TEMP,
    ATTR_MIN_TEMP,
    ATTR_PRESET_MODE,
    ATTR_TARGET_TEMP_STEP,
    DOMAIN as CLIMATE_DOMAIN,
    SERVICE_SET_HVAC_MODE,
    SERVICE_SET_PRESET_MODE,
    SERVICE_SET_TEMPERATURE,
    HVACMode,
)
from homeassistant.components.conversation.chat_log import ChatLog, current_chat_log
from homeassistant.const import (
    ATTR_ENTITY_ID,
    ATTR_TEMPERATURE,
    EVENT_STATE_CHANGED,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    UnitOfTemperature,
)
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.helpers.chat_session import async_get_chat_session
from homeassistant.helpers.llm import LLMContext, ToolInput, async_get_api
from homeassistant.setup import async_setup_component
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.climate import is_by_voice
from tests.component.rigs import ScriptedRig, house_of, live_rig
from tests.component.rooms import CLIMATE, LIVING, room_subentry, say_temperature, set_up_rooms

pytestmark = pytest.mark.usefixtures("mqtt_mock")


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
async def rig(hass: HomeAssistant) -> ScriptedRig:
    """Return the live rig of a house with a living room at 18 °C."""
    say_temperature(hass, 18.0)
    await set_up_rooms(hass)
    return await live_rig(hass)


async def call(hass: HomeAssistant, service: str, **data: Any) -> None:
    """Ask the thermostat for something."""
    await hass.services.async_call(
        CLIMATE_DOMAIN, service, {ATTR_ENTITY_ID: CLIMATE, **data}, blocking=True
    )


def shown(hass: HomeAssistant, *attributes: str) -> list[Any]:
    """Return the thermostat's mode, and these attributes."""
    state = hass.states.get(CLIMATE)
    assert state
    return [state.state, *(state.attributes.get(name) for name in attributes)]


async def test_a_new_room_is_off_and_shows_its_temperature(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    assert shown(hass, ATTR_CURRENT_TEMPERATURE, ATTR_TEMPERATURE, ATTR_PRESET_MODE) == [
        "off",
        18.0,
        21.0,
        "comfort",
    ]
    assert shown(hass, ATTR_HVAC_ACTION) == ["off", "off"]
    assert not any(rig.leases())


async def test_before_the_first_decision_nobody_says_what_happens(hass: HomeAssistant) -> None:
    say_temperature(hass, 18.0)
    await set_up_rooms(hass)
    assert shown(hass, ATTR_HVAC_ACTION, ATTR_TEMPERATURE) == ["off", None, 21.0]


async def test_a_room_that_is_turned_on_asks_its_heaters_for_watts(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await call(hass, SERVICE_TURN_ON)
    await hass.async_block_till_done()
    assert shown(hass) == ["heat"]
    assert rig.leases()[-1] > 0
    await call(hass, SERVICE_TURN_OFF)
    assert shown(hass, ATTR_HVAC_ACTION) == ["off", "off"]


async def test_presets_and_temperatures_are_kept_where_the_heating_keeps_them(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await call(hass, SERVICE_SET_HVAC_MODE, **{ATTR_HVAC_MODE: HVACMode.HEAT})
    await call(hass, SERVICE_SET_PRESET_MODE, **{ATTR_PRESET_MODE: "eco"})
    assert shown(hass, ATTR_TEMPERATURE, ATTR_PRESET_MODE) == ["heat", 18.0, "eco"]
    await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: 19.5})
    assert shown(hass, ATTR_TEMPERATURE, ATTR_PRESET_MODE) == ["heat", 19.5, "none"]
    await call(hass, SERVICE_SET_PRESET_MODE, **{ATTR_PRESET_MODE: "away"})
    await call(hass, SERVICE_SET_PRESET_MODE, **{ATTR_PRESET_MODE: "none"})
    assert shown(hass, ATTR_TEMPERATURE, ATTR_PRESET_MODE) == ["heat", 14.0, "none"]
    await call(
        hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: 20.0, ATTR_HVAC_MODE: HVACMode.OFF}
    )
    assert shown(hass, ATTR_TEMPERATURE) == ["off", 20.0]


async def test_boost_says_when_it_ends_and_ends(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    await call(hass, SERVICE_TURN_ON)
    await call(hass, SERVICE_SET_PRESET_MODE, **{ATTR_PRESET_MODE: "boost"})
    assert shown(hass, ATTR_TEMPERATURE, "boost_until") == [
        "heat",
        23.0,
        "2026-11-22T13:00:00+00:00",
    ]
    freezer.tick(3_601)
    rig.beat()
    await hass.async_block_till_done()
    assert shown(hass, ATTR_TEMPERATURE, ATTR_PRESET_MODE, "boost_until") == [
        "heat",
        21.0,
        "comfort",
        None,
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {ATTR_TEMPERATURE: 27.5},
        {ATTR_TEMPERATURE: 6.5},
        {ATTR_TEMPERATURE: 20.0, ATTR_HVAC_MODE: HVACMode.COOL},
    ],
)
async def test_what_the_room_cannot_be_is_refused_and_changes_nothing(
    hass: HomeAssistant, rig: ScriptedRig, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ServiceValidationError):
        await call(hass, SERVICE_SET_TEMPERATURE, **wrong)
    assert shown(hass, ATTR_TEMPERATURE) == ["off", 21.0]


async def test_what_happens_follows_the_measured_watts(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    await call(hass, SERVICE_TURN_ON)
    idle = rig.state.heaters[0].model_copy(update={"power_w": 60.0})
    freezer.tick(61)
    rig.say_device(activity="idle")
    rig.beat(heaters=(idle,), power_w=60.0)
    await hass.async_block_till_done()
    assert shown(hass, ATTR_HVAC_ACTION) == ["heat", "preheating"]
    freezer.tick(61)
    rig.say_device(activity="hashing")
    rig.beat(heaters=(idle.model_copy(update={"power_w": 600.0}),), power_w=600.0)
    await hass.async_block_till_done()
    assert shown(hass, ATTR_HVAC_ACTION) == ["heat", "heating"]


async def test_a_thermometer_that_is_not_believed_shows_no_temperature(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    say_temperature(hass, "unavailable")
    freezer.tick(61)
    rig.beat()
    await hass.async_block_till_done()
    assert shown(hass, ATTR_CURRENT_TEMPERATURE) == ["off", None]


async def test_a_thermostat_survives_a_restart_without_a_bump(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await call(hass, SERVICE_TURN_ON)
    await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: 20.5})
    (entry,) = hass.config_entries.async_entries("hashcenter")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass, ATTR_TEMPERATURE, ATTR_PRESET_MODE) == ["heat", 20.5, "none"]


async def test_in_a_fahrenheit_house_whole_degrees_can_be_set_from_end_to_end(
    hass: HomeAssistant,
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    say_temperature(hass, 64.4, UnitOfTemperature.FAHRENHEIT)
    entry = await set_up_rooms(hass)
    rig = await live_rig(hass)
    rig.beat()
    limits = (ATTR_MIN_TEMP, ATTR_MAX_TEMP, ATTR_TARGET_TEMP_STEP)
    assert shown(hass, *limits) == ["off", 45, 80, 1.0]
    assert shown(hass, ATTR_CURRENT_TEMPERATURE, ATTR_TEMPERATURE) == ["off", 64, 70]
    for target_f in (45, 69, 80):
        await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: target_f})
        assert shown(hass, ATTR_TEMPERATURE) == ["off", target_f]
    assert house_of(entry).heating.wish(LIVING).target_c == pytest.approx(26.67, abs=0.01)


async def test_a_fahrenheit_thermometer_in_a_celsius_house_is_understood(
    hass: HomeAssistant,
) -> None:
    say_temperature(hass, 68.0, UnitOfTemperature.FAHRENHEIT)
    await set_up_rooms(hass)
    await live_rig(hass)
    assert shown(hass, ATTR_CURRENT_TEMPERATURE) == ["off", 20.0]


async def test_a_thermometer_that_flickers_writes_little(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory
) -> None:
    rows: list[str] = []

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == CLIMATE:
            rows.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    for minute in range(60):
        freezer.tick(60)
        say_temperature(hass, 18.0 + 0.1 * (minute % 2))
        rig.beat()
        await hass.async_block_till_done()
    assert len(rows) <= 12


async def speak(hass: HomeAssistant, text: str) -> str:
    """Say something to Home Assistant's own agent and return what it answers."""
    result = await conversation.async_converse(hass, text, None, Context(), language="en")
    await hass.async_block_till_done()
    return str(result.response.speech["plain"]["speech"])


async def voiced(hass: HomeAssistant, **room: Any) -> MockConfigEntry:
    """Set up a house with a warm living room that listens."""
    for component in ("homeassistant", "conversation", "intent"):
        assert await async_setup_component(hass, component, {})
    say_temperature(hass, 20.0)
    entry = await set_up_rooms(hass, room_subentry(**room))
    await live_rig(hass)
    await call(hass, SERVICE_TURN_ON)
    area = ar.async_get(hass).async_get_area_by_name("Living room")
    assert area, "the room suggests an area"
    device = er.async_get(hass).async_get(CLIMATE)
    assert device
    return entry


async def test_a_room_hears_a_spoken_temperature(hass: HomeAssistant) -> None:
    await voiced(hass)
    await speak(hass, "set the temperature in the living room to 22 degrees")
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 22.0]


async def test_a_childs_room_is_never_raised_by_voice(hass: HomeAssistant) -> None:
    await voiced(hass, child=True)
    await speak(hass, "set the temperature in the living room to 22 degrees")
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 21.0]


async def test_a_childs_room_may_be_turned_down_by_voice_and_up_by_hand(
    hass: HomeAssistant,
) -> None:
    await voiced(hass, child=True)
    await speak(hass, "set the temperature in the living room to 19 degrees")
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 19.0]
    await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: 22.0})
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 22.0]


async def test_a_script_that_is_started_by_voice_raises_a_childs_room_no_more_than_voice_itself(
    hass: HomeAssistant,
) -> None:
    action = {
        "action": "climate.set_preset_mode",
        "target": {"entity_id": CLIMATE},
        "data": {"preset_mode": "boost"},
    }
    warm = {"alias": "Cosy", "sequence": [action]}
    assert await async_setup_component(hass, "script", {"script": {"cosy": warm}})
    await voiced(hass, child=True)
    await speak(hass, "turn on cosy")
    assert shown(hass, ATTR_PRESET_MODE) == ["heat", "comfort"]
    await hass.services.async_call("script", "cosy", blocking=True)
    assert shown(hass, ATTR_PRESET_MODE) == ["heat", "boost"]


async def test_a_script_that_waits_is_still_a_voice_and_an_hour_later_it_is_not(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    turn = ChatLog(hass, "turn")
    token = current_chat_log.set(turn)
    try:
        assert is_by_voice()
        freezer.tick(3_599)
        assert is_by_voice()
        freezer.tick(2)
        assert not is_by_voice()
        turn.turn_active = True
        assert is_by_voice()
    finally:
        current_chat_log.reset(token)
    assert not is_by_voice()


async def test_a_models_tool_raises_a_childs_room_no_more_than_a_sentence(
    hass: HomeAssistant,
) -> None:
    await voiced(hass, child=True)

    async def call_tool(temperature: float) -> None:
        tool = ToolInput(
            "climate__HassClimateSetTemperature",
            {"name": "Living room", "temperature": temperature},
        )
        context = LLMContext("test", Context(), "en", "conversation", None)
        with (
            async_get_chat_session(hass, context=Context()) as session,
            conversation.async_get_chat_log(hass, session),
        ):
            api = await async_get_api(hass, "assist", context)
            await api.async_call_tool(tool)

    with pytest.raises(ServiceValidationError, match="by hand only"):
        await call_tool(22.0)
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 21.0]
    await call_tool(19.0)
    assert shown(hass, ATTR_TEMPERATURE) == ["heat", 19.0]


async def test_a_target_that_is_no_number_is_refused_and_the_one_before_holds(
    hass: HomeAssistant, rig: ScriptedRig
) -> None:
    await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: 20.0})
    with pytest.raises(ServiceValidationError, match="nan cannot be used: enter a number"):
        await call(hass, SERVICE_SET_TEMPERATURE, **{ATTR_TEMPERATURE: "nan"})
    assert shown(hass, ATTR_TEMPERATURE) == ["off", 20.0]
