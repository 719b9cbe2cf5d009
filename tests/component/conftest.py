"""Home Assistant's harness, set up for this repository's integration."""

from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import Any
from unittest.mock import PropertyMock, patch

import pytest
from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from syrupy.assertion import SnapshotAssertion

import custom_components  # noqa: F401 - ours, before the harness's own package of that name
from tests.component.rigs import RigApi, ScriptedRig


@pytest.fixture(autouse=True)
def _integration_is_found(request: pytest.FixtureRequest) -> None:
    if "hass" not in request.fixturenames:
        return
    if "recorder_mock" in request.fixturenames:
        request.getfixturevalue("recorder_mock")  # it has to come before hass
    request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def expected_lingering_timers() -> bool:
    """The MQTT integration's own timer outlives a test; the harness excuses core's tests only."""
    return True


@pytest.fixture
def all_enabled() -> Generator[None]:
    """Enable entities that are off until somebody turns them on."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
        PropertyMock(return_value=True),
    ):
        yield


@pytest.fixture
def rig_api(aioclient_mock: AiohttpClientMocker) -> RigApi:
    """Answer for a rig over HTTP."""
    return RigApi(aioclient_mock)


@pytest.fixture
async def kept(hass: HomeAssistant) -> AsyncGenerator[list[ScriptedRig]]:
    """Return the rigs that the broker keeps word of, for whoever subscribes."""
    assert await async_setup_component(hass, "homeassistant", {})
    rigs: list[ScriptedRig] = []
    subscribe = mqtt.async_subscribe

    async def and_be_told(hass: HomeAssistant, topic: str, *args: Any, **rest: Any) -> Any:
        undo = await subscribe(hass, topic, *args, **rest)
        for rig in rigs:
            hass.loop.call_soon(rig.say_announce)
            hass.loop.call_soon(partial(rig.say_inventory, retain=False))
        return undo

    with (
        patch("custom_components.hashcenter.coordinator.LISTEN_S", 0.05),
        patch("custom_components.hashcenter.coordinator.mqtt.async_subscribe", and_be_told),
    ):
        yield rigs


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Show entities and devices as Home Assistant's own snapshots do."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)
