"""Each safe end of a room in Home Assistant, by the rule's name: what is leased then."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util.unit_system import US_CUSTOMARY_SYSTEM

from custom_components.hashcenter.control.safety import OUTDOOR_STALE_S
from custom_components.hashcenter.control.seen import HvacMode
from custom_components.hashcenter.control.wanted import LimitCode, RoomWanted
from custom_components.hashcenter.coordinator import async_silence
from custom_components.hashcenter.wire.messages import LeaseRequest
from tests.component.homes import (
    BATH,
    BATH_THERMOMETER,
    LIVING,
    MACHINE,
    MINER,
    OUTDOOR,
    THERMOMETER,
    Home,
    room_subentry,
    set_up_home,
    subentry_of,
)
from tests.component.rigs import ATTIC, CELLAR

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HOUSE = {"outdoor": OUTDOOR}
WINDOW = "binary_sensor.living_window"
LOSS: dict[str, Any] = {"heat_loss_w_per_k": 100.0}

type Build = Callable[..., Awaitable[Home]]


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
def build(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Build:
    """Return what makes a home that has been heated for 15 minutes; `room` is of its room."""

    async def make(*others: Any, minutes: float = 15, **room: Any) -> Home:
        living = room_subentry([MACHINE, MINER], **{**LOSS, **room})
        home = await set_up_home(hass, freezer, living, *others, options=HOUSE)
        # At its target, so that nothing moves by itself.
        await home.heat(target_c=20.0)
        await home.minutes(minutes)
        return home

    return make


def living(home: Home) -> RoomWanted:
    room: RoomWanted = home.heating.wanted.rooms[LIVING]
    return room


async def test_a_thermometer_that_is_unavailable_is_not_believed_at_once(build: Build) -> None:
    home = await build()
    held_w = living(home).demand_w
    home.set(THERMOMETER, "unavailable")
    await home.settle()
    assert living(home).thermometer_stale
    assert living(home).limit.code is LimitCode.THERMOMETER_STALE
    assert living(home).demand_w < held_w
    home.warm(20.0)
    await home.settle()
    assert not living(home).thermometer_stale


async def test_a_thermometer_is_stale_by_its_own_rhythm(build: Build) -> None:
    home = await build()
    # From now on it says nothing any more, though its state still stands.
    home.hass.states.async_set(
        "sensor.living_climate", "20.0", {"unit_of_measurement": "°C"}, force_update=True
    )
    silent = room_subentry([MACHINE, MINER], thermometer="sensor.living_climate", **LOSS)
    subentry = home.entry.subentries[LIVING]
    home.hass.config_entries.async_update_subentry(home.entry, subentry, data=dict(silent["data"]))
    await home.settle()
    home.say_all()
    await home.minutes(13)
    assert not living(home).thermometer_stale
    await home.minutes(4)
    assert living(home).thermometer_stale
    assert float(living(home).limit.values["age_s"]) > 900.0


async def test_an_outdoor_temperature_that_is_stale_is_followed_no_further(build: Build) -> None:
    home = await build()
    before_c = home.heating.deciding.state.rooms[LIVING].outdoor_c
    home.hass.states.async_remove(OUTDOOR)
    home.hass.states.async_set("sensor.other", "1")
    home.warm(5.0, "sensor.late_temperature")
    await home.minutes(2)
    after = home.heating.deciding.state.rooms[LIVING]
    assert after.outdoor_c == before_c == -2.0
    assert home.heating.seen.outdoor.temp_c is None
    assert OUTDOOR_STALE_S > 0
    assert any(OUTDOOR in text for text in home.heating.deciding.problems.values())


async def test_an_open_window_takes_the_heat_away_at_once(build: Build) -> None:
    home = await build(windows=[WINDOW])
    home.set(WINDOW, "off")
    await home.settle()
    assert living(home).planned_w > 1000.0
    home.set(WINDOW, "on")
    await home.settle()
    assert living(home).limit.code is LimitCode.WINDOW
    assert home.rigs[ATTIC].lease_w("machine") == 0.0
    await home.minutes(11)
    assert home.rigs[CELLAR].lease_w("s19") in (0.0, 1200.0), "a miner may wait at its lowest"
    home.set(WINDOW, "off")
    await home.settle()
    assert living(home).limit.code is not LimitCode.WINDOW


async def test_a_window_contact_that_is_unavailable_is_said_and_is_no_open_window(
    build: Build,
) -> None:
    home = await build(windows=[WINDOW])
    home.set(WINDOW, "unavailable")
    await home.minutes(1)
    assert living(home).planned_w > 1000.0
    [text] = home.heating.deciding.problems.values()
    assert text == (
        "living window (binary_sensor.living_window) does not say whether it is open; Living is "
        "heated."
    )


async def test_frost_is_kept_off_in_a_room_that_is_off(build: Build) -> None:
    home = await build()
    await home.heating.async_set_room(LIVING, mode=HvacMode.OFF)
    await home.settle()
    assert home.rigs[CELLAR].lease_w("s19") is None
    home.warm(6.5)
    await home.settle()
    assert living(home).limit.code is LimitCode.FROST
    await home.minutes(20)
    assert (home.rigs[ATTIC].lease_w("machine") or 0) > 0


async def test_over_the_target_everything_stops_at_once(build: Build) -> None:
    home = await build()
    home.warm(23.2)
    await home.settle()
    assert living(home).limit.code is LimitCode.OVER_TARGET
    assert home.rigs[ATTIC].lease_w("machine") == 0.0
    assert home.rigs[CELLAR].lease_w("s19") == 0.0


async def test_the_high_limit_holds_whatever_the_target_says(build: Build) -> None:
    home = await build(high_c=26.0)
    await home.heating.async_set_room(LIVING, target_c=30.0)
    home.warm(26.5)
    await home.settle()
    assert living(home).limit.code is LimitCode.HIGH_LIMIT
    assert home.rigs[CELLAR].lease_w("s19") == 0.0


async def test_a_restart_of_home_assistant_spends_no_start_and_moves_nothing(build: Build) -> None:
    home = await build()
    before = {
        MACHINE: home.rigs[ATTIC].lease_w("machine"),
        MINER: home.rigs[CELLAR].lease_w("s19"),
    }
    assert before[MINER]
    demand_w = living(home).demand_w
    for rig in home.rigs.values():
        rig.asked.clear()
    await home.restart(THERMOMETER)
    # Nothing is decided without the thermometer; the leases are said again as they are.
    assert home.heating.wanted is None
    assert home.rigs[CELLAR].asked_w() == [before[MINER]]
    await home.minutes(1.5)
    assert home.heating.wanted is None
    assert set(home.rigs[CELLAR].asked_w()) <= {before[MINER]}
    home.warm(20.0)
    await home.settle()
    assert living(home).demand_w == pytest.approx(demand_w, rel=0.02)
    await home.minutes(3)
    leases = [one for one in home.rigs[CELLAR].asked if isinstance(one, LeaseRequest)]
    assert leases
    assert all(one.power_w == pytest.approx(before[MINER], rel=0.02) for one in leases)
    state = home.heating.deciding.state.heaters[MINER]
    assert len(state.started_at) == 1, "the one start before the restart"


async def test_after_three_minutes_a_restart_waits_for_nobody(build: Build) -> None:
    home = await build()
    await home.restart(THERMOMETER)
    await home.minutes(2.5)
    assert home.heating.wanted is None
    await home.minutes(1)
    assert living(home).limit.code is LimitCode.THERMOMETER_STALE
    assert home.rigs[CELLAR].lease_w("s19"), "blind, but not cold at once"


async def test_a_request_right_after_a_restart_is_answered_at_once_and_moves_nothing_else(
    build: Build,
) -> None:
    home = await build()
    miner_w = home.rigs[CELLAR].lease_w("s19")
    await home.restart(THERMOMETER)
    await home.heating.async_request_heat(MACHINE, 222)
    await home.minutes(1)
    assert home.heating.wanted is None
    assert home.rigs[ATTIC].lease_w("machine") == 222.0
    assert home.rigs[CELLAR].lease_w("s19") == miner_w
    await home.heating.async_release_heat(MACHINE)
    await home.minutes(0.5)
    assert home.rigs[ATTIC].lease_w("machine") != 222.0


async def test_another_subentry_while_heating_moves_nothing(build: Build) -> None:
    home = await build()
    before = [home.rigs[ATTIC].lease_w("machine"), home.rigs[CELLAR].lease_w("s19")]
    bath = room_subentry([], room_id=BATH, thermometer=BATH_THERMOMETER)
    home.hass.config_entries.async_add_subentry(home.entry, subentry_of(bath))
    await home.settle()
    home.say_all()
    await home.settle()
    assert BATH in home.heating.wanted.rooms
    await home.minutes(2)
    after = [home.rigs[ATTIC].lease_w("machine"), home.rigs[CELLAR].lease_w("s19")]
    assert after == pytest.approx(before, rel=0.02)


async def test_a_broker_that_is_gone_ends_no_lease_of_ours_and_nothing_jumps_after_it(
    build: Build,
) -> None:
    home = await build()
    before_w = home.rigs[CELLAR].lease_w("s19")
    async_silence(home.house.rigs.values())
    await home.minutes(5, ATTIC, CELLAR)
    assert home.heating.wanted.heaters[MINER].limit.code is LimitCode.OFFLINE
    assert home.rigs[CELLAR].lease_w("s19") == before_w
    home.rigs[CELLAR].asked.clear()
    await home.minutes(2)
    asked = home.rigs[CELLAR].asked_w()
    assert asked[0] == pytest.approx(before_w, rel=0.1)
    assert len(home.heating.deciding.state.heaters[MINER].started_at) == 1


async def test_a_bridge_that_was_killed_is_planned_around_and_leased_again_by_its_new_run(
    build: Build,
) -> None:
    home = await build()
    home.rigs[CELLAR].say_offline()
    await home.settle()
    assert home.heating.wanted.heaters[MINER].limit.code is LimitCode.OFFLINE
    machine_w = home.rigs[ATTIC].lease_w("machine")
    assert machine_w == home.heating.wanted.heaters[MACHINE].power_w
    home.rigs[CELLAR].restart("boot-2")
    home.rigs[CELLAR].asked.clear()
    home.rigs[CELLAR].say_inventory()
    home.rigs[CELLAR].live()
    await home.settle()
    assert home.rigs[CELLAR].asked_w(), "the new run hears its lease at once"


async def test_after_a_clock_that_jumped_nothing_is_integrated_over_the_gap(build: Build) -> None:
    home = await build()
    demand_w = living(home).demand_w
    for jump in (timedelta(days=2), timedelta(days=-3)):
        home.freezer.tick(jump)
        home.warm(20.0)
        home.warm(-2.0, OUTDOOR)
        await home.minutes(2)
        assert living(home).demand_w == pytest.approx(demand_w, rel=0.1)
        assert home.rigs[CELLAR].lease_w("s19")
    assert len(home.heating.deciding.state.heaters[MINER].started_at) <= 1


async def test_two_rooms_that_want_one_heater_the_coldest_gets_it(build: Build) -> None:
    bath = room_subentry([MINER], room_id=BATH, thermometer=BATH_THERMOMETER, **LOSS)
    home = await build(bath)
    await home.heat(BATH, target_c=20.4)
    await home.minutes(1)
    assert home.heating.deciding.state.heaters[MINER].room == LIVING, "it stays where it is"
    home.warm(16.0, BATH_THERMOMETER)
    await home.minutes(1)
    assert home.heating.deciding.state.heaters[MINER].room == BATH
    assert home.heating.wanted.rooms[LIVING].installed_w == 900.0


async def test_a_closed_damper_sends_the_heat_outdoors(build: Build) -> None:
    home = await build(damper="cover.duct")
    home.set("cover.duct", "closed")
    await home.minutes(1)
    assert living(home).installed_w == 0.0
    assert home.rigs[CELLAR].lease_w("s19") is None
    home.set("cover.duct", "unavailable")
    await home.settle()
    assert living(home).installed_w == 3900.0


async def test_quiet_hours_hold_every_heater_of_the_room_down(
    hass: HomeAssistant, build: Build
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    quiet = {"start": "13:30:00", "end": "14:00:00", "max_w": 300.0}
    home = await build(quiet=quiet)
    assert (home.rigs[ATTIC].lease_w("machine") or 0) > 300.0, "a quarter past 13 h in Berlin"
    await home.minutes(17)
    assert home.rigs[ATTIC].lease_w("machine") == 300.0
    assert home.rigs[CELLAR].lease_w("s19") == 0.0
    await home.minutes(30)
    assert (home.rigs[ATTIC].lease_w("machine") or 0) > 300.0


async def test_quiet_hours_go_by_the_clock_on_the_wall_in_the_night_it_is_put_forward(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    quiet = {"start": "22:00:00", "end": "07:00:00", "max_w": 300.0}
    freezer.move_to("2027-03-28 04:58:00+00:00")
    home = await set_up_home(hass, freezer, room_subentry(quiet=quiet, **LOSS), options=HOUSE)
    await home.minutes(1)
    assert home.heating.seen.rooms[0].quiet is not None, "02:59 h became 03:59, it is 06:59 h"
    await home.minutes(2)
    assert home.heating.seen.rooms[0].quiet is None, "it is past seven in summer time"


async def test_a_change_by_the_vendors_own_means_is_left_alone(build: Build) -> None:
    home = await build()
    home.rigs[CELLAR].change_heater("s19", hold_s=14_400.0)
    home.rigs[CELLAR].live()
    await home.settle()
    home.rigs[CELLAR].asked.clear()
    await home.minutes(3)
    assert home.rigs[CELLAR].asked == []
    assert home.heating.wanted.heaters[MINER].limit.code is LimitCode.HANDS_OFF


async def test_a_house_in_fahrenheit_heats_as_any_other(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    hass.config.units = US_CUSTOMARY_SYSTEM
    room = room_subentry([MACHINE, MINER], **LOSS)
    home = await set_up_home(hass, freezer, room, options=HOUSE)
    home.warm(68.0, unit="°F")
    home.warm(28.4, OUTDOOR, "°F")
    await home.heat()
    await home.minutes(3)
    assert home.heating.seen.rooms[0].thermometer.temp_c == pytest.approx(20.0)
    assert living(home).demand_w == pytest.approx(2300.0 + 800.0, rel=0.05)


async def test_a_thermometer_in_an_unknown_unit_is_not_used_and_that_is_said(
    build: Build,
) -> None:
    home = await build(minutes=1)
    home.warm(20.0, unit="bananas")
    await home.minutes(1)
    assert living(home).thermometer_stale
    assert "is in 'bananas', which is no unit of temperature" in " ".join(
        text for text, _ in home.house.problems.values()
    )


async def test_stop_all_asks_nothing_of_anybody_and_the_rooms_go_on_afterwards(
    build: Build,
) -> None:
    home = await build()
    await home.heating.async_stop_all(engaged=True)
    await home.settle()
    for rig in home.rigs.values():
        rig.asked.clear()
    await home.minutes(2)
    assert [rig.asked for rig in home.rigs.values()] == [[], []]
    await home.heating.async_stop_all(engaged=False)
    await home.minutes(1)
    assert home.rigs[ATTIC].lease_w("machine")


async def test_a_temperature_that_cannot_be_is_no_frost(build: Build) -> None:
    home = await build()
    await home.heating.async_set_room(LIVING, mode=HvacMode.OFF)
    home.warm(-127.0)
    await home.minutes(3)
    assert home.heating.wanted.heaters[MACHINE].power_w == 0.0
    assert "colder than anywhere" in home.heating.deciding.problems[THERMOMETER]
