"""A rig in the house: when it is alive, what wakes whom, what happens when it goes."""

import asyncio
import logging
import time
from datetime import timedelta
from types import MappingProxyType
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.discovery_flow import DiscoveryKey
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.rigs.rig import SILENT_S
from custom_components.hashcenter.wire import topics
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    CPU,
    GPU,
    ScriptedRig,
    fire_burst,
    house_entry,
    house_of,
    live_rig,
    rig_subentry,
    set_up_house,
    states,
)

SHOWN = ("sensor.attic_power", "sensor.attic_gpu_0_power", "binary_sensor.attic_connection")


async def after(hass: HomeAssistant, seconds: float) -> None:
    """Let time pass."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


@pytest.mark.usefixtures("mqtt_mock")
async def test_entities_of_a_retained_inventory_wait_for_the_heartbeat(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    rig.say_announce()
    rig.say_inventory(retain=True)
    rig.say(topics.STATE, rig.state, retain=True)
    rig.say(topics.DEVICE, rig.devices[GPU], uid=GPU, retain=True)
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["unavailable", "unavailable", "off"]
    rig.beat()
    rig.say_device()
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_without_a_heartbeat_for_12_s_is_unavailable_and_logged_once_each_way(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    caplog.clear()
    await after(hass, 11)
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]
    await after(hass, 13)
    assert states(hass, *SHOWN) == ["unavailable", "unavailable", "off"]
    assert states(hass, "sensor.hashcenter_power") == ["unknown"]
    rig.beat()
    rig.say_device()
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]
    said = [
        (record.levelno, record.message)
        for record in caplog.records
        if record.name.endswith("hashcenter.coordinator") and record.levelno >= logging.INFO
    ]
    assert said == [(logging.INFO, "Attic is unavailable"), (logging.INFO, "Attic is back")]


@pytest.mark.usefixtures("mqtt_mock")
async def test_the_will_of_a_bridge_that_died_makes_it_unavailable_at_once(
    hass: HomeAssistant,
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["unavailable", "unavailable", "off"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_without_the_broker_every_rig_is_unavailable(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, False)
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["unavailable", "unavailable", "off"]
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, True)
    await hass.async_block_till_done()
    assert states(hass, *SHOWN)[0] == "unavailable", "only a heartbeat proves life"
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, *SHOWN)[0] == "412.0"


@pytest.mark.usefixtures("mqtt_mock")
async def test_one_rig_going_leaves_the_other(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC, CELLAR)
    attic, cellar = ScriptedRig(hass), ScriptedRig(hass, CELLAR)
    cellar.devices = {}
    cellar.inventory = cellar.inventory.model_copy(update={"devices": ()})
    fire_burst(attic)
    fire_burst(cellar)
    await hass.async_block_till_done()
    assert states(hass, "sensor.hashcenter_power") == ["825.0"]
    attic.say_offline()
    await hass.async_block_till_done()
    assert states(hass, "sensor.hashcenter_power", "sensor.cellar_power") == ["412.0", "412.0"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_rig_that_is_away_is_a_problem_after_a_minute_and_not_before(
    hass: HomeAssistant,
) -> None:
    problem, problems = "binary_sensor.hashcenter_problem", "sensor.hashcenter_problems"
    await set_up_house(hass, ATTIC)
    assert states(hass, problem) == ["off"], "Home Assistant has only just begun to listen"
    await after(hass, 59)
    assert states(hass, problem) == ["off"]
    await after(hass, 61)
    assert states(hass, problem) == ["on"]
    rig = await live_rig(hass)
    assert states(hass, problem, problems) == ["off", "Nothing is wrong"]
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, problem) == ["off"], "somebody may only have restarted it"
    await after(hass, 61)
    assert states(hass, problem) == ["on"]
    assert states(hass, problems)[0].startswith("Attic: not connected (since ")


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_devices_message_wakes_its_own_entities_only(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    house = house_of(entry)
    woken: list[str] = []
    attic = house.rigs[ATTIC]
    for name, coordinator in {
        "house": house,
        "rig": attic,
        "gpu": attic.device(GPU),
        "cpu": attic.device(CPU),
    }.items():
        coordinator.async_add_listener(callback(lambda name=name: woken.append(name)))
    rig.say_device(GPU, power_w=300.0)
    assert woken == ["gpu"]
    rig.say_device(GPU, power_w=300.0)
    assert woken == ["gpu"], "the same again is nothing new"
    woken.clear()
    rig.beat()
    assert sorted(woken) == ["house", "rig"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_silent_device_is_unavailable_while_its_rig_is_alive(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    for _ in range(7):
        rig.beat()
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "unavailable", "on"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_what_cannot_be_read_is_counted_and_the_last_good_value_stays(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    caplog.set_level(logging.DEBUG, "custom_components.hashcenter")
    for payload in ("{", "[]", '{"boot_id": 1}', "x" * 70_000, '{"power_w": NaN}'):
        rig.say(topics.STATE, payload)
    rig.say(topics.ANNOUNCE, "")
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]
    assert house_of(entry).rigs[ATTIC].invalid_total == 5
    assert caplog.text.count("something unreadable") == 1


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_stranger_and_foreign_topics_are_not_listened_to(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    await live_rig(hass, "stranger")
    assert list(house_of(entry).rigs) == [ATTIC]
    assert not hass.states.get("sensor.stranger_power")


async def test_without_mqtt_the_house_waits(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    entry = house_entry(rig_subentry())
    entry.add_to_hass(hass)
    hass.config.components.add("mqtt")  # as if it were set up, without an entry of its own
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == "mqtt_unavailable"


@pytest.mark.usefixtures("mqtt_mock")
async def test_unloading_and_reloading_say_nothing_to_rigs(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert states(hass, *SHOWN) == ["unavailable"] * 3
    rig.beat()
    assert await hass.config_entries.async_setup(entry.entry_id)
    fire_burst(rig)
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]
    assert rig.asked == []


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_new_subentry_makes_a_new_house_and_an_unchanged_one_does_not(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, ATTIC)
    house = house_of(entry)
    heard = MappingProxyType({"mqtt": (DiscoveryKey(domain="mqtt", key="x", version=1),)})
    hass.config_entries.async_update_entry(entry, discovery_keys=heard)
    await hass.async_block_till_done()
    assert house_of(entry) is house
    hass.config_entries.async_update_entry(entry, title="My house")
    await hass.async_block_till_done()
    assert house_of(entry) is not house


@pytest.mark.usefixtures("mqtt_mock")
async def test_other_options_make_a_new_house_that_says_nothing_to_rigs(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    house = house_of(entry)
    hass.config_entries.async_update_entry(entry, options={"outdoor": "sensor.outside"})
    await hass.async_block_till_done()
    assert house_of(entry) is not house
    assert rig.asked == []


@pytest.mark.usefixtures("mqtt_mock")
async def test_stop_all_pressed_while_the_house_is_loaded_anew_holds(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.hashcenter.rigs.requester.ANSWER_TIMEOUT_S", 0.5)
    entry = await set_up_house(hass, ATTIC, CELLAR)
    attic, cellar = await live_rig(hass), await live_rig(hass, CELLAR)
    attic.deaf = True
    cellar.say_offline()
    await hass.async_block_till_done()
    before = house_of(entry).heating

    pressed = hass.async_create_task(
        hass.services.async_call(
            "switch", "turn_on", {"entity_id": "switch.hashcenter_stop_all"}, blocking=True
        )
    )
    while not attic.asked:
        await asyncio.sleep(0)
    assert await hass.config_entries.async_reload(entry.entry_id)
    with pytest.raises(HomeAssistantError, match="Not everything is known to have stopped"):
        await pressed

    now = house_of(entry).heating
    assert now is not before
    assert now.state.stopped
    cellar.restart("boot-2")
    cellar.beat()
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [one.kind for one in cellar.asked] == ["stop_all"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_house_that_was_left_decides_and_stores_nothing_more(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    before = house_of(entry).heating
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    await house_of(entry).heating.async_stop_all(engaged=True)
    rig.asked.clear()
    wanted = before.wanted
    before.async_decide()
    assert before.wanted is wanted
    with pytest.raises(HomeAssistantError, match="loaded anew"):
        await before.async_stop_all(engaged=False)
    assert rig.asked == []
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert house_of(entry).heating.state.stopped


@pytest.mark.usefixtures("mqtt_mock")
async def test_removing_the_house_forgets_it_but_not_the_last_number(
    hass: HomeAssistant, hass_storage: dict[str, object]
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    await house_of(entry).heating.async_set_hold(2)
    await house_of(entry).heating.async_stop_all(engaged=True)
    assert rig.asked
    assert f"{DOMAIN}.heating" in hass_storage
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert [key for key in hass_storage if key.startswith(DOMAIN)] == [f"{DOMAIN}.sequence"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_a_house_that_is_made_anew_goes_on_with_what_was_just_heard(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, ATTIC)
    await live_rig(hass)
    await after(hass, 5)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert states(hass, *SHOWN) == ["412.0", "251.0", "on"]


@pytest.mark.usefixtures("mqtt_mock")
async def test_what_was_heard_before_is_forgotten_when_it_would_have_been_silent(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, ATTIC)
    await live_rig(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with patch.object(hass.loop, "time", lambda: time.monotonic() + SILENT_S):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert states(hass, *SHOWN) == ["unavailable", "unavailable", "off"]
