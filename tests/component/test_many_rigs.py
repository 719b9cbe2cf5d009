"""Many rigs cost by their number: sums are made together, looks when all were heard."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock, patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter import house as house_module
from custom_components.hashcenter.heat import deciding
from custom_components.hashcenter.rigs import devices
from tests.component.rigs import ScriptedRig, fire_burst, house_of, live_rig, set_up_house, states

pytestmark = pytest.mark.usefixtures("mqtt_mock")

RIGS = tuple(f"rig{number}" for number in range(10))
POWER = "sensor.hashcenter_power"


def lonely(hass: HomeAssistant, rig_id: str, power_w: float = 100.0) -> ScriptedRig:
    """Return a rig that only says what it draws."""
    rig = ScriptedRig(hass, rig_id)
    rig.inventory = rig.inventory.model_copy(update={"devices": (), "heaters": ()})
    rig.state = rig.state.model_copy(update={"heaters": (), "power_w": power_w})
    rig.devices = {}
    return rig


async def test_many_rigs_are_summed_up_together_and_none_is_left_out(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_house(hass, *RIGS)
    house = house_of(entry)
    rigs = [lonely(hass, rig_id) for rig_id in RIGS]
    for rig in rigs:
        await rig.listen()
        fire_burst(rig)
    await hass.async_block_till_done()
    sums: Counter[str] = Counter()

    @callback
    def summed() -> None:
        sums["made"] += 1

    house.async_add_listener(summed)
    for rig in rigs:
        rig.beat(power_w=200.0)
    await hass.async_block_till_done()
    assert sums["made"] <= 1
    freezer.tick(timedelta(seconds=2))
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()
    assert house.data.power_w == 200.0 * len(RIGS)
    assert 1 <= sums["made"] <= 3
    assert states(hass, POWER) == ["2000.0"]
    # What a person does is never put off.
    await house.heating.async_stop_all(engaged=True)
    assert house.data.stopped


async def test_before_the_first_decision_the_house_is_looked_at_once_all_rigs_were_heard(
    hass: HomeAssistant,
) -> None:
    with patch.object(
        deciding.Deciding, "look", autospec=True, side_effect=deciding.Deciding.look
    ) as look:
        entry = await set_up_house(hass, *RIGS)
        at_first = look.call_count
        rigs = [lonely(hass, rig_id) for rig_id in RIGS]
        for rig in rigs[:-1]:
            fire_burst(rig)
            rig.beat()
        await hass.async_block_till_done()
        assert house_of(entry).heating.wanted is None
        assert look.call_count == at_first
        fire_burst(rigs[-1])
        await hass.async_block_till_done()
    assert house_of(entry).heating.wanted is not None


async def test_devices_that_two_rigs_list_are_looked_for_when_an_inventory_changed(
    hass: HomeAssistant,
) -> None:
    with patch.object(
        house_module, "disputes", autospec=True, side_effect=devices.disputes
    ) as search:
        entry = await set_up_house(hass, *RIGS[:2])
        first, second = lonely(hass, RIGS[0]), lonely(hass, RIGS[1])
        fire_burst(first)
        fire_burst(second)
        await hass.async_block_till_done()
        searched = search.call_count
        for _ in range(5):
            first.beat()
            second.beat()
        await hass.async_block_till_done()
        assert search.call_count == searched
        twice = ScriptedRig(hass).inventory
        for rig in (first, second):
            rig.say_inventory(devices=twice.devices, heaters=twice.heaters)
        await hass.async_block_till_done()
        assert len(house_of(entry).disputes) == 2
        assert search.call_count > searched


async def test_a_home_assistant_that_stood_still_hears_its_rigs_out_before_they_are_offline(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, RIGS[0])
    rig = await live_rig(hass, RIGS[0])
    coordinator = house_of(entry).rigs[RIGS[0]]
    timers: list[tuple[float, Callable[[], None]]] = []

    def call_at(when: float, callback: Callable[..., None], *_: object, **__: object) -> Mock:
        if callback.__qualname__.startswith("RigCoordinator."):
            timers.append((when, callback))
        return Mock()

    with patch.object(hass.loop, "call_at", side_effect=call_at):
        rig.beat()
        [(due, over)] = timers
        # The loop was away for five seconds: what was said meanwhile is still to be read.
        with patch.object(hass.loop, "time", return_value=due + 5.0):
            over()
        assert coordinator.data.online
        (again_due, over_again) = timers[-1]
        assert again_due == due + 5.0 + 5.0
        # It is waited for once more, not for ever.
        with patch.object(hass.loop, "time", return_value=again_due + 5.0):
            over_again()
        assert not coordinator.data.online


async def test_a_rig_that_falls_silent_is_offline_at_once_where_the_loop_was_there_all_the_time(
    hass: HomeAssistant,
) -> None:
    entry = await set_up_house(hass, RIGS[0])
    await live_rig(hass, RIGS[0])
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=13))
    await hass.async_block_till_done()
    assert not house_of(entry).rigs[RIGS[0]].data.online
