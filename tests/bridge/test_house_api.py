"""What a house may ask besides answers: that the rig makes ready, and how long a question is."""

from typing import Any

import openai
import pytest

from hashcenter_bridge import warmth
from hashcenter_bridge.question import Question
from hashcenter_bridge.warmth import LAPSES_S, Warmth
from tests.bridge.serving import MODEL, Api, Running, error_of

CHAT = "/v1/chat/completions"
WARM = "/hashcenter/warm"
TOKENS = "/hashcenter/tokens"
HELLO: Any = [{"role": "user", "content": "Say hello."}]


async def test_an_announcement_holds_until_it_is_taken_back(idle_api: Api) -> None:
    async with idle_api.client() as client:
        async with client.post(WARM, json={"id": "kitchen"}) as response:
            said = await response.json()
        assert said == {"warm": True, "why": "ready", "lapses_s": LAPSES_S}
        async with client.post(WARM) as response:
            assert response.status == 200
        assert idle_api.warmth.active
        async with client.delete(WARM, params={"id": "kitchen"}) as response:
            assert response.status == 204
        assert idle_api.warmth.active
        async with client.delete(WARM) as response:
            assert response.status == 204
        assert not idle_api.warmth.active


async def test_a_rig_that_cannot_answer_says_why(idle_api: Api) -> None:
    idle_api.ready = (False, "the model is being loaded")
    async with idle_api.client() as client, client.post(WARM) as response:
        said = await response.json()
    assert (said["warm"], said["why"]) == (False, "the model is being loaded")


async def test_what_is_only_made_ready_in_the_background_clears_no_way(idle_api: Api) -> None:
    async with (
        idle_api.client() as client,
        client.post(WARM, json={"background": True, "messages": HELLO}) as response,
    ):
        assert response.status == 200
    assert not idle_api.warmth.active


@pytest.mark.parametrize(
    "body",
    [
        {"id": ""},
        {"id": 7},
        {"id": "x" * 121},
        {"background": "yes"},
        {"messages": []},
        {"messages": [{"content": "no role"}]},
        [1],
    ],
)
async def test_an_announcement_that_is_wrong_is_refused(idle_api: Api, body: Any) -> None:
    async with idle_api.client() as client, client.post(WARM, json=body) as response:
        assert response.status == 400
    assert not idle_api.warmth.active


async def test_without_the_key_nobody_is_listened_to(idle_api: Api) -> None:
    async with idle_api.client() as client:
        for method, path in (("POST", WARM), ("DELETE", WARM), ("POST", TOKENS)):
            stranger = {"Authorization": "Bearer no"}
            async with client.request(method, path, headers=stranger) as response:
                assert response.status == 401


def test_an_announcement_lapses_by_itself_unless_it_is_renewed() -> None:
    now = [0.0]
    woken: list[float] = []
    heard = Warmth(lambda: now[0], lambda: woken.append(now[0]))
    heard.begin("kitchen")
    now[0] = LAPSES_S - 0.1
    heard.begin("kitchen")
    seen = []
    for now[0] in (2 * LAPSES_S - 0.2, 2 * LAPSES_S):
        seen.append(heard.active)
    assert seen == [True, False]
    heard.end("kitchen")
    assert woken == [0.0, LAPSES_S - 0.1]


def test_names_without_end_fill_nothing() -> None:
    heard = Warmth(lambda: 0.0, lambda: None)
    for number in range(1000):
        heard.begin(str(number))
    assert len(heard._until) == warmth._MOST


async def test_the_tokens_of_a_question_are_those_the_runner_counts(
    api: Api, client: openai.AsyncOpenAI
) -> None:
    async with (
        api.client() as asking,
        asking.post(TOKENS, json={"messages": HELLO}) as response,
    ):
        counted = await response.json()
    answer = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    assert answer.usage is not None
    prompt_tokens = answer.usage.prompt_tokens
    assert counted == {"model": MODEL, "prompt_tokens": prompt_tokens, "context_tokens": 2048}


async def test_a_question_that_is_too_long_is_refused_before_anybody_gives_way(
    api: Api, runner: Running
) -> None:
    long = [{"role": "user", "content": "heat " * 4000}]
    async with api.client() as client:
        async with client.post(CHAT, json={"messages": long}) as response:
            assert response.status == 400
            error = (await response.json())["error"]
        async with client.post(TOKENS, json={"messages": long}) as response:
            counted = await response.json()
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert error["prompt_tokens"] == counted["prompt_tokens"] > 4000
    assert error["context_tokens"] == 2048
    assert "shorten the conversation" in error["message"]
    assert api.closed == []


async def test_what_many_bytes_hide_is_counted_not_guessed(api: Api) -> None:
    # More bytes than the context has tokens, and far fewer tokens.
    wordy = [{"role": "user", "content": "temperature " * 400}]
    async with (
        api.client() as client,
        client.post(CHAT, json={"messages": wordy, "max_tokens": 1}) as response,
    ):
        assert response.status == 200


async def test_the_runners_own_refusal_has_the_same_figures(api: Api) -> None:
    api.ready = (False, "nobody counts")
    long = [{"role": "user", "content": "heat " * 4000}]
    async with api.client() as client, client.post(CHAT, json={"messages": long}) as response:
        error = (await response.json())["error"]
    assert error["code"] == "context_length_exceeded"
    assert error["prompt_tokens"] > 4000
    assert error["context_tokens"] == 2048
    assert [ticket.runner for ticket in api.closed] == ["voice"]


async def test_a_rig_that_cannot_count_says_so(idle_api: Api) -> None:
    async with idle_api.client() as client:
        for ready in (True, False):
            idle_api.ready = (ready, "")
            async with client.post(TOKENS, json={"messages": HELLO}) as response:
                assert response.status == 503
                assert (await error_of(response))["code"] == "not_available"


def test_pictures_are_not_counted() -> None:
    text = Question({"messages": [{"role": "user", "content": "x"}]}, None)
    parts = Question({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, None)
    assert (text.has_more_than_text, parts.has_more_than_text) == (False, True)
