"""Which rig is asked, and what happens when it does not answer. The rigs' HTTP servers are real."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.hashcenter.answers import completion, inference
from custom_components.hashcenter.answers.completion import AnswerError, Patience
from custom_components.hashcenter.answers.contact import Pin
from custom_components.hashcenter.answers.inference import candidates, stream_chat
from custom_components.hashcenter.answers.rig_choice import Memory
from custom_components.hashcenter.house import House
from custom_components.hashcenter.rigs.rig import Rig
from custom_components.hashcenter.wire.messages import (
    Endpoint,
    InferenceState,
    Inventory,
    Model,
    RigState,
    Runner,
)
from tests.conformance.plays import DONE, chunk, fails, hostile, says, stream
from tests.conformance.scripted_upstream import Play, ScriptedUpstream, Silence

pytestmark = pytest.mark.usefixtures("socket_enabled")

QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello?"}]}
ELSEWHERE = "http://127.0.0.1:9"


def rig(
    name: str, url: str = ELSEWHERE, *, first_token_s: float | None = 1.0, **state: Any
) -> SimpleNamespace:
    """Return what inference needs of a RigCoordinator: a live rig that can answer."""
    known = {"key": f"key-{name}", "host": url, "online": True, "available": True, **state}
    inventory = Inventory(
        boot_id="b",
        protocol=1,
        min_protocol=1,
        version="1",
        name=name,
        endpoint=Endpoint(url=url),
        runners=(Runner(name="r", plugin="p", models=(Model(id="first"), Model(id="second"))),),
    )
    now = RigState(
        boot_id="b",
        tick=1,
        activity="idle",
        stopped=known.get("stopped", False),
        inference=InferenceState(
            available=known["available"],
            first_token_s=first_token_s,
            model=known.get("model"),
            waiting=known.get("waiting", 0),
        ),
    )
    data = Rig(name, inventory=inventory, state=now, online=known["online"])
    return SimpleNamespace(
        rig_id=name,
        name=name.title(),
        pin=Pin(),
        data=data,
        key=known["key"],
        host=known["host"],
        subentry=SimpleNamespace(subentry_id=f"subentry-{name}"),
    )


def house(*rigs: SimpleNamespace, hass: HomeAssistant | None = None) -> House:
    """Return a house with these rigs."""
    entry = MockConfigEntry(domain="hashcenter")
    if hass is not None:
        entry.add_to_hass(hass)
    known = {
        "hass": hass,
        "rigs": {one.rig_id: one for one in rigs},
        "config_entry": entry,
        "asked": Memory(),
    }
    return cast("House", SimpleNamespace(**known))


def order(*rigs: SimpleNamespace, rig_id: str | None = None) -> list[str]:
    """Return the ids of the rigs in the order in which they would be asked."""
    return [candidate.rig.rig_id for candidate in candidates(house(*rigs), rig_id)]


def test_the_rig_that_answers_soonest_is_asked_first() -> None:
    assert order(
        rig("loading", available=False, first_token_s=0.1),
        rig("unknown", first_token_s=None),
        rig("slow", first_token_s=9),
        rig("fast", first_token_s=1),
        rig("busy", first_token_s=1, waiting=2),
    ) == ["fast", "busy", "slow", "unknown", "loading"]


@pytest.mark.parametrize(
    "known",
    [
        {"online": False},
        {"key": None},
        {"key": ""},
        {"host": None},
        {"host": "http://10.0.0.5:8420"},
        {"stopped": True},
        {"available": False, "first_token_s": None},
    ],
)
def test_a_rig_that_cannot_or_must_not_be_asked_is_left_out(known: dict[str, Any]) -> None:
    assert order(rig("one", **known)) == []


def test_a_fixed_rig_is_the_only_one_asked() -> None:
    assert order(rig("one"), rig("two"), rig_id="two") == ["two"]
    assert order(rig("one"), rig_id="gone") == []


def test_the_key_shows_in_no_log() -> None:
    assert "key-one" not in repr(candidates(house(rig("one")))[0].endpoint)


def test_the_model_is_the_one_that_is_loaded_or_else_the_first() -> None:
    models = [one.model for one in candidates(house(rig("a", model="loaded"), rig("b")))]
    assert models == ["loaded", "first"]


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    """Start a scripted upstream that asks for the key of the rig it stands for."""
    async with AsyncExitStack() as stack:

        async def started(name: str, *plays: Play) -> ScriptedUpstream:
            return await stack.enter_async_context(ScriptedUpstream(plays, key=f"key-{name}"))

        yield started


async def ask(where: House, *, priority: str = "voice", rig_id: str | None = None) -> str:
    """Return the words of the answer."""
    words = ""
    async with aclosing(stream_chat(where, QUESTION, priority=priority, rig_id=rig_id)) as chunks:
        async for one in chunks:
            for choice in one["choices"]:
                words += choice["delta"].get("content") or ""
    return words


async def why_not(where: House, **how: Any) -> str | None:
    """Return the translation key of the error that the question ends in."""
    with pytest.raises(HomeAssistantError) as caught:
        await ask(where, **how)
    assert caught.value.translation_domain == "hashcenter"
    return caught.value.translation_key


async def test_a_question_carries_key_priority_and_model(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", says("Hello there."))
    assert await ask(house(rig("one", one.url), hass=hass), priority="task") == "Hello there."
    [asked] = one.received
    assert asked.headers["Authorization"] == "Bearer key-one"
    assert asked.headers["X-Hashcenter-Priority"] == "task"
    assert asked.body == {**QUESTION, "model": "first", "stream": True}


async def test_equal_questions_are_equal_bytes(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", says("Hello."), says("Hello."))
    where = house(rig("one", one.url), hass=hass)
    await ask(where)
    await ask(where)
    assert one.received[0].raw == one.received[1].raw


@pytest.mark.parametrize(
    ("known", "key"),
    [
        ({"key": None}, "no_rig_with_key"),
        ({"online": False}, "no_rig_available"),
        ({"available": False, "first_token_s": None}, "no_rig_available"),
        ({"stopped": True}, "everything_stopped"),
    ],
)
async def test_when_no_rig_can_answer_nobody_is_asked(
    hass: HomeAssistant, start: Start, known: dict[str, Any], key: str
) -> None:
    one = await start("one", says("Hello."))
    assert await why_not(house(rig("one", one.url, **known), hass=hass)) == key
    assert one.received == []


async def test_a_house_without_rigs_says_so(hass: HomeAssistant) -> None:
    assert await why_not(house(hass=hass)) == "no_rig_with_key"


FAILURES = {
    "status_401": "wrong_key",
    "status_429": "rig_busy",
    "status_500": "rig_failed",
    "status_503_loading": "rig_loading",
    "status_503_llama_cpp": "rig_not_available",
    "status_503_stopped": "rig_stopped",
    "status_503_queue_full": "rig_busy",
    "status_400_too_long": "conversation_too_long",
    "redirect": "rig_failed",
    "page_instead_of_stream": "answer_broken",
    "nothing_at_all": "answer_broken",
    "event_is_no_object": "answer_broken",
    "event_nested_too_deep": "answer_broken",
    "error_field": "rig_failed",
    "reset_before_first_token": "answer_broken",
    "silence_before_first_token": "rig_too_slow",
    "status_500_without_end": "rig_failed",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for half a second instead of a minute."""
    patience = Patience(first_token_s=0.5, stall_s=0.5, tail_s=0.2)
    monkeypatch.setattr(inference, "PATIENCE", {"voice": patience})
    monkeypatch.setattr("custom_components.hashcenter.answers.completion._ERROR_BODY_S", 0.2)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("name", "key"), FAILURES.items())
