"""Circuits, money and the tilt in Home Assistant: what their entities say reaches the leases."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.safety import OUTDOOR_STALE_S
from custom_components.hashcenter.control.tilt import Tilt
from custom_components.hashcenter.control.wanted import CircuitWanted, HeaterWanted, LimitCode
from custom_components.hashcenter.wire.messages import Fault, LeaseRequest
from custom_components.hashcenter.wire.values import Favor
from tests.component.homes import (
    LIVING,
    MACHINE,
    MINER,
    OUTDOOR,
    S19,
    Home,
    circuit_subentry,
    room_subentry,
    set_up_home,
)
from tests.component.rigs import ASIC, ATTIC, CELLAR

pytestmark = pytest.mark.usefixtures("mqtt_mock")

METER = "sensor.circuit_power"
ROOM: dict[str, Any] = {"heat_loss_w_per_k": 100.0}


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


def circuit(home: Home, name: str = "c1") -> CircuitWanted:
    found: CircuitWanted = home.heating.wanted.circuits[name]
    return found


def heater(home: Home, key: Any) -> HeaterWanted:
    found: HeaterWanted = home.heating.wanted.heaters[key]
    return found


async def test_what_would_trip_after_a_power_cut_is_refused_with_a_sentence_and_a_repair(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, issue_registry: ir.IssueRegistry
) -> None:
    small = circuit_subentry([MACHINE, MINER], amps=10.0)
    home = await set_up_home(hass, freezer, small, alive=False)
    unattended = S19.model_copy(update={"unattended_w": 3000.0})
    home.rigs[CELLAR].inventory = home.rigs[CELLAR].inventory.model_copy(
        update={"heaters": (unattended,)}
    )
    home.say_all()
    await home.settle()
    with pytest.raises(ServiceValidationError, match="the circuit Circuit c1 would carry too much"):
        await home.heating.async_request_heat(MINER, 1500)
    assert home.rigs[CELLAR].asked == []
    assert home.heating.request(MINER) is None
    issue = issue_registry.async_get_issue(DOMAIN, "unattended_s19_cellar")
    assert issue is not None
    assert issue.translation_placeholders == {"heater": "S19", "circuit": "Circuit c1"}
    home.rigs[CELLAR].say_inventory(heaters=(S19,))
    await home.minutes(1)
    assert issue_registry.async_get_issue(DOMAIN, "unattended_s19_cellar") is None


async def test_a_heater_on_a_circuit_in_no_room_is_capped_so_that_the_books_hold(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, circuit_subentry([MACHINE], amps=5.0))
    await home.minutes(1)
    [*_, lease] = [one for one in home.rigs[ATTIC].asked if isinstance(one, LeaseRequest)]
    assert lease.power_w == 0.0
    assert lease.cap_w is not None
    assert lease.cap_w < 0.8 * 230 * 5.0
    assert circuit(home).limit_w == 920.0


async def test_heat_that_does_not_fit_its_circuit_is_granted_as_far_as_it_does(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, circuit_subentry([MACHINE], amps=4.0))
    await home.minutes(1)
    await home.heating.async_request_heat(MACHINE, 880)
    await home.settle()
    assert home.heating.request(MACHINE).power_w == 880
    assert heater(home, MACHINE).limit.code is LimitCode.CIRCUIT
    granted_w = home.rigs[ATTIC].lease_w("machine")
    assert granted_w is not None
    assert 600.0 < granted_w <= 0.8 * 230 * 4.0


async def test_a_meter_that_jumps_is_answered_at_once_and_a_silent_one_raises_nothing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    breaker = circuit_subentry([MACHINE], amps=6.0, meter=METER)
    room = room_subentry([MACHINE], **ROOM)
    home = await set_up_home(hass, freezer, breaker, room)
    home.set(METER, 0.1, unit_of_measurement="kW")
    await home.heat(target_c=22.0)
    for _ in range(3):
        home.set(METER, 0.1, unit_of_measurement="kW")
        await home.minutes(1)
    before_w = home.rigs[ATTIC].lease_w("machine")
    assert before_w is not None
    assert before_w > 700.0
    home.set(METER, 0.12, unit_of_measurement="kW")
    decided_on = home.heating.seen
    assert home.heating.seen is decided_on, "20 W more wait for the minute"
    home.set(METER, 0.6, unit_of_measurement="kW")
    await home.settle()
    lowered_w = home.rigs[ATTIC].lease_w("machine")
    assert lowered_w is not None
    assert lowered_w < before_w
    assert circuit(home).others_w == 600.0
    home.set(METER, "unavailable")
    await home.minutes(3)
    problem = circuit(home).problem
    assert problem is not None
    assert problem.code is LimitCode.METER_STALE


async def test_a_tripped_breaker_is_planned_around_and_refuses_requests(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    breaker = circuit_subentry([MINER], amps=32.0, tripped="binary_sensor.trip")
    home = await set_up_home(hass, freezer, breaker)
    home.set("binary_sensor.trip", "on")
    await home.settle()
    assert heater(home, MINER).limit.code is LimitCode.TRIPPED
    with pytest.raises(ServiceValidationError, match="The breaker of the circuit Circuit c1 is"):
        await home.heating.async_request_heat(MINER, 1500)


async def test_limits_that_a_rig_read_back_count_where_nothing_says_that_watts_followed(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, circuit_subentry([MACHINE], amps=2.0))
    rig = home.rigs[ATTIC]
    before = rig.inventory.heaters[0]
    rig.say_inventory(heaters=(before.model_copy(update={"unattended_w": 100.0}),))
    await home.heating.async_request_heat(MACHINE, 200)
    await home.minutes(2)
    lease = rig.state.heaters[0].lease
    assert lease is not None
    assert lease.cap_w is not None, "the circuit has no room for all that it can draw"
    rig.change_heater(before.id, effect=None, possible_w=before.max_w)
    await home.minutes(1)
    assert circuit(home).possible_w >= before.max_w
    rig.change_heater(before.id, effect=None, possible_w=210.0)
    await home.minutes(1)
    assert 210.0 <= circuit(home).possible_w < before.max_w


async def test_an_offline_rigs_heater_still_counts_on_its_circuit_after_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, circuit_subentry([MACHINE, MINER], amps=32.0))
    home.rigs[CELLAR].say_inventory(heaters=(S19.model_copy(update={"unattended_w": 3000.0}),))
    await home.minutes(1)
    for rig in home.rigs.values():
        rig.say_offline()
    await home.settle()
    heard = home.rigs.pop(CELLAR)
    await home.restart()
    await home.minutes(3.5)
    assert heater(home, MINER).limit.code is LimitCode.OFFLINE
    assert circuit(home).possible_w >= heard.inventory.heaters[0].max_w


async def test_a_heater_hashes_for_money_only_where_its_owner_said_yes(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    money = {"price_entity": "sensor.price", "hash_value_per_th_day": 0.05}
    home = await set_up_home(hass, freezer, options={"money": money})
    home.set("sensor.price", 20, unit_of_measurement="EUR/MWh")
    # 30 J/TH: a measured hash rate is what the value of a kWh follows from.
    miner = home.rigs[CELLAR]
    miner.devices[ASIC] = miner.devices[ASIC].model_copy(
        update={"activity": "hashing", "hash_rate_mhs": 100e6}
    )
    miner.change_heater("s19", power_w=3000.0)
    await home.minutes(2)
    assert home.heating.wanted.money.heaters[MINER].work_value_per_kwh == pytest.approx(
        0.05 * 1000 / 24 / 30, rel=0.01
    )
    assert miner.lease_w("s19") is None
    await home.heating.async_set_hash_for_money(MINER, allowed=True)
    await home.settle()
    assert heater(home, MINER).limit.code is LimitCode.PAYS
    assert miner.lease_w("s19") == 3000.0
    await home.heating.async_set_hash_for_money(MINER, allowed=False)
    await home.minutes(0.5)
    assert miner.lease_w("s19") is None


async def test_a_tariff_in_steps_follows_what_the_house_used_today(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    tiers = [{"from_kwh": 0, "price_per_kwh": 0.10}, {"from_kwh": 20, "price_per_kwh": 0.30}]
    money = {"tiers": tiers, "energy_entity": "sensor.house_energy"}
    home = await set_up_home(hass, freezer, options={"money": money})
    home.set("sensor.house_energy", 1000, unit_of_measurement="kWh")
    await home.minutes(1)
    assert home.heating.seen.money.price_per_kwh == 0.10
    home.set("sensor.house_energy", 1021, unit_of_measurement="kWh")
    await home.minutes(1)
    assert home.heating.seen.money.price_per_kwh == 0.30
    await home.restart()
    await home.minutes(1)
    assert home.heating.seen.money.price_per_kwh == 0.30, "what was used is still used"
    freezer.tick(24 * 3600)
    await home.minutes(1)
    assert home.heating.seen.money.price_per_kwh == 0.10, "another day"


async def test_on_a_generator_nothing_hashes_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    options = {"money": {"generator_entity": "binary_sensor.generator"}, "outdoor": OUTDOOR}
    home = await set_up_home(hass, freezer, room_subentry([MACHINE], **ROOM), options=options)
    home.set("binary_sensor.generator", "off")
    await home.heat()
    await home.minutes(2)
    assert home.rigs[ATTIC].lease_w("machine")
    home.set("binary_sensor.generator", "on")
    await home.settle()
    assert home.rigs[ATTIC].lease_w("machine") == 0.0
    assert home.heating.wanted.rooms[LIVING].limit.code is LimitCode.GENERATOR


async def test_a_peak_price_event_lowers_the_target_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    options = {"money": {"peak_entity": "calendar.peaks"}, "outdoor": OUTDOOR}
    home = await set_up_home(hass, freezer, room_subentry([MACHINE], **ROOM), options=options)
    home.set("calendar.peaks", "off", start_time="2026-11-22 18:30:00")
    await home.heat(target_c=20.0)
    await home.minutes(2)
    peak = home.heating.seen.money.peak
    local = 18.5 - 12 - 1 / 60 * 2 if hass.config.time_zone == "UTC" else None
    assert not peak.active
    assert peak.starts_in_s > 0
    assert local is None or peak.starts_in_s == pytest.approx(local * 3600, rel=0.1)
    home.set("calendar.peaks", "on", start_time="2026-11-22 18:30:00")
    await home.settle()
    assert home.heating.seen.money.peak.active
    assert home.heating.deciding.state.rooms[LIVING].peak_shift_k == -1.5


async def test_the_tilt_favors_by_outdoor_temperature_until_a_person_says_otherwise(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(
        hass, freezer, room_subentry([MACHINE], **ROOM), options={"outdoor": OUTDOOR}
    )
    await home.heat()
    await home.heating.async_set_tilt(Tilt.OUTDOOR)
    await home.minutes(1)
    assert (home.heating.tilt, home.heating.favor) == (Tilt.OUTDOOR, Favor.INFERENCE)
    [*_, lease] = [one for one in home.rigs[ATTIC].asked if isinstance(one, LeaseRequest)]
    assert lease.favor is Favor.INFERENCE
    await home.restart()
    await home.minutes(1)
    assert (home.heating.tilt, home.heating.favor) == (Tilt.OUTDOOR, Favor.INFERENCE)
    await home.heating.async_set_favor(Favor.HASHING)
    assert (home.heating.tilt, home.heating.favor) == (Tilt.MANUAL, Favor.HASHING)


async def test_a_stale_outdoor_thermometer_favors_nothing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, options={"outdoor": OUTDOOR})
    await home.heating.async_set_tilt(Tilt.OUTDOOR)
    favors = [home.heating.favor]
    freezer.tick(OUTDOOR_STALE_S + 60.0)
    for wait_s in (60.0, 3600.0):
        freezer.tick(wait_s)
        home.heating.async_decide()
        favors.append(home.heating.favor)
    assert favors == [Favor.INFERENCE, Favor.INFERENCE, Favor.BALANCED]


async def test_by_hand_what_is_favored_now_stays(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer, options={"outdoor": OUTDOOR})
    await home.heating.async_set_tilt(Tilt.OUTDOOR)
    await home.heating.async_set_tilt(Tilt.MANUAL)
    assert home.heating.favor is Favor.INFERENCE


async def test_a_device_that_often_ignores_its_watts_becomes_a_repair_and_goes_away_with_it(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, issue_registry: ir.IssueRegistry
) -> None:
    home = await set_up_home(hass, freezer)
    fault = Fault(
        code="no_effect_often",
        text="S19 did not follow its watts 3 times within a day: check its miner.",
        since_s=5.0,
        uid=ASIC,
    )
    home.rigs[CELLAR].beat(faults=(fault,))
    await home.settle()
    issue_id = f"no_effect_often_{ASIC}_{CELLAR}"
    issue = issue_registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_key == "no_effect_often"
    home.rigs[CELLAR].say_offline()
    await home.settle()
    assert issue_registry.async_get_issue(DOMAIN, issue_id), "a rig that is away says nothing"
    home.rigs[CELLAR].beat(faults=())
    await home.settle()
    assert issue_registry.async_get_issue(DOMAIN, issue_id) is None


async def test_somebody_elses_demand_has_its_own_high_limit_and_stale_sensor_cut(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer)
    entity = "number.attic_heat_request"
    data = {"power_w": 600, "high_limit": 24, "thermometer": "sensor.bath_temperature"}

    async def ask() -> dict[str, Any]:
        answer = await hass.services.async_call(
            DOMAIN,
            "request_heat",
            {"entity_id": entity, **data},
            blocking=True,
            return_response=True,
        )
        await home.settle()
        found: dict[str, Any] = answer[entity]  # type: ignore[index,assignment]
        return found

    assert (await ask())["granted_w"] == 600.0
    home.warm(24.5, "sensor.bath_temperature")
    await home.settle()
    assert home.rigs[ATTIC].lease_w("machine") == 0.0
    assert (await ask())["why"] == "24.5 °C is above the high limit of 24.0 °C."
    home.warm(23.0, "sensor.bath_temperature")
    await home.settle()
    assert home.rigs[ATTIC].lease_w("machine") == 600.0
    home.set("sensor.bath_temperature", "unavailable")
    await home.settle()
    assert home.rigs[ATTIC].lease_w("machine") == 0.0
    assert home.heating.request(MACHINE).high_limit_c == 24.0


async def test_a_rig_that_allows_no_control_answers_a_request_in_its_own_words(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    home = await set_up_home(hass, freezer)
    home.rigs[ATTIC].say_inventory(allow_control=False)
    home.rigs[ATTIC].refuse.append(("control_off", "its owner allows no control"))
    await home.settle()
    with pytest.raises(HomeAssistantError, match="Attic refuses: its owner allows no control"):
        await home.heating.async_request_heat(MACHINE, 600)
