"""Requests as a bridge judges them: the bridge's own intake reads what the house says."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components import mqtt
from homeassistant.components.mqtt import ReceiveMessage, async_subscribe
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import MqttMockHAClient

from custom_components.hashcenter.const import DOMAIN
from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.errors import RigOffline, RigRefused, RigSilent
from custom_components.hashcenter.rigs.requester import Stamp
from custom_components.hashcenter.wire import topics
from custom_components.hashcenter.wire.codec import decode
from custom_components.hashcenter.wire.messages import Response, StopAllRequest
from hashcenter_bridge.intake import Intake, Situation, Taken
from hashcenter_bridge.wire.messages import Response as BridgeResponse
from tests.component.rigs import (
    ATTIC,
    ScriptedRig,
    fire_burst,
    house_of,
    live_rig,
    set_up_house,
)

KEY = HeaterKey(ATTIC, "machine")


def stop(stamp: Stamp) -> StopAllRequest:
    """Build a request."""
    return StopAllRequest(**stamp)


@pytest.fixture
async def entry(hass: HomeAssistant, mqtt_mock: MqttMockHAClient) -> MockConfigEntry:
    """Return a house with one rig."""
    return await set_up_house(hass, ATTIC)


class Judge:
    """A rig whose answers are those of the bridge's intake."""

    def __init__(self, rig: ScriptedRig) -> None:
        self.rig = rig
        self.tick_ahead = 0.0
        self.boot_id = rig.boot_id
        self.controller: str | None = None
        self.codes: list[str] = []
        self.intake = Intake(self._situation)

    def _situation(self) -> Situation:
        return Situation(
            boot_id=self.boot_id,
            tick=self.rig.tick + self.tick_ahead,
            controller=self.controller,
            allow_control=True,
            control_refused=None,
            stopped=False,
            heaters=frozenset({"machine"}),
            restartable=frozenset(),
            max_ttl_s=300.0,
        )

    def _beat(self) -> None:
        self.tick_ahead = 0.0
        self.rig.beat()

    @callback
    def take(self, received: ReceiveMessage) -> None:
        """Judge one request and say the answer."""
        taken = self.intake.take(str(received.payload).encode(), retained=received.retain)
        self.codes.append(taken.code)
        if taken.code in ("stale", "wrong_boot"):
            self.rig.hass.loop.call_later(0.01, self._beat)
        assert taken.response is not None
        # The bridge's class and ours are the same by the wire alone.
        answer = decode(Response, taken.response.model_dump_json(exclude_none=True))
        self.rig.say(topics.RESPONSE, answer)


@pytest.fixture
async def judge(hass: HomeAssistant, entry: MockConfigEntry) -> Judge:
    """Return a live rig that judges as the bridge does."""
    rig = ScriptedRig(hass)
    judge = Judge(rig)
    await async_subscribe(hass, topics.REQUEST.of(ATTIC), judge.take, 1)
    fire_burst(rig)
    await hass.async_block_till_done()
    return judge


async def test_the_bridge_accepts_what_the_house_asks(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge
) -> None:
    response = await house_of(entry).heating.async_request_heat(KEY, 600)
    assert response.result == "accepted"
    await house_of(entry).heating.async_release_heat(KEY)
    await house_of(entry).heating.async_stop_all(engaged=True)
    assert judge.codes == ["accepted"] * 3


async def test_requests_are_published_once_never_retained_and_forgotten_after_10_s(
    entry: MockConfigEntry, judge: Judge, mqtt_mock: MqttMockHAClient
) -> None:
    mqtt_mock.async_publish.reset_mock()
    await house_of(entry).rigs[ATTIC].async_send(stop)
    [call] = mqtt_mock.async_publish.call_args_list
    topic, payload, qos, retain = call.args
    assert (topic, qos, retain) == ("hashcenter/v1/attic/request", 1, False)
    assert call.kwargs == {"message_expiry_interval": 10}
    request = decode(StopAllRequest, payload)
    assert request.controller == house_of(entry).controller
    assert request.id == f"{request.controller[:12]}-{request.seq}"


async def test_numbers_grow_over_requests_reloads_and_a_backup_that_was_restored(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge, hass_storage: dict[str, Any]
) -> None:
    await house_of(entry).rigs[ATTIC].async_send(stop)
    await house_of(entry).rigs[ATTIC].async_send(stop)
    await hass.config_entries.async_reload(entry.entry_id)
    fire_burst(judge.rig)
    await house_of(entry).rigs[ATTIC].async_send(stop)
    assert judge.codes == ["accepted"] * 3
    await hass.config_entries.async_unload(entry.entry_id)
    hass_storage["hashcenter.sequence"]["data"]["reserved"] = 0
    await hass.config_entries.async_setup(entry.entry_id)
    fire_burst(judge.rig)
    await house_of(entry).rigs[ATTIC].async_send(stop)
    assert judge.codes == ["accepted"] * 3 + ["duplicate", "accepted"]