async def test_a_rig_that_fails_before_its_first_token_is_passed_over(
    hass: HomeAssistant, start: Start, name: str, key: str
) -> None:
    play = hostile(("a__tool", {}))[name]
    one = await start("one", play(), play())
    two = await start("two", says("Hello there."))
    first = rig("one", one.url, first_token_s=0.1)
    assert await why_not(house(first, hass=hass)) == key
    assert await ask(house(first, rig("two", two.url), hass=hass)) == "Hello there."
    assert len(one.received) == 2


async def test_a_refused_key_becomes_a_repair(hass: HomeAssistant, start: Start) -> None:
    one = await start("another")
    assert await why_not(house(rig("one", one.url), hass=hass)) == "wrong_key"
    issue = ir.async_get(hass).async_get_issue("hashcenter", "wrong_key_one")
    assert issue
    assert issue.translation_placeholders
    assert issue.translation_placeholders["rig"] == "One"


def test_every_failure_has_a_sentence() -> None:
    folder = Path(completion.__file__).parents[1]
    sentences = json.loads((folder / "translations/en.json").read_text())["exceptions"]
    keys = set(FAILURES.values()) | set(completion._BY_CODE.values())
    keys |= set(completion._BY_STATUS.values()) | {"rig_unreachable", "answer_stalled"}
    keys |= {"no_rig_with_key", "no_rig_available", "everything_stopped"}
    assert keys <= set(sentences)


async def test_a_rig_that_is_off_is_passed_over(hass: HomeAssistant, start: Start) -> None:
    async with ScriptedUpstream() as gone:
        url = gone.url
    two = await start("two", says("Hello there."))
    first = rig("one", url, first_token_s=0.1)
    assert await why_not(house(first, hass=hass)) == "rig_unreachable"
    assert await ask(house(first, rig("two", two.url), hass=hass)) == "Hello there."


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("reset_mid_stream", "answer_broken"),
        ("closed_too_early", "answer_broken"),
        ("silence_mid_stream", "answer_stalled"),
        ("keep_alive_forever", "answer_stalled"),
        ("empty_chunks_forever", "answer_stalled"),
        ("garbage_event", "answer_broken"),
        ("line_of_10_mb", "answer_broken"),
        ("words_forever", "answer_broken"),
        ("error_event", "rig_failed"),
        ("call_then_reset", "answer_broken"),
    ],
)
async def test_after_the_first_token_no_other_rig_is_asked(
    hass: HomeAssistant, start: Start, name: str, key: str
) -> None:
    one = await start("one", hostile(("a__tool", {"a": 1}))[name]())
    two = await start("two", says("Hello there."))
    rigs = rig("one", one.url, first_token_s=0.1), rig("two", two.url)
    assert await why_not(house(*rigs, hass=hass)) == key
    assert two.received == []
    if name in (
        "silence_mid_stream",
        "keep_alive_forever",
        "empty_chunks_forever",
        "words_forever",
    ):
        await asyncio.wait_for(one.received[0].hung_up.wait(), 20)


