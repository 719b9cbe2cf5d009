"""What a kWh of heat costs and what the day came to: each joule once, and never a guess."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import restore_state
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.wire.values import Activity
from tests.component.rigs import (
    ASIC,
    ATTIC,
    CELLAR,
    ScriptedRig,
    asic,
    device_state,
    entity_ids,
    heater,
    live_rig,
    states,
)
from tests.component.rooms import (
    HASH_VALUE,
    MONEY,
    room_subentry,
    say_hash_value,
    say_temperature,
    set_up_rooms,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

COST = "sensor.hashcenter_cost_today"
HEAT = "sensor.hashcenter_heat_today"
EARNED = "sensor.hashcenter_earned_today_estimated"
SATS = "sensor.hashcenter_satoshis_today_estimated"
ODDS = "sensor.hashcenter_days_per_block_solo_on_average"
PRICE = "sensor.price"


@pytest.fixture(autouse=True)
async def _evening(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-22 20:00:00+00:00")
    say_temperature(hass, 19.0)


async def later(
    hass: HomeAssistant,
    rig: ScriptedRig,
    freezer: FrozenDateTimeFactory,
    minutes: float = 6.0,
    **said: Any,
) -> None:
    """Let time pass, then have the rig say a heartbeat."""
    freezer.tick(timedelta(minutes=minutes))
    rig.beat(**said)
    await hass.async_block_till_done()


async def restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Stop and start, with nothing left but what was written to disk."""
    await hass.config_entries.async_unload(entry.entry_id)
    kept = restore_state.async_get(hass)
    await kept.async_dump_states()
    await kept.async_load()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def figures(hass: HomeAssistant, *entities: str) -> list[float]:
    """Return states as numbers."""
    return [float(one) for one in states(hass, *entities)]


