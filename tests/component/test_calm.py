"""Few recorder rows at defaults, and nothing that a person waits for is held back."""

import random
from collections import Counter

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from custom_components.hashcenter.wire.messages import HeaterState, InferenceState
from custom_components.hashcenter.wire.values import Activity, Effect
from tests.component.rigs import ATTIC, CPU, GPU, ScriptedRig, live_rig, set_up_house, states
from tests.component.rooms import (
    CLIMATE,
    MONEY,
    circuit_subentry,
    room_subentry,
    say_temperature,
    set_up_rooms,
)

pytestmark = pytest.mark.usefixtures("mqtt_mock")


class Hour:
    """An hour of a rig with one GPU that hashes and now and then answers, as measured noise."""

    def __init__(self, rig: ScriptedRig) -> None:
        self.rig = rig
        self.chance = random.Random(7)
        self.energy_kwh = 20.0
        self.shares = 17

    def beat(self, second: int) -> None:
        """Say the heartbeat of this second, and the devices' every other time."""
        noise = self.chance.gauss
        # A question every five minutes, for 20 s.
        answering = second % 300 < 20
        gpu_w = noise(300 if answering else 250, 2.5)
        total_w = gpu_w + noise(95, 2)
        self.energy_kwh += total_w * 5 / 3_600_000
        self.shares += self.chance.random() < 0.1
        doing = Activity.ANSWERING if answering else Activity.HASHING
        if second % 10 == 0:
            self.rig.say_device(
                GPU,
                power_w=gpu_w,
                temp_c=round(noise(61, 0.7)),
                fan_percent=round(noise(55, 2)),
                utilization_percent=min(100.0, round(noise(95, 4))),
                memory_used_mib=round(noise(8123, 4)),
                clock_mhz=round(noise(1695, 12)),
                energy_kwh=self.energy_kwh * 0.7,
                hash_rate_mhs=None if answering else noise(121.5, 0.8),
                activity=doing,
            )
            self.rig.say_device(
                CPU,
                power_w=noise(40, 3),
                utilization_percent=max(0.0, round(noise(7, 4))),
                energy_kwh=self.energy_kwh * 0.1,
            )
        self.rig.beat(
            power_w=total_w,
            energy_kwh=self.energy_kwh,
            hashing_w=0.0 if answering else gpu_w,
            answering_w=gpu_w if answering else 0.0,
            idle_w=total_w - gpu_w,
            hash_rate_mhs=None if answering else noise(121.5, 0.8),
            shares_accepted_total=self.shares,
            activity=doing,
            heaters=(
                HeaterState(
                    id="machine",
                    power_w=total_w,
                    target_w=350.0,
                    effect=Effect.REACHED,
                    reason="answering a question" if answering else "hashing as asked",
                    available_w=noise(880, 4),
                ),
            ),
            inference=InferenceState(
                available=True,
                model="llama",
                first_token_s=abs(noise(0.42, 0.03)),
                tokens_per_s=noise(41.5, 0.6),
                tokens_per_joule=noise(0.15, 0.002),
            ),
        )


async def test_an_hour_of_a_gpu_is_at_most_600_rows_at_defaults(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC)
    hour = Hour(await live_rig(hass))
    rows: Counter[str] = Counter()

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        rows[event.data["entity_id"]] += 1

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    for second in range(0, 3600, 5):
        freezer.tick(5)
        hour.beat(second)
        if second % 60 == 0:
            await hass.async_block_till_done()
    await hass.async_block_till_done()
    assert rows.total() <= 600, rows.most_common(12)


async def test_an_hour_of_a_heated_room_is_no_more(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    chance = random.Random(8)
    say_temperature(hass, 19.0)
    hass.states.async_set("sensor.meter", "500", {"unit_of_measurement": "W"})
    await set_up_rooms(hass, room_subentry(), circuit_subentry(meter="sensor.meter"), money=MONEY)
    hour = Hour(await live_rig(hass))
    await hass.services.async_call("climate", "turn_on", {"entity_id": CLIMATE}, blocking=True)
    rows: Counter[str] = Counter()

    @callback
    def changed(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] not in ("sensor.living_thermometer", "sensor.meter"):
            rows[event.data["entity_id"]] += 1

    hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
    for second in range(0, 3600, 5):
        freezer.tick(5)
        if second % 10 == 0:
            meter_w = 500.0 + (2_000.0 if second % 1800 < 120 else 0.0) + chance.gauss(0, 15)
            hass.states.async_set("sensor.meter", f"{meter_w:.0f}", {"unit_of_measurement": "W"})
        if second % 30 == 0:
            say_temperature(hass, round(19.0 + second / 3_600 + chance.gauss(0, 0.06), 2))
        hour.beat(second)
        if second % 60 == 0:
            await hass.async_block_till_done()
    await hass.async_block_till_done()
    assert rows.total() <= 600, (rows.total(), rows.most_common(20))


async def test_what_a_person_waits_for_is_shown_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    for second in range(40):
        freezer.tick(5)
        doing = Activity.ANSWERING if second % 2 else Activity.HASHING
        rig.beat(activity=doing, power_w=300.0 + second % 2)
        assert states(hass, "sensor.attic_activity") == [doing]


async def test_watts_that_follow_a_request_are_shown_at_once(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    for power_w in (412.0, 500.0, 600.0, 612.0):
        freezer.tick(5)
        rig.beat(power_w=power_w)
    await hass.async_block_till_done()
    assert states(hass, "sensor.attic_power", "sensor.hashcenter_power") == ["600.0", "600.0"]
    freezer.tick(300)
    rig.beat()
    await hass.async_block_till_done()
    assert states(hass, "sensor.attic_power") == ["612.0"], "what is left over comes with time"


async def test_a_heartbeat_without_news_writes_nothing(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.beat()
    await hass.async_block_till_done()
    reported = {state.entity_id: state.last_reported for state in hass.states.async_all("sensor")}
    freezer.tick(5)
    rig.beat()
    await hass.async_block_till_done()
    again = {state.entity_id: state.last_reported for state in hass.states.async_all("sensor")}
    assert again == reported
