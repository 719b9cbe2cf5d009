"""Entities and devices come and go with the inventory: never by a reload, never by a silence."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter import async_remove_config_entry_device
from custom_components.hashcenter.const import DOMAIN
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    CPU,
    GPU,
    GPU_2,
    ScriptedRig,
    asic,
    cpu,
    device_state,
    entity_ids,
    fire_burst,
    gpu,
    heater,
    house_of,
    live_rig,
    set_up_house,
    states,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

CONTROLS = ["number.attic_heat_request", "switch.attic_hands_off"]
HEAT_ENDS = "sensor.attic_heat_request_ends"


def controls(hass: HomeAssistant) -> list[str]:
    """Return the controls that a person sees of the attic's rig."""
    return [entity for entity in [*CONTROLS, HEAT_ENDS] if hass.states.get(entity)]


@pytest.mark.parametrize(
    "withheld",
    [
        {"allow_control": False},
        {"control_refused": "unattended_w does not fit the circuit"},
        {"protocol": 9, "min_protocol": 9},
    ],
)
async def test_controls_are_absent_where_control_is_withheld_and_appear_by_themselves(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, withheld: dict[str, Any]
) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    allowed = {key: getattr(rig.inventory, key) for key in withheld}
    rig.inventory = rig.inventory.model_copy(update=withheld)
    fire_burst(rig)
    await hass.async_block_till_done()
    assert controls(hass) == []
    assert states(hass, "sensor.attic_power") == ["412.0"], "telemetry is shown all the same"

    rig.say_inventory(**allowed)
    await hass.async_block_till_done()
    assert controls(hass) == [*CONTROLS, HEAT_ENDS]

    rig.say_inventory(**withheld)
    await hass.async_block_till_done()
    assert controls(hass) == []
    assert not entity_registry.async_get(CONTROLS[0])

    rig.say_inventory(**allowed)
    await hass.async_block_till_done()
    assert controls(hass) == [*CONTROLS, HEAT_ENDS]


