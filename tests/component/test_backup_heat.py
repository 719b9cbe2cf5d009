"""A room that needs back-up heat hands over to its furnace, and takes back, in Home Assistant."""

from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.climate import (
    SERVICE_SET_HVAC_MODE,
    SERVICE_SET_TEMPERATURE,
    ClimateEntityFeature,
)
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError

from custom_components.hashcenter.control.wanted import LimitCode
from tests.component.homes import LIVING, OUTDOOR, Home, room_subentry, set_up_home
from tests.component.rigs import ATTIC, CELLAR

pytestmark = pytest.mark.usefixtures("mqtt_mock")

FURNACE = "climate.furnace"


class Furnace:
    """A thermostat of somebody else's: it takes actions, and shows what it was set to."""

    def __init__(self, hass: HomeAssistant, **attributes: Any) -> None:
        self.hass = hass
        self.mode, self.target = "off", 15.0
        self.attributes = {
            "hvac_modes": ["off", "heat", "auto"],
            "supported_features": ClimateEntityFeature.TARGET_TEMPERATURE,
            "min_temp": 5.0,
            "max_temp": 30.0,
            "target_temp_step": 0.5,
            **attributes,
        }
        self.fails = False
        for action in (SERVICE_SET_TEMPERATURE, SERVICE_SET_HVAC_MODE):
            hass.services.async_register("climate", action, self._act)
        self.show()

    async def _act(self, call: ServiceCall) -> None:
        if self.fails:
            raise HomeAssistantError("the furnace does not answer")
        assert call.data["entity_id"] == FURNACE
        self.target = call.data.get("temperature", self.target)
        self.mode = call.data.get("hvac_mode", self.mode)
        self.show()

    def show(self) -> None:
        """Show mode and target."""
        self.hass.states.async_set(
            FURNACE, self.mode, {**self.attributes, "temperature": self.target}
        )


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")


@pytest.fixture
async def home(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Home:
    """Return a home with a furnace, whose rigs have just gone."""
    room = room_subentry(heat_loss_w_per_k=100.0, backup=FURNACE)
    home = await set_up_home(hass, freezer, room, options={"outdoor": OUTDOOR})
    home.warm(19.0)
    await home.heat(target_c=21.2)
    for rig in home.rigs.values():
        rig.say_offline()
    await home.settle()
    return home


async def without_rigs(home: Home, minutes: float) -> None:
    await home.minutes(minutes, ATTIC, CELLAR)


async def test_the_furnace_takes_over_at_the_rooms_target_and_is_given_back_as_it_was(
    hass: HomeAssistant, home: Home
) -> None:
    furnace = Furnace(hass)
    await without_rigs(home, 18)
    assert furnace.mode == "off", "not before it lasts"
    await without_rigs(home, 4)
    assert (furnace.mode, furnace.target) == ("heat", 21.0), "rounded as it can be set"
    assert home.heating.seen.rooms[0].backup_heats
    assert home.heating.wanted.rooms[LIVING].backup_why.code is LimitCode.OFFLINE
    home.warm(21.3)
    home.warm(16.0, OUTDOOR)
    await home.minutes(45)
    assert (furnace.mode, furnace.target) == ("off", 15.0)


async def test_a_furnace_that_heats_for_us_is_given_back_also_after_a_restart(
    hass: HomeAssistant, home: Home
) -> None:
    furnace = Furnace(hass)
    await without_rigs(home, 22)
    assert furnace.mode == "heat"
    await home.restart()
    home.warm(21.3)
    home.warm(16.0, OUTDOOR)
    await home.minutes(45)
    assert (furnace.mode, furnace.target) == ("off", 15.0)


async def test_a_persons_hand_on_the_furnace_is_not_fought(hass: HomeAssistant, home: Home) -> None:
    furnace = Furnace(hass)
    await without_rigs(home, 22)
    furnace.mode, furnace.target = "heat", 18.0
    furnace.show()
    await without_rigs(home, 10)
    assert furnace.target == 18.0
    home.warm(21.3)
    home.warm(16.0, OUTDOOR)
    await home.minutes(45)
    assert (furnace.mode, furnace.target) == ("heat", 18.0)


async def test_a_furnace_that_does_not_answer_is_said_and_tried_again(
    hass: HomeAssistant, home: Home
) -> None:
    furnace = Furnace(hass)
    furnace.fails = True
    await without_rigs(home, 22)
    assert furnace.mode == "off"
    await without_rigs(home, 1)
    texts = [text for text, _ in home.house.problems.values()]
    assert "climate.furnace could not be set to heat: the furnace does not answer" in texts
    furnace.fails = False
    await without_rigs(home, 4)
    assert furnace.mode == "heat"
    assert not any("could not be set" in text for text, _ in home.house.problems.values())


async def test_a_backup_that_cannot_heat_is_said(hass: HomeAssistant, home: Home) -> None:
    furnace = Furnace(hass, hvac_modes=["off", "cool"])
    await without_rigs(home, 23)
    assert furnace.mode == "off"
    texts = [text for text, _ in home.house.problems.values()]
    assert "furnace (climate.furnace) cannot heat: choose another back-up for Living." in texts


@pytest.mark.parametrize(
    "garbage",
    [
        {"supported_features": None},
        {"supported_features": "all"},
        {"hvac_modes": 5},
        {"min_temp": float("nan"), "target_temp_step": float("nan")},
    ],
)
async def test_a_backup_that_says_nonsense_stops_no_decision(
    hass: HomeAssistant, home: Home, garbage: dict[str, Any]
) -> None:
    furnace = Furnace(hass, **garbage)
    await without_rigs(home, 22)
    assert home.heating.wanted.rooms[LIVING].needs_backup
    assert furnace.mode == ("off" if "hvac_modes" in garbage else "heat")
