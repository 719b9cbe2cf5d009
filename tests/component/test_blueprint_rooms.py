"""Blueprints that move rooms: quiet hours, dear hours, a back-up that takes over and gives back."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.climate import (
    ClimateEntity,
    ClimateEntityFeature,
    HVACMode,
)
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_component import EntityComponent
from homeassistant.setup import async_setup_component

from custom_components.hashcenter.control.wishes import Preset
from tests.component.automating import automated
from tests.component.homes import (
    MACHINE,
    MINER,
    OUTDOOR,
    Home,
    room_subentry,
    set_up_home,
)
from tests.component.rigs import ATTIC, CELLAR

CLIMATE: Final = "climate.living"
NEEDS: Final = "binary_sensor.living_needs_back_up_heat"
FURNACE: Final = "climate.furnace"

Automate = Callable[..., Awaitable[None]]


class Furnace(ClimateEntity):
    """Somebody else's thermostat, of the ordinary kind."""

    _attr_name = "Furnace"
    _attr_should_poll = False
    _attr_hvac_modes = [HVACMode.OFF, HVACMode.HEAT]  # noqa: RUF012 - Home Assistant's pattern
    _attr_hvac_mode = HVACMode.OFF
    _attr_native_temperature_unit = UnitOfTemperature.CELSIUS
    _attr_supported_features = ClimateEntityFeature.TARGET_TEMPERATURE

    async def async_set_temperature(self, **kwargs: Any) -> None:
        self._attr_native_target_temperature = kwargs["temperature"]
        self._attr_hvac_mode = kwargs.get("hvac_mode", self._attr_hvac_mode)
        self.async_write_ha_state()


@pytest.fixture
async def home(hass: HomeAssistant, mqtt_mock: Any, freezer: FrozenDateTimeFactory) -> Home:
    """Return a home whose living room both rigs warm, at Comfort."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-22 12:00:00+00:00")
    room = room_subentry([MACHINE, MINER], heat_loss_w_per_k=100.0)
    home = await set_up_home(hass, freezer, room, options={"outdoor": OUTDOOR})
    home.warm(21.0)
    await home.heat(preset=Preset.COMFORT)
    await home.minutes(5)
    return home


@pytest.fixture
def automate(home: Home, tmp_path: Path) -> Automate:
    """Make an automation of a blueprint."""
    return partial(automated, home.hass, tmp_path)


def preset(home: Home) -> str:
    state = home.hass.states.get(CLIMATE)
    assert state
    return str(state.attributes["preset_mode"])


def leased_w(home: Home) -> float:
    return (home.rigs[ATTIC].lease_w("machine") or 0) + (home.rigs[CELLAR].lease_w("s19") or 0)


async def test_in_quiet_hours_rooms_are_at_eco(
    home: Home, automate: Automate, freezer: FrozenDateTimeFactory
) -> None:
    await automate("quiet_hours", rooms=[CLIMATE])
    freezer.move_to("2026-11-22 21:59:00+00:00")
    await home.minutes(1.5)
    assert (preset(home), leased_w(home)) == ("eco", 0), "18 °C are enough at night"
    freezer.move_to("2026-11-23 06:59:00+00:00")
    await home.minutes(1.5)
    assert preset(home) == "comfort"


async def test_a_room_that_is_away_stays_away_in_quiet_hours(
    home: Home, automate: Automate, freezer: FrozenDateTimeFactory
) -> None:
    await automate("quiet_hours", rooms=[CLIMATE])
    await home.heat(preset=Preset.AWAY)
    for moment in ("2026-11-22 21:59:00+00:00", "2026-11-23 06:59:00+00:00"):
        freezer.move_to(moment)
        await home.minutes(1.5)
        assert preset(home) == "away"


async def test_dear_hours_and_peak_events_are_spent_at_eco(home: Home, automate: Automate) -> None:
    home.set("sensor.price", 0.20)
    home.set("binary_sensor.peak", "off")
    await automate(
        "cheap_hours",
        price="sensor.price",
        cheap=0.10,
        dear=0.30,
        peak=["binary_sensor.peak"],
        rooms=[CLIMATE],
    )
    await home.minutes(1)
    assert leased_w(home) > 2000.0
    for entity_id, state, expected in (
        ("sensor.price", 0.40, "eco"),
        ("sensor.price", 0.20, "comfort"),
        ("binary_sensor.peak", "on", "eco"),
        ("sensor.price", 0.05, "eco"),
        ("binary_sensor.peak", "off", "comfort"),
    ):
        home.set(entity_id, state)
        await home.minutes(1)
        assert preset(home) == expected, (entity_id, state)
        assert (leased_w(home) == 0) is (expected == "eco"), "the leases follow"


async def test_a_room_set_by_hand_is_left_alone_in_dear_hours(
    home: Home, automate: Automate
) -> None:
    home.set("sensor.price", 0.20)
    await automate("cheap_hours", price="sensor.price", cheap=0.10, dear=0.30, rooms=[CLIMATE])
    await home.heat(target_c=19.0)
    for price in (0.40, 0.20):
        home.set("sensor.price", price)
        await home.minutes(1)
        state = home.hass.states.get(CLIMATE)
        assert state
        assert (state.attributes["preset_mode"], state.attributes["temperature"]) == ("none", 19.0)


def furnace(home: Home) -> tuple[str, float | None]:
    state = home.hass.states.get(FURNACE)
    assert state
    return state.state, state.attributes["temperature"]


@pytest.fixture
async def backup(home: Home, automate: Automate) -> None:
    """Hand over to a furnace."""
    component: EntityComponent[Any] = home.hass.data["climate"]
    await component.async_add_entities([Furnace()])
    assert await async_setup_component(home.hass, "climate", {})
    await automate(
        "backup_hand_over", needs_backup=[NEEDS], backup=[FURNACE], heats_to=20.5, setback=15
    )


async def _lose_the_heaters(home: Home) -> None:
    """Have every heater say that it can do nothing, and the room get cold."""
    home.rigs[ATTIC].change_heater("machine", available_w=0.0, available_why="too hot")
    home.rigs[CELLAR].change_heater("s19", available_w=0.0, available_why="no pool")
    home.warm(19.5)
    await home.minutes(25)


@pytest.mark.usefixtures("backup")
async def test_the_furnace_takes_over_and_gives_the_room_back(home: Home) -> None:
    await _lose_the_heaters(home)
    assert home.hass.states.is_state(NEEDS, "on")
    assert furnace(home) == ("heat", 20.5)
    home.rigs[ATTIC].change_heater("machine", available_w=900.0)
    home.rigs[CELLAR].change_heater("s19", available_w=3000.0)
    home.warm(20.5)
    await home.minutes(20)
    assert furnace(home) == ("heat", 20.5), "calmly"
    await home.minutes(25)
    assert home.hass.states.is_state(NEEDS, "off")
    assert furnace(home) == ("heat", 15), "not off: a house without Home Assistant must not freeze"


@pytest.mark.usefixtures("backup")
async def test_the_furnace_takes_over_where_nobody_knows(home: Home) -> None:
    home.set(NEEDS, "unavailable")  # as after the integration failed to start
    await home.minutes(10)
    assert furnace(home) == ("off", None)
    await home.minutes(6)
    assert furnace(home) == ("heat", 20.5)