async def test_a_number_is_never_used_before_it_is_reserved_on_disk(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge, hass_storage: dict[str, Any]
) -> None:
    await house_of(entry).rigs[ATTIC].async_send(stop)
    assert hass_storage["hashcenter.sequence"]["data"] == {"reserved": 1000}


async def test_a_request_that_was_written_too_early_is_written_again_after_the_heartbeat(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge
) -> None:
    judge.tick_ahead = 11.0
    await house_of(entry).rigs[ATTIC].async_send(stop)
    assert judge.codes == ["stale", "accepted"]


async def test_a_request_to_a_bridge_that_just_restarted_is_written_again_for_its_new_run(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge
) -> None:
    judge.boot_id = "boot-2"
    judge.rig.restart("boot-2")
    await house_of(entry).rigs[ATTIC].async_send(stop)
    assert judge.codes == ["wrong_boot", "accepted"]


async def test_a_stale_request_is_written_again_only_once(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    rig = await live_rig(hass)
    rig.refuse = [("stale", "too old")] * 2
    rig.then = rig.beat
    with pytest.raises(RigRefused) as caught:
        await house_of(entry).rigs[ATTIC].async_send(stop)
    assert caught.value.code == "stale"
    assert len(rig.asked) == 2


async def test_a_stale_request_without_another_heartbeat_is_silence(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.hashcenter.rigs.requester._HEARTBEAT_TIMEOUT_S", 0)
    rig = await live_rig(hass)
    rig.refuse = [("stale", "too old")]
    with pytest.raises(RigSilent):
        await house_of(entry).rigs[ATTIC].async_send(stop)


async def test_a_rig_that_goes_offline_before_the_second_try_is_said_to_be_offline(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    rig = await live_rig(hass)
    rig.refuse = [("stale", "too old")]
    rig.then = rig.say_offline
    with pytest.raises(RigOffline):
        await house_of(entry).rigs[ATTIC].async_send(stop)


async def test_another_houses_controller_is_named(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge
) -> None:
    judge.controller = "cabin"
    with pytest.raises(RigRefused, match="another house controls this rig: cabin") as caught:
        await house_of(entry).rigs[ATTIC].async_send(stop)
    assert caught.value.code == "held_by"


@pytest.mark.parametrize("changes", [{"controller": "cabin"}, {"id": "other"}])
async def test_an_answer_to_somebody_else_or_to_nothing_is_no_answer(
    hass: HomeAssistant, entry: MockConfigEntry, changes: dict[str, str]
) -> None:
    house = house_of(entry)
    said = {"id": "x-1", "controller": house.controller, "seq": 1, "result": "accepted"}
    waiting = hass.loop.create_future()
    house.requester._waiting["x-1"] = waiting
    house.requester.hear(Response.model_validate({**said, "code": "accepted", **changes}))
    assert not waiting.done()
    house.requester.hear(Response.model_validate({**said, "code": "accepted"}))
    assert waiting.done()


async def test_a_verdict_that_nobody_knows_is_a_refusal(
    hass: HomeAssistant, entry: MockConfigEntry, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defer(payload: bytes, *, retained: bool) -> Taken:
        asked = decode(StopAllRequest, payload)
        answer = BridgeResponse(
            id=asked.id, controller=asked.controller, seq=asked.seq, result="deferred", code="later"
        )
        return Taken("later", answer)

    monkeypatch.setattr(judge.intake, "take", defer)
    with pytest.raises(RigRefused, match="Attic refuses: later"):
        await house_of(entry).rigs[ATTIC].async_send(stop)


async def test_an_older_mqtt_link_is_repaired_and_still_carries_requests(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    judge: Judge,
    mqtt_mock: MqttMockHAClient,
    issue_registry: ir.IssueRegistry,
) -> None:
    with (
        patch("custom_components.hashcenter.house.speaks_mqtt5", return_value=False),
        patch("custom_components.hashcenter.coordinator.speaks_mqtt5", return_value=False),
    ):
        await hass.config_entries.async_reload(entry.entry_id)
        assert issue_registry.async_get_issue(DOMAIN, "mqtt_3")
        mqtt_mock.async_publish.reset_mock()
        fire_burst(judge.rig)
        await house_of(entry).rigs[ATTIC].async_send(stop)
    assert mqtt_mock.async_publish.call_args.kwargs == {"message_expiry_interval": None}
    async_dispatcher_send(hass, mqtt.MQTT_CONNECTION_STATE, True)
    assert not issue_registry.async_get_issue(DOMAIN, "mqtt_3")
