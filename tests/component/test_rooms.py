"""Rooms in Home Assistant: a target becomes leases, and the leases follow what the room does."""

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.control.seen import HvacMode
from custom_components.hashcenter.control.wanted import HvacAction, LimitCode
from custom_components.hashcenter.control.wishes import Preset
from tests.component.homes import (
    LIVING,
    MACHINE,
    MINER,
    OUTDOOR,
    Home,
    room_subentry,
    set_up_home,
)
from tests.component.rigs import ATTIC, CELLAR

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HOUSE = {"outdoor": OUTDOOR}


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
async def home(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Home:
    """Return a home whose living room both rigs warm."""
    room = room_subentry([MACHINE, MINER], heat_loss_w_per_k=100.0)
    return await set_up_home(hass, freezer, room, options=HOUSE)


async def test_a_room_nobody_turned_on_asks_nothing_of_anybody(home: Home) -> None:
    await home.minutes(5)
    assert [rig.asked for rig in home.rigs.values()] == [[], []]
    wish = home.heating.wish(LIVING)
    assert (wish.mode, wish.preset, wish.target_c) == (HvacMode.OFF, Preset.COMFORT, 21.0)


async def test_a_target_is_leased_at_once(home: Home) -> None:
    await home.heat(target_c=21.5)
    assert home.rigs[CELLAR].asked_w() != [], "20 °C against 21.5 °C does not wait for patience"
    assert home.heating.wanted.rooms[LIVING].action is HvacAction.PREHEATING
    await home.minutes(1)
    wanted = home.heating.wanted.rooms[LIVING]
    assert wanted.action is HvacAction.HEATING
    assert wanted.limit.code is LimitCode.DEMAND
    assert wanted.demand_w == pytest.approx(100.0 * 23.5 + 800.0 * 1.5, rel=0.05)
    assert wanted.planned_w == pytest.approx(wanted.demand_w, rel=0.1)


async def test_leases_are_renewed_and_follow_the_room(home: Home) -> None:
    await home.heat(target_c=21.0)
    await home.minutes(15)
    warm_w = home.heating.wanted.rooms[LIVING].demand_w
    home.rigs[ATTIC].asked.clear()
    home.warm(20.6)
    await home.minutes(15)
    assert home.heating.wanted.rooms[LIVING].demand_w < warm_w - 300.0
    assert len(home.rigs[ATTIC].asked_w()) >= 14, "every lease is said again within a minute"


async def test_a_lease_carries_the_watts_that_were_decided(home: Home) -> None:
    await home.heat()
    await home.minutes(10)
    for key, rig in ((MACHINE, home.rigs[ATTIC]), (MINER, home.rigs[CELLAR])):
        want = home.heating.wanted.heaters[key]
        assert rig.lease_w(key.heater) == int(want.power_w)


async def test_turning_the_room_off_gives_the_heaters_back(home: Home) -> None:
    await home.heat()
    await home.minutes(2)
    await home.heating.async_set_room(LIVING, mode=HvacMode.OFF)
    await home.settle()
    assert home.rigs[ATTIC].lease_w("machine") is None
    assert home.rigs[CELLAR].lease_w("s19") is None


async def test_boost_ends_by_itself_and_the_preset_before_it_holds_again(home: Home) -> None:
    await home.heat(preset=Preset.ECO)
    await home.heating.async_set_room(LIVING, preset=Preset.BOOST)
    await home.minutes(59)
    assert home.heating.wish(LIVING).preset is Preset.BOOST
    await home.minutes(2)
    assert home.heating.wish(LIVING).preset is Preset.ECO
    assert home.heating.seen.rooms[0].target_c == 18.0


async def test_wishes_outlive_a_restart(home: Home) -> None:
    await home.heat(target_c=19.5)
    await home.heating.async_set_hash_for_money(MINER, allowed=True)
    await home.restart()
    wish = home.heating.wish(LIVING)
    assert (wish.mode, wish.preset, wish.target_c) == (HvacMode.HEAT, None, 19.5)
    assert home.heating.may_hash_for_money(MINER)
    assert not home.heating.may_hash_for_money(MACHINE)