async def test_controls_stay_while_the_rig_is_offline(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_offline()
    await hass.async_block_till_done()
    assert states(hass, *CONTROLS) == ["unavailable", "off"]


async def test_control_that_ended_while_home_assistant_was_off_leaves_no_controls(
    hass: HomeAssistant, entity_registry: er.EntityRegistry
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.config_entries.async_setup(entry.entry_id)
    rig.inventory = rig.inventory.model_copy(update={"allow_control": False})
    fire_burst(rig)
    await hass.async_block_till_done()
    assert not entity_registry.async_get(CONTROLS[0])


async def test_a_new_gpu_appears_without_a_reload(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.devices[GPU_2] = device_state(power_w=199.0)
    rig.say_inventory(devices=(gpu(), gpu(GPU_2, 1), cpu()))
    rig.say_device(GPU_2)
    await hass.async_block_till_done()
    assert states(hass, "sensor.attic_gpu_1_power") == ["199.0"]


async def test_a_reading_that_a_driver_no_longer_has_takes_its_entity_along(
    hass: HomeAssistant, entity_registry: er.EntityRegistry
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    assert entity_registry.async_get("sensor.attic_gpu_0_temperature")
    rig.say_inventory(devices=(gpu(readings=("power_w",)), cpu()))
    await hass.async_block_till_done()
    assert not entity_registry.async_get("sensor.attic_gpu_0_temperature")
    assert entity_registry.async_get("sensor.attic_gpu_0_power")


async def forget(hass: HomeAssistant, freezer: FrozenDateTimeFactory, hours: float) -> None:
    """Let time pass, with the hourly look at devices at its end."""
    freezer.tick(timedelta(hours=hours))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()


def has_gpu(hass: HomeAssistant, entry_id: str, uid: str = GPU) -> bool:
    """Return whether the registry has the GPU's device."""
    devices = dr.async_get(hass)
    return devices.async_get_child_device_by_identifier((DOMAIN, uid), entry_id) is not None


async def test_a_gpu_that_its_live_rig_leaves_out_for_three_days_is_forgotten(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_inventory(devices=(cpu(),))
    await forget(hass, freezer, 71)
    assert has_gpu(hass, entry.entry_id)
    assert states(hass, "sensor.attic_gpu_0_power") == ["unavailable"]
    await forget(hass, freezer, 2)
    assert not has_gpu(hass, entry.entry_id)
    assert not [one for one in entity_ids(hass, "sensor") if "gpu" in one]


async def test_the_three_days_outlive_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_inventory(devices=(cpu(),))
    await forget(hass, freezer, 48)
    await hass.config_entries.async_reload(entry.entry_id)
    rig.restart("boot-2")
    rig.devices.pop(GPU)
    fire_burst(rig)
    await forget(hass, freezer, 25)
    assert not has_gpu(hass, entry.entry_id)


async def test_an_offline_rigs_gpu_is_never_forgotten(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_offline()
    await hass.async_block_till_done()
    await forget(hass, freezer, 24 * 30)
    assert has_gpu(hass, entry.entry_id)


async def test_a_gpu_that_returns_is_not_forgotten_and_shown_again(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_inventory(devices=(cpu(),))
    await forget(hass, freezer, 70)
    rig.say_inventory(devices=(gpu(), cpu()))
    rig.beat()
    rig.say_device()
    await forget(hass, freezer, 10)
    rig.beat()
    rig.say_device()
    await hass.async_block_till_done()
    assert has_gpu(hass, entry.entry_id)
    assert states(hass, "sensor.attic_gpu_0_power") == ["251.0"]


async def test_a_forgotten_gpu_can_come_back(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.say_inventory(devices=(cpu(),))
    await forget(hass, freezer, 73)
    rig.say_inventory(devices=(gpu(), cpu()))
    rig.beat()
    rig.say_device()
    await hass.async_block_till_done()
    assert states(hass, "sensor.attic_gpu_0_power") == ["251.0"]


async def test_a_gpu_that_was_moved_keeps_its_history_under_the_other_rig(
    hass: HomeAssistant, entity_registry: er.EntityRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_house(hass, ATTIC, CELLAR)
    attic = await live_rig(hass)
    cellar = ScriptedRig(hass, CELLAR)
    cellar.inventory = cellar.inventory.model_copy(update={"devices": (cpu("cpu-cellar"),)})
    cellar.devices = {}
    fire_burst(cellar)
    entity_registry.async_update_entity("sensor.attic_gpu_0_power", name="The hot one")
    attic.say_inventory(devices=(cpu(),))
    cellar.devices[GPU] = device_state(power_w=222.0)
    cellar.say_inventory(devices=(gpu(), cpu("cpu-cellar")))
    cellar.say_device(GPU)
    await hass.async_block_till_done()
    # Its entity id, its name and so its history are those it had.
    assert states(hass, "sensor.attic_gpu_0_power") == ["222.0"]
    moved = entity_registry.async_get("sensor.attic_gpu_0_power")
    assert moved is not None
    assert moved.name == "The hot one"
    device = dr.async_get(hass).async_get(moved.device_id or "")
    assert isinstance(device, dr.ChildDeviceEntry)
    parent = dr.async_get(hass).async_get(device.parent_device_id)
    assert parent is not None
    assert parent.name == "Cellar"
    assert house_of(entry).devices.owner(GPU) == CELLAR
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_device_that_two_live_rigs_claim_stays_where_it_was(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_house(hass, ATTIC, CELLAR)
    await live_rig(hass)
    cellar = await live_rig(hass, CELLAR)
    cellar.say_inventory()
    await hass.async_block_till_done()
    assert house_of(entry).devices.owner(GPU) == ATTIC
    assert not hass.states.get("sensor.cellar_gpu_0_power")
    assert caplog.text.count(f"cellar lists device {GPU}, which belongs to attic") == 1


async def test_an_asics_heater_is_the_asic(hass: HomeAssistant) -> None:
    await set_up_house(hass, CELLAR)
    rig = ScriptedRig(hass, CELLAR)
    rig.devices = {ASIC: device_state()}
    rig.say_inventory(devices=(asic(),), heaters=(heater((ASIC,), id="s19", name="S19"),))
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, "number.s19_in_the_cellar_heat_request") == ["unavailable"], (
        "the heartbeat does not tell of this heater"
    )


@pytest.mark.parametrize("url", [None, "ftp://x", "http://[", "about:blank"])
async def test_an_asic_without_a_web_page_or_a_mac_is_shown(
    hass: HomeAssistant, url: str | None
) -> None:
    await set_up_house(hass, CELLAR)
    rig = ScriptedRig(hass, CELLAR)
    plain = asic().model_copy(update={"url": url, "mac": None})
    rig.devices = {ASIC: device_state()}
    rig.say_inventory(devices=(plain,), heaters=())
    rig.beat()
    rig.say_device(ASIC)
    await hass.async_block_till_done()
    assert states(hass, "sensor.s19_in_the_cellar_power") == ["251.0"]


async def test_a_person_may_delete_what_no_live_rig_lists(
    hass: HomeAssistant, device_registry: dr.DeviceRegistry
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)

    async def may(device: dr.AnyDeviceEntry | None) -> bool:
        assert device is not None
        return await async_remove_config_entry_device(hass, entry, device)

    gpu_device = device_registry.async_get_child_device_by_identifier((DOMAIN, GPU), entry.entry_id)
    for parent in dr.async_entries_for_config_entry(device_registry, entry.entry_id):
        assert not await may(parent), "the house and a rig go with their entry and subentry"
    assert not await may(gpu_device)
    rig.say_inventory(devices=(cpu(),))
    await hass.async_block_till_done()
    assert await may(gpu_device)
    assert not await may(
        device_registry.async_get_child_device_by_identifier((DOMAIN, CPU), entry.entry_id)
    )