async def test_todays_cost_and_heat_follow_the_counter_at_the_price_of_the_moment(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set(PRICE, "0.30", {"unit_of_measurement": "EUR/kWh"})
    await set_up_rooms(hass, room_subentry(), money={"price_entity": PRICE})
    rig = await live_rig(hass)
    await later(hass, rig, freezer, energy_kwh=20.5)
    await later(hass, rig, freezer, energy_kwh=21.5)
    assert figures(hass, COST, HEAT) == [0.3, 1.0]
    hass.states.async_set(PRICE, "0.60", {"unit_of_measurement": "EUR/kWh"})
    await later(hass, rig, freezer)
    await later(hass, rig, freezer, energy_kwh=22.0)
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [0.6, 1.5]
    shown = hass.states.get(COST)
    assert shown
    assert shown.attributes["last_reset"] == "2026-11-22T00:00:00+00:00"
    assert shown.attributes["unit_of_measurement"] == "EUR"


async def test_what_was_used_while_home_assistant_was_down_is_caught_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_rooms(hass, room_subentry(), money={"price_per_kwh": 0.5})
    rig = await live_rig(hass)
    await later(hass, rig, freezer, energy_kwh=20.5)
    await later(hass, rig, freezer, energy_kwh=21.5)
    assert figures(hass, COST, HEAT) == [0.5, 1.0]
    await restart(hass, entry)
    assert figures(hass, COST, HEAT) == [0.5, 1.0]
    rig.say_inventory(retain=True)
    await later(hass, rig, freezer, minutes=60, energy_kwh=23.5)
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [1.5, 3.0]


async def test_at_midnight_the_day_begins_at_0(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_rooms(hass, room_subentry(), money={"price_per_kwh": 0.5})
    rig = await live_rig(hass)
    await later(hass, rig, freezer, energy_kwh=21.5)
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [0.5, 1.0]
    freezer.move_to("2026-11-23 00:05:00+00:00")
    rig.beat(energy_kwh=21.8)
    await hass.async_block_till_done()
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [0.15, 0.3]
    shown = hass.states.get(COST)
    assert shown
    assert shown.attributes["last_reset"] == "2026-11-23T00:00:00+00:00"


async def test_an_offline_rig_adds_nothing_and_a_price_that_is_unknown_costs_nothing_yet(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.states.async_set(PRICE, "0.30", {"unit_of_measurement": "EUR/kWh"})
    await set_up_rooms(hass, room_subentry(), money={"price_entity": PRICE})
    rig = await live_rig(hass)
    await later(hass, rig, freezer, energy_kwh=21.5)
    hass.states.async_set(PRICE, "unavailable")
    await later(hass, rig, freezer)
    await later(hass, rig, freezer, energy_kwh=22.5)
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [0.3, 2.0]
    assert states(hass, "sensor.hashcenter_electricity_price") == ["unknown"]
    hass.states.async_set(PRICE, "0.30", {"unit_of_measurement": "EUR/kWh"})
    await later(hass, rig, freezer)
    await later(hass, rig, freezer)
    assert figures(hass, COST) == [0.6]
    rig.say_offline()
    await hass.async_block_till_done()
    assert figures(hass, COST, HEAT) == [0.6, 2.0]


async def test_heat_that_goes_outdoors_is_no_heat_of_a_room(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    damper = "switch.damper"
    hass.states.async_set(damper, "off")
    await set_up_rooms(hass, room_subentry(damper=damper), money={"price_per_kwh": 0.5})
    rig = await live_rig(hass)
    await later(hass, rig, freezer, energy_kwh=21.5)
    await later(hass, rig, freezer)
    assert figures(hass, COST, HEAT) == [0.5, 0.0]


async def test_what_work_earned_makes_heat_cheaper(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_rooms(hass, room_subentry(heaters=["cellar/s19"]), rigs=(CELLAR,), money=MONEY)
    rig = ScriptedRig(hass, CELLAR)
    await rig.listen()
    one = rig.state.heaters[0].model_copy(update={"id": "s19", "power_w": 3_000.0})
    rig.say_inventory(
        devices=(asic(),),
        runners=(),
        heaters=(heater((ASIC,), id="s19", can_answer=False, max_w=3_400.0),),
    )
    rig.devices = {ASIC: device_state(hash_rate_mhs=100e6, activity=Activity.HASHING)}
    rig.beat(heaters=(one,), power_w=3_000.0, inference=None)
    for energy_kwh in (20.5, 21.5, 21.5):
        rig.say_device(ASIC)
        await later(hass, rig, freezer, energy_kwh=energy_kwh)
    # 100 TH/s earn 5 EUR a day for 72 kWh; a kWh costs 0.30.
    prices = ("sensor.s19_in_the_cellar_net_price_of_heat", "sensor.hashcenter_net_price_of_heat")
    assert figures(hass, *prices) == [pytest.approx(0.3 - 5 / 72, abs=0.001)] * 2
    assert figures(hass, EARNED) == [pytest.approx(5 / 72, abs=0.005)]
    assert figures(hass, "sensor.hashcenter_net_cost_per_hour") == [
        pytest.approx(3 * (0.3 - 5 / 72), abs=0.003)
    ]
    assert states(hass, "binary_sensor.hashcenter_cheaper_than_the_alternative") == ["on"]


async def hashing_cellar(hass: HomeAssistant, **money: Any) -> ScriptedRig:
    """Return the live rig of a miner that hashes, in a house whose hash value is an entity."""
    await set_up_rooms(
        hass,
        room_subentry(heaters=["cellar/s19"]),
        rigs=(CELLAR,),
        money={"hash_value_entity": HASH_VALUE, **money},
    )
    rig = ScriptedRig(hass, CELLAR)
    rig.say_inventory(devices=(asic(),), heaters=(heater((ASIC,), id="s19"),), runners=())
    rig.devices = {ASIC: device_state(hash_rate_mhs=100e6, activity=Activity.HASHING)}
    rig.beat()
    rig.say_device(ASIC)
    await hass.async_block_till_done()
    return rig


async def hash_for(
    hass: HomeAssistant, rig: ScriptedRig, freezer: FrozenDateTimeFactory, minutes: int
) -> None:
    """Let the miner hash, with its heartbeats."""
    for _ in range(minutes * 6):
        freezer.tick(10)
        rig.say_device(ASIC)
        rig.beat()
    await hass.async_block_till_done()


async def test_satoshis_are_estimated_where_the_hash_value_is_in_satoshis(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_hash_value(hass, 50.0)
    rig = await hashing_cellar(hass)
    await hash_for(hass, rig, freezer, 60)
    # 100 TH/s at 50 sat per TH/s and day, for an hour.
    assert figures(hass, SATS) == [pytest.approx(5_000 / 24, rel=0.04)]
    rig.say_offline()
    freezer.tick(timedelta(hours=1))
    before = states(hass, SATS)
    await hash_for(hass, rig, freezer, 1)
    assert figures(hass, SATS)[0] - float(before[0]) < 10, "nobody looked for an hour"


async def test_no_satoshis_for_solo_miners_nor_for_a_hash_value_in_money(
    hass: HomeAssistant,
) -> None:
    say_hash_value(hass, 0.05, "EUR/TH/d")
    await hashing_cellar(hass)
    assert SATS not in entity_ids(hass, "sensor")
    say_hash_value(hass, 50.0)
    await hass.async_block_till_done()
    assert SATS in entity_ids(hass, "sensor"), "it comes once the unit is known"


async def test_a_solo_miner_sees_its_odds_and_counts_nothing(hass: HomeAssistant) -> None:
    say_hash_value(hass, 50.0)
    rig = await hashing_cellar(hass, solo=True)
    assert SATS not in entity_ids(hass, "sensor")
    rig.beat()
    await hass.async_block_till_done()
    # 100 TH/s bring 5,000 sat a day on average, a block 312,500,000.
    assert figures(hass, ODDS) == [62_500.0]
    rig.say_device(ASIC, activity=Activity.OFF, hash_rate_mhs=None)
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, ODDS) == ["unknown"]


async def test_satoshis_survive_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    say_hash_value(hass, 50.0)
    rig = await hashing_cellar(hass)
    await hash_for(hass, rig, freezer, 30)
    before = figures(hass, SATS)
    assert before[0] > 50
    (entry,) = hass.config_entries.async_entries("hashcenter")
    hass.states.async_set(HASH_VALUE, "unavailable")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert figures(hass, SATS)[0] >= before[0]


FAVOR, DECIDED_BY = "select.hashcenter_favor", "select.hashcenter_favor_decided_by"
IN_FORCE, WHY = "sensor.hashcenter_favor_in_force", "sensor.hashcenter_why_this_favor"


async def choose(hass: HomeAssistant, entity_id: str, option: str) -> None:
    """Choose an option of a select."""
    data = {"entity_id": entity_id, "option": option}
    await hass.services.async_call("select", "select_option", data, blocking=True)
    await hass.async_block_till_done()


async def test_a_policy_decides_the_favor_until_a_person_does(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    hass.states.async_set("sensor.outdoor", "14", {"unit_of_measurement": "°F"})
    entry = await set_up_rooms(hass, room_subentry())
    options = {"outdoor": "sensor.outdoor"}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    await live_rig(hass, ATTIC)
    assert states(hass, FAVOR, DECIDED_BY, IN_FORCE, WHY) == [
        "balanced",
        "manual",
        "balanced",
        "A person chose it.",
    ]
    await choose(hass, DECIDED_BY, "outdoor")
    assert states(hass, DECIDED_BY, IN_FORCE, WHY) == [
        "outdoor",
        "inference",
        "It is 14.0 °F outside, below 32.0 °F.",
    ]
    await choose(hass, FAVOR, "hashing")
    assert states(hass, FAVOR, DECIDED_BY, IN_FORCE) == ["hashing", "manual", "hashing"]
