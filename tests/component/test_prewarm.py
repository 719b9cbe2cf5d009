"""A rig gets ready while somebody still speaks, and reads a changed prompt before anybody asks."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.components.assist_pipeline import async_get_pipeline, async_update_pipeline
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.hashcenter.answers import inference
from custom_components.hashcenter.answers.completion import Patience
from custom_components.hashcenter.answers.prewarm import MOST_RENEWALS, RENEW, SETTLE_S
from custom_components.hashcenter.wire.messages import InferenceState
from tests.component.satellites import Satellite, add_satellites
from tests.component.talking import (
    KEY,
    Voice,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import says, stream
from tests.conformance.scripted_upstream import ScriptedUpstream, Silence, Told

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")

WARM = "/hashcenter/warm"
ALICE = "assist_satellite.alice"


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server."""
    warm = {"warm": True, "why": "", "lapses_s": 10}
    async with ScriptedUpstream(lambda _: says("Yes."), key=KEY, others={WARM: warm}) as server:
        yield server


@pytest.fixture
async def voice(hass: HomeAssistant, upstream: ScriptedUpstream) -> Voice:
    """A house with one rig that can answer."""
    voice = await set_up(hass, rig_subentry("rig", upstream.url), agent_subentry())
    await rig_says(hass, "rig", upstream.url)
    return voice


@pytest.fixture
async def alice(hass: HomeAssistant, voice: Voice) -> Satellite:
    """A satellite in the kitchen, whose pipeline asks our agent."""
    satellites = await add_satellites(hass, {"alice": "Kitchen"}, timers=frozenset({"alice"}))
    await use(hass, voice.agent)
    return satellites["alice"]


async def use(hass: HomeAssistant, agent: str) -> None:
    """Have the preferred pipeline ask this agent."""
    pipeline = async_get_pipeline(hass)
    await async_update_pipeline(hass, pipeline, conversation_engine=agent)


async def settle(hass: HomeAssistant, after: timedelta | None = None) -> None:
    """Let the time pass, and what is under way end."""
    if after is not None:
        async_fire_time_changed(hass, dt_util.utcnow() + after)
    await hass.async_block_till_done(wait_background_tasks=True)


def told(upstream: ScriptedUpstream) -> list[tuple[str, Any]]:
    """Return what the rig was told, and forget it."""
    found = [(one.method, one.query.get("id") or _who(one)) for one in upstream.told]
    upstream.told.clear()
    return found


def _who(one: Told) -> Any:
    return "background" if one.body.get("background") else one.body.get("id")


