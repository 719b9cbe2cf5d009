"""The house's and a rig's added-up energy: no jumps, nothing taken back, over restarts too."""

from datetime import timedelta

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import restore_state
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.coordinator import HEARD
from tests.component.rigs import (
    ATTIC,
    CELLAR,
    CPU,
    GPU,
    ScriptedRig,
    fire_burst,
    live_rig,
    set_up_house,
    states,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")

HOUSE = "sensor.hashcenter_energy"
OTHER = "sensor.attic_other_energy"
TODAY = "sensor.hashcenter_energy_today"


async def later(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    """Let so much time pass that a counter is written again."""
    freezer.tick(timedelta(minutes=6))
    await hass.async_block_till_done()


async def test_the_house_counts_what_its_rigs_count(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC, CELLAR)
    attic = await live_rig(hass)
    cellar = ScriptedRig(hass, CELLAR)
    cellar.beat(energy_kwh=900.0)
    assert states(hass, HOUSE) == ["0.0"]
    await later(hass, freezer)
    attic.beat(energy_kwh=21.0)
    cellar.beat(energy_kwh=901.0)
    await later(hass, freezer)
    attic.beat()
    await hass.async_block_till_done()
    assert states(hass, HOUSE) == ["1.5"]
    cellar.say_offline()
    await later(hass, freezer)
    attic.beat(energy_kwh=None)
    await hass.async_block_till_done()
    assert states(hass, HOUSE) == ["1.5"], "a rig that leaves takes nothing along"


async def test_what_was_counted_survives_a_restart_and_the_gap_is_caught_up(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.beat()
    await later(hass, freezer)
    rig.say_device(GPU, energy_kwh=13.3456)
    rig.beat(energy_kwh=22.5)
    await hass.async_block_till_done()
    assert states(hass, HOUSE, OTHER) == ["2.0", "1.0"]
    await restart(hass, entry)
    rig.say_inventory(retain=True)
    rig.beat(energy_kwh=25.5)
    await later(hass, freezer)
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, HOUSE, OTHER) == ["5.0", "unknown"], "the GPU is still to be heard"
    rig.say_device(GPU, energy_kwh=15.3456)
    rig.say_device(CPU)
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, HOUSE, OTHER) == ["5.0", "2.0"]


async def test_after_a_power_cut_no_sum_falls_behind_what_was_shown(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to("2026-11-22 12:00:00")
    entry = await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.beat(energy_kwh=20.0)
    await restore_state.async_get(hass).async_dump_states()
    await later(hass, freezer)
    rig.say_device(GPU, energy_kwh=13.3456)
    rig.beat(energy_kwh=23.0)
    await later(hass, freezer)
    rig.beat()
    await hass.async_block_till_done()
    shown = [float(one) for one in states(hass, HOUSE, TODAY, OTHER)]
    assert shown == [pytest.approx(3.0), pytest.approx(3.0), pytest.approx(2.0)]

    await restart(hass, entry, power_cut=True)
    assert states(hass, HOUSE, TODAY) == ["unknown", "unknown"]
    rig.say_inventory(retain=True)
    rig.beat(energy_kwh=23.0)
    await hass.async_block_till_done()
    assert [float(one) for one in states(hass, HOUSE, TODAY)] == shown[:2]
    assert states(hass, OTHER) == ["unknown"]
    rig.say_device(GPU)
    rig.say_device(CPU)
    rig.beat()
    await hass.async_block_till_done()
    assert float(states(hass, OTHER)[0]) == shown[2]


async def restart(hass: HomeAssistant, entry: MockConfigEntry, *, power_cut: bool = False) -> None:
    """Stop and start, with nothing left but what was written to disk; a `power_cut` writes none."""
    kept = restore_state.async_get(hass)
    on_disk = await kept.store.async_load()
    await hass.config_entries.async_unload(entry.entry_id)
    if power_cut:
        await kept.store.async_save(on_disk or [])
    else:
        await kept.async_dump_states()
    await kept.async_load()
    hass.data.pop(HEARD)
    await hass.config_entries.async_setup(entry.entry_id)


async def test_a_rig_that_does_not_count_has_no_rest(hass: HomeAssistant) -> None:
    await set_up_house(hass, ATTIC)
    rig = ScriptedRig(hass)
    rig.state = rig.state.model_copy(update={"energy_kwh": None})
    fire_burst(rig)
    await hass.async_block_till_done()
    assert states(hass, OTHER, "sensor.attic_energy") == ["unknown", "unknown"]


async def test_today_begins_at_zero_at_midnight_and_survives_a_restart(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-22 20:00:00")
    entry = await set_up_house(hass, ATTIC)
    attic = await live_rig(hass)
    attic.beat(energy_kwh=20.0)
    await later(hass, freezer)
    attic.beat(energy_kwh=21.5)
    await hass.async_block_till_done()
    before = float(states(hass, TODAY)[0])
    assert before > 0
    await restore_state.async_get(hass).async_dump_states()
    await hass.config_entries.async_reload(entry.entry_id)
    attic = await live_rig(hass)
    attic.beat(energy_kwh=21.5)
    await hass.async_block_till_done()
    assert float(states(hass, TODAY)[0]) == before
    freezer.move_to("2026-11-23 00:10:00")
    attic.beat(energy_kwh=21.75)
    await hass.async_block_till_done()
    assert states(hass, TODAY) == ["0.25"]
