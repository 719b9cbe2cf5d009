"""Every entity that a house with one rig has, platform by platform, as a snapshot."""

from unittest.mock import patch

import pytest
from homeassistant.const import STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import snapshot_platform
from syrupy.assertion import SnapshotAssertion

from custom_components.hashcenter.wire.messages import VoiceProgram
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    GPU,
    ScriptedRig,
    asic,
    cpu,
    device_state,
    fire_burst,
    gpu,
    heater,
    set_up_house,
    states,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.UPDATE,
]


@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
@pytest.mark.usefixtures("all_enabled")
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_entity_of_a_platform(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    platform: Platform,
) -> None:
    with patch("custom_components.hashcenter.PLATFORMS", [platform]):
        entry = await set_up_house(hass, ATTIC)
        fire_burst(ScriptedRig(hass))
        await hass.async_block_till_done()
    await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)


async def test_every_device_and_who_belongs_to_whom(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry, snapshot: SnapshotAssertion
) -> None:
    entry = await set_up_house(hass, ATTIC, CELLAR)
    fire_burst(ScriptedRig(hass))
    cellar = ScriptedRig(hass, CELLAR)
    cellar.say_inventory(
        devices=(asic(),), heaters=(heater((ASIC,), id="s19", name="S19"),), runners=()
    )
    cellar.devices = {ASIC: device_state()}
    cellar.beat()
    await hass.async_block_till_done()
    parents = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    children = dr.async_child_entries_for_config_entry(device_registry, entry.entry_id)
    by_id = {device.id: device.name for device in parents}
    said = {
        device.name: {
            "via": by_id.get(device.via_device_id or ""),
            "model": device.model,
            "version": device.sw_version,
            "type": device.entry_type,
            "connections": sorted(device.connections),
            "page": device.configuration_url,
            "entities": sorted(
                one.entity_id
                for one in er.async_entries_for_device(
                    er.async_get(hass), device.id, include_disabled_entities=False
                )
            ),
        }
        for device in parents
    }
    assert said == snapshot(name="devices")
    assert {child.name: by_id[child.parent_device_id] for child in children} == {
        "GPU 0": "Attic",
        "CPU": "Attic",
    }


async def test_an_entity_exists_only_where_the_device_can_answer(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    rig.say_inventory(devices=(gpu(readings=("power_w",)), cpu()), runners=(), heaters=())
    rig.beat()
    await hass.async_block_till_done()
    assert hass.states.get("sensor.attic_gpu_0_power")
    assert not hass.states.get("sensor.attic_gpu_0_temperature")
    assert not hass.states.get("sensor.attic_hash_rate"), "nothing of this rig hashes"
    assert not hass.states.get("sensor.attic_model"), "nothing of this rig answers"
    assert not hass.states.get("binary_sensor.attic_can_answer")


EARS = "binary_sensor.attic_speech_program_ears"
MOUTH = "binary_sensor.attic_speech_program_mouth"


async def test_speech_programs_say_whether_they_are_there(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    fire_burst(rig)
    await hass.async_block_till_done()
    assert states(hass, EARS, MOUTH) == ["(none)", "(none)"]

    ears = VoiceProgram(name="ears", available=True, can=("hears",), why="ready")
    mouth = VoiceProgram(name="mouth", available=False, why="it is starting")
    rig.beat(voice=(ears, mouth))
    await hass.async_block_till_done()
    assert states(hass, EARS, MOUTH) == ["on", "off"]
    state = hass.states.get(EARS)
    assert state
    assert (state.attributes["can"], state.attributes["why"]) == (["hears"], "ready")

    rig.beat(voice=(ears.model_copy(update={"available": False}), mouth))
    await hass.async_block_till_done()
    assert states(hass, EARS, MOUTH) == ["off", "off"]
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, EARS, MOUTH) == [STATE_UNAVAILABLE] * 2

    rig.beat(voice=(mouth,))
    await hass.async_block_till_done()
    assert states(hass, EARS, MOUTH) == ["(none)", "off"]


async def test_how_much_of_a_prompt_was_read_already_is_measured(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    fire_burst(rig)
    await hass.async_block_till_done()
    assert states(hass, "sensor.attic_prompt_already_read") == ["unknown"]
    inference = rig.state.inference
    assert inference
    rig.beat(inference=inference.model_copy(update={"cached_share": 0.93}))
    await hass.async_block_till_done()
    assert float(states(hass, "sensor.attic_prompt_already_read")[0]) == 93


async def test_a_reading_that_is_missing_is_unknown_and_never_0(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    fire_burst(rig)
    rig.say_device(GPU, temp_c=None, missing={"temp_c": "the driver does not say"})
    rig.beat(power_w=None)
    await hass.async_block_till_done()
    lost = ("sensor.attic_gpu_0_temperature", "sensor.attic_power", "sensor.hashcenter_power")
    assert states(hass, *lost) == ["unknown"] * 3


@pytest.mark.parametrize(
    ("bridge", "latest", "state"),
    [
        ("0.0.9", "0.1.0", "on"),
        ("0.1.0", "0.1.0", "off"),
        ("0.2.0", "0.2.0", "off"),
        ("home made", "home made", "off"),
    ],
)
async def test_an_older_bridge_shows_an_update_and_a_newer_or_odd_one_does_not(
    hass: HomeAssistant, bridge: str, latest: str, state: str
) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    rig.say_inventory(version=bridge)
    rig.beat()
    await hass.async_block_till_done()
    shown = hass.states.get("update.attic_bridge")
    assert shown is not None
    assert (shown.attributes["latest_version"], shown.state) == (latest, state)


@pytest.mark.parametrize(
    "entity", ["sensor.hashcenter_power", "sensor.attic_power", "sensor.attic_gpu_0_power"]
)
async def test_asking_for_an_update_changes_nothing_that_is_pushed(
    hass: HomeAssistant, entity: str
) -> None:
    await set_up_house(hass, ATTIC)
    fire_burst(ScriptedRig(hass))
    await hass.async_block_till_done()
    before = states(hass, entity)
    await hass.services.async_call(
        "homeassistant", "update_entity", {"entity_id": entity}, blocking=True
    )
    assert states(hass, entity) == before


async def test_what_a_newer_bridge_says_and_we_do_not_know_is_unknown(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    fire_burst(rig)
    rig.say_device(GPU, throttle="gremlins", activity="dreaming")
    rig.beat(activity="dreaming")
    await hass.async_block_till_done()
    shown = ("sensor.attic_activity", "sensor.attic_gpu_0_activity", "sensor.attic_gpu_0_throttle")
    assert states(hass, *shown) == ["unknown"] * 3
