"""A house with a room, a circuit and prices around the rig in the attic, as its owner set it up."""

from typing import Any, Final

from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.const import UnitOfTemperature
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.const import DOMAIN
from tests.component.rigs import ATTIC, rig_subentry

LIVING: Final = "living"
BREAKER: Final = "breaker"
THERMOMETER: Final = "sensor.living_thermometer"
CLIMATE: Final = "climate.living_room"
HASH_VALUE: Final = "sensor.hash_value"
MACHINE: Final = f"{ATTIC}/machine"

MONEY: Final = {
    "price_per_kwh": 0.30,
    "hash_value_per_th_day": 0.05,
    "inference_value_per_mtoken": 2.0,
    "alternative_cop": 1.0,
}


def room_subentry(**data: Any) -> ConfigSubentryDataWithId:
    """Return the living room, heated by the rig in the attic."""
    return ConfigSubentryDataWithId(
        subentry_id=LIVING,
        subentry_type="room",
        title="Living room",
        unique_id=None,
        data={"thermometer": THERMOMETER, "heaters": [MACHINE], **data},
    )


def circuit_subentry(**data: Any) -> ConfigSubentryDataWithId:
    """Return the breaker that feeds the attic."""
    return ConfigSubentryDataWithId(
        subentry_id=BREAKER,
        subentry_type="circuit",
        title="Attic breaker",
        unique_id=None,
        data={"volts": 230.0, "amps": 16.0, "heaters": [MACHINE], **data},
    )


def warmed_house(
    *parts: ConfigSubentryDataWithId,
    rigs: tuple[str, ...] = (ATTIC,),
    money: dict[str, Any] | None = None,
) -> MockConfigEntry:
    """Return a house of these rigs and parts."""
    return MockConfigEntry(
        domain=DOMAIN,
        unique_id=DOMAIN,
        title="Hashcenter",
        entry_id="house",
        subentries_data=[*map(rig_subentry, rigs), *parts],
        options={"money": money} if money else {},
    )


async def set_up_rooms(
    hass: HomeAssistant, *parts: ConfigSubentryDataWithId, **house: Any
) -> MockConfigEntry:
    """Set up such a house; without parts it has the living room and its breaker."""
    assert await async_setup_component(hass, "homeassistant", {})
    entry = warmed_house(*(parts or (room_subentry(), circuit_subentry())), **house)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def say_temperature(
    hass: HomeAssistant, value: float | str, unit: str = UnitOfTemperature.CELSIUS
) -> None:
    """Let the living room's thermometer say something."""
    hass.states.async_set(
        THERMOMETER,
        str(value),
        {"unit_of_measurement": unit, "device_class": "temperature"},
        force_update=True,
    )


def say_hash_value(hass: HomeAssistant, value: float = 50.0, unit: str = "sat/TH/d") -> None:
    """Let an entity say what hashing is worth."""
    hass.states.async_set(HASH_VALUE, str(value), {"unit_of_measurement": unit})
