"""What the house remembers over restarts, and when it decides."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.control.tilt import Tilt
from custom_components.hashcenter.heat.deciding import store_key
from custom_components.hashcenter.wire.values import Favor
from tests.component.homes import (
    LIVING,
    MACHINE,
    MINER,
    OUTDOOR,
    Home,
    room_subentry,
    set_up_home,
)
from tests.component.rigs import ATTIC

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HOUSE = {"outdoor": OUTDOOR}


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
async def home(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Home:
    """Return a heated home."""
    home = await set_up_home(
        hass, freezer, room_subentry([MACHINE, MINER], heat_loss_w_per_k=100.0), options=HOUSE
    )
    await home.heat(target_c=20.0)
    await home.minutes(3)
    return home


async def test_it_decides_every_minute_also_while_no_rig_is_there(home: Home) -> None:
    for rig in home.rigs.values():
        rig.say_offline()
    await home.settle()
    moments = set()
    for _ in range(8):
        await home.minutes(0.5, *home.rigs)
        moments.add(home.heating.deciding.state.rooms[LIVING].at)
    assert len(moments) in (4, 5)


async def test_what_changes_nothing_waits_for_the_minute(home: Home) -> None:
    decided_on = home.heating.seen
    home.warm(20.1)
    for rig in home.rigs.values():
        rig.beat(power_w=500.0)
    await home.settle()
    assert home.heating.seen is decided_on


async def test_a_rig_that_comes_or_goes_is_decided_on_at_once(home: Home) -> None:
    decided_on = home.heating.seen
    home.rigs[ATTIC].say_offline()
    await home.settle()
    assert home.heating.seen is not decided_on


async def test_a_store_that_cannot_be_read_is_learned_anew(
    home: Home, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert await home.hass.config_entries.async_unload(home.entry.entry_id)
    hass_storage[store_key()]["data"] = {"control": {}, "heaters": [{"key": 5}]}
    assert await home.hass.config_entries.async_setup(home.entry.entry_id)
    assert "What the house had learned cannot be read and is lost" in caplog.text
    home.say_all()
    await home.minutes(1)
    assert home.heating.wanted.rooms[LIVING].planned_w > 0


async def test_what_was_learned_is_written_within_five_minutes(
    home: Home, hass_storage: dict[str, Any]
) -> None:
    hass_storage.pop(store_key(), None)
    await home.minutes(6)
    stored = hass_storage[store_key()]["data"]
    assert LIVING in stored["control"]["rooms"]
    assert [one["key"] for one in stored["heaters"]] == [list(MACHINE), list(MINER)]


async def test_a_removed_house_leaves_nothing_stored(
    home: Home, hass_storage: dict[str, Any]
) -> None:
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    await home.settle()
    assert not [key for key in hass_storage if key.startswith("hashcenter.") and "seq" not in key]


async def test_a_surplus_that_nobody_repeats_is_no_surplus(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    options = {"money": {"surplus_entity": "sensor.surplus"}}
    home = await set_up_home(hass, freezer, options=options)
    home.set("sensor.surplus", 2.5, unit_of_measurement="kW")
    await home.heating.async_set_tilt(Tilt.SOLAR)
    await home.minutes(1)
    assert home.heating.seen.money.surplus_w == 2500.0
    favors = [home.heating.favor]
    await home.minutes(17)
    assert home.heating.seen.money.surplus_w is None
    await home.minutes(62)
    favors.append(home.heating.favor)
    assert favors == [Favor.HASHING, Favor.BALANCED]