async def test_a_rig_is_told_as_soon_as_a_satellite_listens(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await alice.listen()
    await settle(hass)
    [announced] = upstream.told
    await alice.process()
    await say(voice, "Light!", device_id=alice.device_id)
    [asked] = upstream.received
    assert (announced.method, announced.body["id"]) == ("POST", ALICE)
    for shared in ("tools", "model", "chat_template_kwargs"):
        assert announced.body[shared] == asked.body[shared]
    assert announced.body["messages"] == asked.body["messages"][:1], "the words alone are missing"


async def test_a_rig_lets_go_when_somebody_else_answered(
    hass: HomeAssistant, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await alice.listen()
    await settle(hass)
    await alice.process()
    await alice.finish()
    await settle(hass)
    assert told(upstream) == [("POST", ALICE), ("DELETE", ALICE)]


async def test_a_rig_is_told_again_while_somebody_speaks_on_but_not_forever(
    hass: HomeAssistant,
    upstream: ScriptedUpstream,
    alice: Satellite,
) -> None:
    await alice.listen()
    await settle(hass)
    for tick in range(2, MOST_RENEWALS + 5):
        await rig_says(hass, "rig", upstream.url, tick=tick)
        await settle(hass, RENEW + timedelta(seconds=1))
    assert told(upstream) == [("POST", ALICE)] * (1 + MOST_RENEWALS)
    await alice.finish()
    await settle(hass, RENEW + timedelta(seconds=1))
    assert told(upstream) == [("DELETE", ALICE)]


async def test_after_the_question_a_rig_is_not_told_again(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await alice.listen()
    await settle(hass)
    await alice.process()
    await say(voice, "Light!", device_id=alice.device_id, satellite_id=ALICE)
    await settle(hass, RENEW + timedelta(seconds=1))
    assert told(upstream) == [("POST", ALICE)]
    await alice.finish()
    await settle(hass)
    assert told(upstream) == [("DELETE", ALICE)]


async def test_a_satellite_with_another_agent_warms_nothing(
    hass: HomeAssistant, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await use(hass, "conversation.home_assistant")
    await alice.listen()
    await settle(hass)
    await alice.finish()
    await settle(hass)
    assert upstream.told == []


async def test_the_rig_that_is_told_is_the_one_that_would_be_asked(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    async with ScriptedUpstream(key=KEY, others={WARM: {}}) as slow:
        voice = await set_up(
            hass,
            rig_subentry("slow", slow.url),
            rig_subentry("rig", upstream.url),
            agent_subentry(),
        )
        satellites = await add_satellites(hass, {"alice": "Kitchen"})
        await use(hass, voice.agent)
        later = InferenceState(available=True, model="scripted", first_token_s=9)
        await rig_says(hass, "slow", slow.url, inference=later)
        await rig_says(hass, "rig", upstream.url)
        await satellites["alice"].listen()
        await settle(hass)
        assert (len(upstream.told), len(slow.told)) == (1, 0)


async def test_without_a_rig_nobody_is_told(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await rig_says(hass, "rig", upstream.url, tick=2, stopped=True)
    await alice.listen()
    await alice.finish()
    await settle(hass)
    assert upstream.told == []


async def test_a_rig_that_does_not_know_about_warmth_answers_all_the_same(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    async with ScriptedUpstream(lambda _: says("Yes."), key=KEY) as old:
        voice = await set_up(hass, rig_subentry("rig", old.url), agent_subentry())
        await rig_says(hass, "rig", old.url)
        satellites = await add_satellites(hass, {"alice": "Kitchen"})
        await use(hass, voice.agent)
        await satellites["alice"].listen()
        await settle(hass)
        assert (await say(voice, "Light!")).speech == "Yes."
        await satellites["alice"].finish()
        await settle(hass)


async def test_a_renamed_entity_is_told_before_anybody_asks(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream, alice: Satellite
) -> None:
    await say(voice, "Light!", device_id=alice.device_id)
    er.async_get(hass).async_update_entity("light.test_lamp", name="Sun")
    hass.states.async_set("light.test_lamp", "off", {"friendly_name": "Sun"})
    await settle(hass, timedelta(seconds=SETTLE_S + 1))
    [announced] = upstream.told
    assert announced.body["background"] is True
    assert "id" not in announced.body
    await say(voice, "Light!", device_id=alice.device_id)
    _, asked = upstream.received
    assert announced.body["messages"] == asked.body["messages"][:1]
    assert announced.body["tools"] == asked.body["tools"]
    assert "Sun" in asked.body["messages"][0]["content"]


async def test_what_is_exposed_anew_is_told_too(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    await say(voice, "Light!")
    hass.states.async_set("sensor.sun", "1", {"friendly_name": "Sun"})
    async_expose_entity(hass, "conversation", "sensor.sun", should_expose=True)
    await settle(hass, timedelta(seconds=SETTLE_S + 1))
    assert told(upstream) == [("POST", "background")]


async def test_a_change_that_the_prompt_does_not_show_is_not_told(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    await say(voice, "Light!")
    er.async_get(hass).async_update_entity("light.test_lamp", icon="mdi:lamp")
    await settle(hass, timedelta(seconds=SETTLE_S + 1))
    assert upstream.told == []


async def test_a_prompt_that_took_too_long_is_read_when_nobody_waits(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PATIENCE", {"voice": Patience(first_token_s=0.3)})
    async with ScriptedUpstream([stream(Silence())], key=KEY, others={WARM: {}}) as slow:
        voice = await set_up(hass, rig_subentry("rig", slow.url), agent_subentry())
        await rig_says(hass, "rig", slow.url)
        said = await say(voice, "Light!")
        assert said.error
        assert "too long" in said.speech
        [asked], [announced] = slow.received, slow.told
        assert announced.body["background"] is True
        assert announced.body["messages"] == asked.body["messages"][:1]


async def test_nobody_who_was_never_asked_is_told_of_changes(
    hass: HomeAssistant, voice: Voice, upstream: ScriptedUpstream
) -> None:
    er.async_get(hass).async_update_entity("light.test_lamp", name="Sun")
    await settle(hass, timedelta(seconds=SETTLE_S + 1))
    assert upstream.told == []