async def test_the_rig_that_read_the_prompt_is_asked_again_and_a_broken_one_later(
    hass: HomeAssistant, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.hashcenter.answers.rig_choice.PASSED_OVER_S", 1.0)
    one = await start("one", fails(500, "internal_error"), says("One."))
    two = await start("two", *[says("Two.")] * 3)
    where = house(rig("one", one.url, first_token_s=0.1), rig("two", two.url), hass=hass)
    assert [await ask(where), await ask(where)] == ["Two.", "Two."]
    assert len(one.received) == 1, "it is passed over for a while"
    await asyncio.sleep(1.1)
    assert await ask(where) == "Two.", "it is only a little slower, and has read the prompt"
    order = [one.rig.rig_id for one in candidates(where, prompt="another")]
    assert order == ["one", "two"], "the house came back to it by itself"


async def test_a_refusal_is_no_failure(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", fails(503, "queue_full"))
    two = await start("two", says("Two."))
    where = house(rig("one", one.url, first_token_s=0.1), rig("two", two.url), hass=hass)
    assert await ask(where) == "Two."
    assert where.asked.failures == {}


def test_what_the_prompt_is_known_by_leaves_out_what_a_person_said() -> None:
    system = {"role": "system", "content": "You are kind."}
    first = {"messages": [system, {"role": "user", "content": "A?"}], "tools": [{"name": "x"}]}
    second = {**first, "messages": [system, {"role": "user", "content": "B?"}]}
    assert inference.prompt_id(first) == inference.prompt_id(second)
    assert inference.prompt_id(first) != inference.prompt_id({**first, "tools": []})
    assert inference.prompt_id(first) != inference.prompt_id({**first, "messages": []})


async def test_when_all_fail_the_first_one_says_why(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", fails(503, "loading"))
    two = await start("two", fails(503, "queue_full"))
    rigs = rig("one", one.url, first_token_s=0.1), rig("two", two.url)
    with pytest.raises(AnswerError) as caught:
        await ask(house(*rigs, hass=hass))
    assert caught.value.translation_key == "rig_loading"
    assert caught.value.translation_placeholders == {"rig": "One"}


async def test_a_rig_that_breaks_its_promise_waits_only_while_nobody_else_could_answer(
    hass: HomeAssistant, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "DOUBT_S", 0.2)
    one = await start("one", stream(Silence()))
    two = await start("two", says("Hello there."))
    rigs = rig("one", one.url, first_token_s=0.1), rig("two", two.url)
    assert await ask(house(*rigs, hass=hass)) == "Hello there."
    await asyncio.wait_for(one.received[0].hung_up.wait(), 20)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "name", ["no_done", "done_without_finish", "silence_after_finish", "reset_after_finish"]
)
async def test_an_answer_is_complete_when_the_rig_said_so(
    hass: HomeAssistant, start: Start, name: str
) -> None:
    one = await start("one", hostile(("a__tool", {}))[name]())
    assert await ask(house(rig("one", one.url), hass=hass)) == "Hello there."


async def test_a_listener_who_leaves_frees_the_rig(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", stream(chunk({"content": "Hello"}), Silence()))
    chunks = stream_chat(house(rig("one", one.url), hass=hass), QUESTION, priority="voice")
    async for said in chunks:
        if said["choices"][0]["delta"].get("content"):
            break
    await chunks.aclose()
    await asyncio.wait_for(one.received[0].hung_up.wait(), 20)


async def test_a_cancelled_question_frees_the_rig(hass: HomeAssistant, start: Start) -> None:
    one = await start("one", stream(Silence()))
    asking = asyncio.ensure_future(ask(house(rig("one", one.url), hass=hass)))
    await asyncio.wait_for(one.asked.wait(), 20)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(one.received[0].hung_up.wait(), 20)


async def test_an_answer_without_end_ends(
    hass: HomeAssistant, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = replace(Patience(), whole_s=0.5)
    monkeypatch.setattr(inference, "PATIENCE", {"voice": patience})
    drip = hostile(("a__tool", {}))["keep_alive_forever"]()
    one = await start("one", drip, stream(chunk({"content": "Hello"}), DONE))
    assert await why_not(house(rig("one", one.url), hass=hass)) == "answer_stalled"
