"""Quiet hours by ear: who is asked about a fan, and what becomes of one that is too loud."""

from dataclasses import replace

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.control.wanted import LimitCode
from custom_components.hashcenter.wire.values import Capabilities
from tests.component.filling import Form, add, house_with_heaters
from tests.component.homes import MACHINE, OUTDOOR, room_subentry, set_up_home
from tests.component.rigs import ATTIC, GPU, house_of

pytestmark = pytest.mark.usefixtures("mqtt_mock")


@pytest.fixture(autouse=True)
def _noon(freezer: FrozenDateTimeFactory) -> None:
    freezer.move_to("2026-11-22 12:00:00+00:00")  # four in the morning on the west coast


def asked(form: Form, part: str) -> set[str]:
    """Return what a section of the form asks for."""
    fields = form.result["data_schema"].schema
    section = next(value for key, value in fields.items() if key == part)
    return {str(key) for key in section.schema.schema}


async def test_a_fan_is_only_asked_about_where_one_can_be_heard(hass: HomeAssistant) -> None:
    entry = await house_with_heaters(hass)
    form = await add(hass, entry, "room")
    assert "max_fan_percent" in asked(form, "quiet")
    for rig in house_of(entry).rigs.values():
        inventory = rig.data.inventory
        assert inventory is not None
        deaf = tuple(
            one.model_copy(update={"capabilities": Capabilities(readings=("power_w",))})
            for one in inventory.devices
        )
        rig.data = replace(rig.data, inventory=inventory.model_copy(update={"devices": deaf}))
    form = await add(hass, entry, "room")
    assert asked(form, "quiet") == {"start", "end", "max_w"}


async def test_a_fan_that_is_too_loud_at_night_gets_less_heat_to_carry_away(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    quiet = {"start": "03:00:00", "end": "05:00:00", "max_fan_percent": 45.0}
    room = room_subentry([MACHINE], heat_loss_w_per_k=100.0, quiet=quiet)
    home = await set_up_home(hass, freezer, room, options={"outdoor": OUTDOOR})
    attic = home.rigs[ATTIC]
    heater_id = attic.inventory.heaters[0].id
    await home.heat(target_c=25.0)
    await home.minutes(1)
    loud_w = attic.lease_w(heater_id)
    assert loud_w is not None
    await home.minutes(8)
    quiet_w = attic.lease_w(heater_id)
    assert quiet_w is not None
    assert quiet_w < 0.85 * loud_w, "the fan turns at 55 %"
    assert home.heating.wanted.heaters[MACHINE].limit.code is LimitCode.QUIET
    attic.devices[GPU] = attic.devices[GPU].model_copy(update={"fan_percent": 44.0})
    await home.minutes(2)
    quiet_w = attic.lease_w(heater_id)
    await home.minutes(10)
    assert attic.lease_w(heater_id) == pytest.approx(quiet_w, abs=1.0)
    await home.minutes(60)
    assert (attic.lease_w(heater_id) or 0.0) == pytest.approx(loud_w, rel=0.05), (
        "it is five o'clock"
    )
