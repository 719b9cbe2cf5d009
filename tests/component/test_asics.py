"""ASICs in Home Assistant: full devices with their own heaters, readings, faults and repairs."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.messages import (
    Device,
    DeviceState,
    Event,
    Fault,
    Heater,
    HeaterState,
    Inventory,
    LeaseRequest,
)
from custom_components.hashcenter.wire.values import Activity, Severity
from tests.component.rigs import ATTIC, CELLAR, ScriptedRig, device_state, set_up_house
from tests.wire.speech import payload

pytestmark = pytest.mark.usefixtures("mqtt_mock")

UID = "a4:11:62:01:02:03"
HEATER = "asic-a4-11-62-01-02-03"

#: What the wire's own examples say of an ASIC.
_EXAMPLE = Inventory.model_validate_json(payload("inventory"))
MINER: Device = next(one for one in _EXAMPLE.devices if one.uid == UID)
MINER_HEATER: Heater = next(one for one in _EXAMPLE.heaters if one.id == HEATER)
SAYS = DeviceState.model_validate_json(payload("device_asic"))


def heater_state(**values: Any) -> HeaterState:
    known: dict[str, Any] = {
        "id": HEATER,
        "power_w": 2486.0,
        "reason": "heating with the 2500 W that were asked for",
        "available_w": 3000.0,
        "available_why": "its owner allows no more",
        "starts_left": 4,
    }
    return HeaterState(**{**known, **values})


def basement(hass: HomeAssistant, rig_id: str = ATTIC) -> ScriptedRig:
    """Return a rig without a GPU that drives one ASIC."""
    rig = ScriptedRig(hass, rig_id)
    rig.devices = {UID: SAYS.model_copy(update={"boot_id": rig.boot_id})}
    rig.state = rig.state.model_copy(update={"heaters": (heater_state(),), "inference": None})
    return rig


def arrive(rig: ScriptedRig) -> None:
    rig.say_inventory(devices=(MINER,), heaters=(MINER_HEATER,), runners=())
    for uid in rig.devices:
        rig.say_device(uid)
    rig.beat()


@pytest.fixture
async def entry(hass: HomeAssistant) -> ConfigEntry:
    return await set_up_house(hass, ATTIC)


def the_miner(hass: HomeAssistant, entry: ConfigEntry) -> dr.DeviceEntry:
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, UID), entry.entry_id)
    assert device is not None
    return device


async def test_it_is_a_device_of_its_own_that_is_reached_via_its_rig(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    arrive(basement(hass))
    await hass.async_block_till_done()
    device = the_miner(hass, entry)
    rig = dr.async_get(hass).async_get(device.via_device_id or "")
    assert rig is not None
    assert rig.name == "Attic"
    assert device.connections == {(dr.CONNECTION_NETWORK_MAC, UID)}
    assert device.configuration_url == "http://192.168.1.20"
    assert (device.model, device.sw_version) == ("Antminer S19j Pro", "Braiins OS 26.04")


@pytest.mark.usefixtures("all_enabled")
async def test_it_shows_what_it_can_and_nothing_else(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    arrive(basement(hass))
    await hass.async_block_till_done()
    device = the_miner(hass, entry)
    mine = er.async_entries_for_device(er.async_get(hass), device.id)
    keys = {one.translation_key for one in mine if one.domain == "sensor"}
    assert {
        "power_w", "reported_power_w", "power_limit_w", "energy_kwh", "temp_c", "chip_temp_c",
        "fan_rpm", "hash_rate_mhs", "joules_per_terahash", "shares_accepted_total",
        "shares_rejected_total", "best_share", "pool", "uptime_s", "starts_left", "activity",
        "effect", "reason", "available_w",
    } <= keys  # fmt: skip
    assert not {"step", "power_percent", "inlet_temp_c", "memory_temp_c", "throttle"} & keys
    domains = {one.domain for one in mine}
    assert {"binary_sensor", "button", "number", "switch"} <= domains


@pytest.mark.usefixtures("all_enabled")
async def test_its_readings_are_shown_in_a_miners_units(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    arrive(basement(hass))
    await hass.async_block_till_done()
    device = the_miner(hass, entry)
    said = {
        one.translation_key: hass.states.get(one.entity_id)
        for one in er.async_entries_for_device(er.async_get(hass), device.id)
    }

    def shown(key: str) -> tuple[str, Any]:
        state = said[key]
        assert state is not None, key
        return state.state, state.attributes.get("unit_of_measurement")

    assert shown("power_w") == ("2486.0", "W")
    assert shown("reported_power_w") == ("2391.0", "W")
    assert shown("hash_rate_mhs") == ("86.2", "TH/s")
    assert shown("joules_per_terahash") == ("28.8", "J/TH")
    assert shown("fan_rpm") == ("3120.0", "rpm")
    assert shown("shares_accepted_total") == ("20417", "shares")
    assert shown("pool") == ("stratum+tcp://pool.example:3333", None)
    assert shown("pool_connected") == ("on", None)
    assert shown("starts_left")[0] == "4"
    assert shown("activity")[0] == "hashing"
    assert shown("energy_kwh")[0].startswith("3120.44")


async def test_a_silent_one_is_unknown_and_its_energy_stays(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    rig = basement(hass)
    arrive(rig)
    await hass.async_block_till_done()
    rig.devices[UID] = device_state(activity=Activity.FAULT).model_copy(
        update={
            **dict.fromkeys(
                ("power_w", "power_limit_w", "temp_c", "hash_rate_mhs", "pool_connected")
            ),
            "energy_kwh": 3120.4471,
            "missing": {"power_w": "192.168.1.20 does not answer"},
        }
    )
    rig.say_device(UID)
    await hass.async_block_till_done()
    shown = {
        one.translation_key: state.state
        for one in er.async_entries_for_device(er.async_get(hass), the_miner(hass, entry).id)
        if (state := hass.states.get(one.entity_id)) is not None
    }
    unknown = {shown[key] for key in ("power_w", "hash_rate_mhs", "pool_connected")}
    assert unknown == {"unknown"}
    assert shown["energy_kwh"].startswith("3120.4")
    assert shown["activity"] == "fault"


async def test_heat_is_asked_of_the_miner_itself(hass: HomeAssistant, entry: ConfigEntry) -> None:
    rig = basement(hass)
    await rig.listen()
    arrive(rig)
    await hass.async_block_till_done()
    (number,) = (
        one.entity_id
        for one in er.async_entries_for_device(er.async_get(hass), the_miner(hass, entry).id)
        if one.translation_key == "heat_request"
    )
    await hass.services.async_call(
        "number", "set_value", {"entity_id": number, "value": 2000}, blocking=True
    )
    (asked,) = [one for one in rig.asked if isinstance(one, LeaseRequest)]
    assert (asked.heater, asked.power_w) == (HEATER, 2000.0)


async def test_its_faults_are_problems_and_events_that_name_it(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    rig = basement(hass)
    arrive(rig)
    fault = Fault(code="fan_failed", text="Basement S19j Pro: a fan failed (F1:0)", since_s=3,
                  uid=UID)  # fmt: skip
    rig.state = rig.state.model_copy(update={"faults": (fault,)})
    rig.beat()
    await hass.async_block_till_done()
    problems = hass.states.get("sensor.hashcenter_problems")
    assert problems is not None
    assert "a fan failed (F1:0)" in problems.state
    happened = Event(boot_id=rig.boot_id, tick=rig.tick, code="fan_failed", text=fault.text,
                     severity=Severity.WARNING, uid=UID)  # fmt: skip
    rig.say(topics.EVENT, happened)
    await hass.async_block_till_done()
    event = hass.states.get("event.attic_events")
    assert event is not None
    assert event.attributes["event_type"] == "fault"
    assert event.attributes["device"] == "Basement S19j Pro"


async def test_another_pool_is_a_repair_until_it_is_right_again(
    hass: HomeAssistant, entry: ConfigEntry, issue_registry: ir.IssueRegistry
) -> None:
    rig = basement(hass)
    arrive(rig)
    fault = Fault(code="pool_changed", text="It works for another worker.", since_s=3, uid=UID)
    rig.state = rig.state.model_copy(update={"faults": (fault,)})
    rig.beat()
    await hass.async_block_till_done()
    issue = issue_registry.async_get_issue(DOMAIN, f"pool_changed_{UID}_{ATTIC}")
    assert issue is not None
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["reason"] == "It works for another worker"
    rig.state = rig.state.model_copy(update={"faults": ()})
    rig.beat()
    await hass.async_block_till_done()
    assert issue_registry.async_get_issue(DOMAIN, f"pool_changed_{UID}_{ATTIC}") is None


async def test_one_machine_on_two_rigs_is_leased_by_neither(hass: HomeAssistant) -> None:
    entry = await set_up_house(hass, ATTIC, CELLAR)
    one, two = basement(hass, ATTIC), basement(hass, CELLAR)
    await one.listen()
    await two.listen()
    arrive(one)
    arrive(two)
    await hass.async_block_till_done()
    house = entry.runtime_data
    keys = {HeaterKey(ATTIC, HEATER), HeaterKey(CELLAR, HEATER)}
    assert set(house.disputes) == keys
    for key in keys:
        with pytest.raises(ServiceValidationError, match="driven by Attic and Cellar"):
            await house.heating.async_request_heat(key, 2000.0)
    assert one.asked == two.asked == []
    assert any("driven by Attic and Cellar" in text for text, _ in house.problems.values())
    two.say_inventory(devices=(), heaters=(), runners=())
    await hass.async_block_till_done()
    assert house.disputes == {}
    await house.heating.async_request_heat(HeaterKey(ATTIC, HEATER), 2000.0)
    asked = [request.power_w for request in one.asked if isinstance(request, LeaseRequest)]
    assert asked[0] == 2000.0
