"""Triggers and conditions of our own, in real automations: ours alone, also by area."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import (
    area_registry as ar,
    condition,
    device_registry as dr,
    entity_registry as er,
    trigger,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.hashcenter.condition import CONDITIONS
from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.trigger import TRIGGERS
from custom_components.hashcenter.wire.values import Activity
from tests.component.rigs import ATTIC, GPU, ScriptedRig, live_rig, set_up_house
from tests.component.rooms import MONEY, set_up_rooms

ACTIVITY: Final = "sensor.attic_activity"
CONNECTED: Final = "binary_sensor.attic_connection"

Calls = list[ServiceCall]
Automate = Callable[..., Awaitable[Calls]]


@pytest.fixture
async def rig(hass: HomeAssistant, mqtt_mock: Any) -> ScriptedRig:
    """Return the live rig of a house; it idles."""
    await set_up_house(hass, ATTIC)
    rig = await live_rig(hass)
    rig.beat(activity=Activity.IDLE)
    rig.say_device(GPU, activity=Activity.IDLE)
    await hass.async_block_till_done()
    return rig


@pytest.fixture
async def area(hass: HomeAssistant, rig: ScriptedRig) -> str:
    """Return the area of the rig, with a washing machine in it that has an activity, too."""
    attic = ar.async_get(hass).async_create("Attic")
    rig_activity = er.async_get(hass).async_get(ACTIVITY)
    assert rig_activity is not None
    assert rig_activity.device_id
    dr.async_get(hass).async_update_device(rig_activity.device_id, area_id=attic.id)
    er.async_get(hass).async_update_entity("sensor.attic_gpu_0_activity", area_id=attic.id)
    washer = er.async_get(hass).async_get_or_create(
        "sensor",
        "laundry",
        "washer",
        translation_key="activity",
        original_device_class="enum",
        suggested_object_id="washer",
    )
    er.async_get(hass).async_update_entity(washer.entity_id, area_id=attic.id)
    hass.states.async_set(washer.entity_id, "idle")
    return attic.id


@pytest.fixture
def automate(hass: HomeAssistant, rig: ScriptedRig) -> Automate:
    """Make an automation that calls an action, and return its calls."""

    async def make(**parts: Any) -> Calls:
        calls = async_mock_service(hass, "test", "done")
        entity = "{{ trigger.entity_id | default('') }}"
        config = {"actions": {"action": "test.done", "data": {"entity": entity}}, **parts}
        assert await async_setup_component(hass, "automation", {"automation": config})
        await hass.async_block_till_done()
        return calls

    return make


def _entities(calls: Calls) -> list[str]:
    return [call.data["entity"] for call in calls]


async def test_a_rig_that_starts_and_stops_hashing_triggers(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate
) -> None:
    triggers = [
        {"trigger": f"hashcenter.{key}", "target": {"entity_id": ACTIVITY}}
        for key in ("started_hashing", "stopped_hashing", "started_answering")
    ]
    calls = await automate(triggers=triggers)
    for activity, times in (
        (Activity.STARTING, 0),
        (Activity.HASHING, 1),
        (Activity.ANSWERING, 3),
        (Activity.HASHING, 4),
        (Activity.IDLE, 5),
    ):
        rig.beat(activity=activity)
        await hass.async_block_till_done()
        assert len(calls) == times, activity
    assert set(_entities(calls)) == {ACTIVITY}


async def test_in_an_area_only_our_entities_trigger(
    hass: HomeAssistant, rig: ScriptedRig, area: str, automate: Automate
) -> None:
    started = {"trigger": "hashcenter.started_hashing", "target": {"area_id": area}}
    calls = await automate(triggers=started)
    hass.states.async_set("sensor.washer", "hashing")
    await hass.async_block_till_done()
    assert calls == []
    rig.say_device(GPU, activity=Activity.HASHING)
    await hass.async_block_till_done()
    assert _entities(calls) == ["sensor.attic_gpu_0_activity"]


async def test_another_enum_of_ours_is_no_activity(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate
) -> None:
    effect = "sensor.attic_effect"
    assert hass.states.get(effect)
    target = {"entity_id": [effect, ACTIVITY]}
    calls = await automate(triggers={"trigger": "hashcenter.started_hashing", "target": target})
    hass.states.async_set(effect, "settling")
    hass.states.async_set(effect, "hashing")
    await hass.async_block_till_done()
    assert calls == []


async def test_a_rig_that_falls_silent_and_is_heard_again_triggers(
    hass: HomeAssistant, rig: ScriptedRig, area: str, automate: Automate
) -> None:
    triggers = [
        {"trigger": f"hashcenter.rig_became_{what}", "target": {"area_id": area}}
        for what in ("unreachable", "reachable")
    ]
    calls = await automate(triggers=triggers)
    rig.say_offline()
    await hass.async_block_till_done()
    assert len(calls) == 1, "a diagnostic entity is found by its area"
    rig.beat()
    await hass.async_block_till_done()
    assert len(calls) == 2


async def test_a_silent_rig_does_not_stop_hashing_by_name(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate
) -> None:
    rig.beat(activity=Activity.HASHING)
    await hass.async_block_till_done()
    target = {"entity_id": ACTIVITY}
    calls = await automate(triggers={"trigger": "hashcenter.stopped_hashing", "target": target})
    rig.say_offline()
    await hass.async_block_till_done()
    assert calls == [], "nobody knows what it does now"


@pytest.mark.parametrize(
    ("key", "becomes"),
    [
        ("backup_became_needed", "on"),
        ("backup_no_longer_needed", "off"),
        ("heat_became_cheaper", "on"),
        ("heat_became_dearer", "off"),
        ("inference_became_available", "on"),
        ("inference_became_unavailable", "off"),
    ],
)
async def test_each_trigger_is_of_its_own_entities(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate, key: str, becomes: str
) -> None:
    before = "off" if becomes == "on" else "on"
    of = {"backup": "needs_backup", "heat": "cheaper_than_alternative"}
    of["inference"] = "inference_available"
    found = []
    for kind in of.values():
        entry = er.async_get(hass).async_get_or_create(
            "binary_sensor", DOMAIN, f"test/{kind}", translation_key=kind
        )
        found.append(entry.entity_id)
        hass.states.async_set(entry.entity_id, before)
    target = {"entity_id": found}
    calls = await automate(triggers={"trigger": f"hashcenter.{key}", "target": target})
    for entity_id in found:
        hass.states.async_set(entity_id, becomes)
    await hass.async_block_till_done()
    expected = found[list(of).index(key.split("_", maxsplit=1)[0])]
    assert _entities(calls) == [expected]


async def test_conditions_are_about_our_entities_alone(
    hass: HomeAssistant, rig: ScriptedRig, area: str, automate: Automate
) -> None:
    hashes = {"condition": "hashcenter.is_hashing", "target": {"area_id": area}}
    calls = await automate(triggers={"trigger": "event", "event_type": "go"}, conditions=hashes)

    async def asked() -> int:
        hass.bus.async_fire("go")
        await hass.async_block_till_done()
        return len(calls)

    hass.states.async_set("sensor.washer", "hashing")
    assert await asked() == 0
    rig.beat(activity=Activity.HASHING)
    await hass.async_block_till_done()
    assert await asked() == 1
    rig.say_offline()
    await hass.async_block_till_done()
    assert await asked() == 1


@pytest.mark.parametrize(
    ("key", "entity_id"),
    [
        ("is_reachable", CONNECTED),
        ("is_inference_available", "binary_sensor.attic_can_answer"),
        ("is_answering", ACTIVITY),
    ],
)
async def test_each_condition_holds_of_its_own_entity(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate, key: str, entity_id: str
) -> None:
    rig.beat(activity=Activity.ANSWERING)
    await hass.async_block_till_done()
    holds = {"condition": f"hashcenter.{key}", "target": {"entity_id": entity_id}}
    calls = await automate(triggers={"trigger": "event", "event_type": "go"}, conditions=holds)
    hass.bus.async_fire("go")
    await hass.async_block_till_done()
    assert len(calls) == 1


async def test_what_triggers_and_conditions_watch_is_there(
    hass: HomeAssistant, mqtt_mock: Any
) -> None:
    await set_up_rooms(hass, money=MONEY)
    await live_rig(hass)
    there = {one.translation_key for one in er.async_get(hass).entities.values()}
    assert {one.key for one in TRIGGERS.values()} <= there
    assert {one.key for one in CONDITIONS.values()} <= there


async def test_triggers_and_conditions_are_described_to_people(
    hass: HomeAssistant, rig: ScriptedRig, automate: Automate, caplog: pytest.LogCaptureFixture
) -> None:
    every = {"entity_id": ACTIVITY}
    await automate(
        triggers=[{"trigger": f"hashcenter.{key}", "target": every} for key in TRIGGERS],
        conditions=[{"condition": f"hashcenter.{key}", "target": every} for key in CONDITIONS],
    )
    triggers = await trigger.async_get_all_descriptions(hass)
    conditions = await condition.async_get_all_descriptions(hass)
    for ours, shown in ((TRIGGERS, triggers), (CONDITIONS, conditions)):
        assert {key for key in shown if key.startswith(f"{DOMAIN}.")} == {
            f"{DOMAIN}.{key}" for key in ours
        }
        assert all(shown[f"{DOMAIN}.{key}"] for key in ours)
    assert "hashcenter" not in " ".join(
        record.getMessage() for record in caplog.records if record.levelname == "ERROR"
    )
