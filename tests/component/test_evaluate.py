"""Questions with given answers, and how sure a model is of each."""

import math
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from homeassistant.components.ai_task import (
    ChoiceAnswer,
    EvaluationQuestion,
    NoulAnswer,
    ScoreAnswer,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from custom_components.hashcenter.answers.evaluate import answer, asked, options, probabilities
from tests.component.talking import KEY, rig_says, rig_subentry, set_up, task_subentry
from tests.conformance.plays import chooses, says
from tests.conformance.scripted_upstream import ScriptedUpstream

YES_NO: EvaluationQuestion = {"type": "noul", "instructions": "Is it dark?"}
CHOICE: EvaluationQuestion = {
    "type": "choice",
    "instructions": "Who is it?",
    "criteria": {"cat": "an animal", "post": "somebody with a parcel", "other": "anybody else"},
}
SCORE: EvaluationQuestion = {
    "type": "score",
    "instructions": "How full is the bin?",
    "criteria": ["empty", "half", "full"],
}


def chunk(*tokens: tuple[str, float]) -> dict[str, Any]:
    """Return a chunk with how likely its first token was to be each of these."""
    top = [{"token": token, "logprob": math.log(share)} for token, share in tokens]
    return {
        "choices": [{"delta": {"content": "A"}, "logprobs": {"content": [{"top_logprobs": top}]}}]
    }


def test_a_question_is_asked_in_both_orders() -> None:
    first, second = asked(CHOICE)
    assert first.words.startswith("Who is it?\n\nA. cat: an animal\nB. post: ")
    assert second.words.startswith("Who is it?\n\nA. other: anybody else\nB. post: ")
    assert (first.letters, second.letters) == (
        {"A": 0, "B": 1, "C": 2},
        {"A": 2, "B": 1, "C": 0},
    )
    assert options(YES_NO) == ["Yes", "No"]


def test_every_way_to_write_a_letter_counts_and_everything_else_does_not() -> None:
    said = chunk(("A", 0.3), (" A", 0.1), ("**B", 0.2), ("The", 0.3), ("C)", 0.1))
    assert probabilities([{"choices": []}, said], {"A": 0, "B": 1}) == pytest.approx([2 / 3, 1 / 3])
    assert probabilities([said], {"A": 1, "B": 0}) == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [chunk(("The", 0.9), ("a", 0.1))],
        [{"choices": [{"delta": {"content": "A"}}]}],
        [{"choices": [{"logprobs": {"content": ["?"]}}]}],
        [{"choices": [{"logprobs": {"content": [{"top_logprobs": ["?", {"token": 5}]}]}}]}],
    ],
)
def test_without_a_letter_nothing_is_known(chunks: list[dict[str, Any]]) -> None:
    assert probabilities(chunks, {"A": 0, "B": 1}) is None


def test_the_answer_is_the_mean_of_both_orders() -> None:
    assert answer(YES_NO, [[0.75, 0.25], [0.25, 0.75]]) == NoulAnswer(noul=0.5)
    assert answer(CHOICE, [[0.5, 0.25, 0.25], [0.0, 0.75, 0.25]]) == ChoiceAnswer(
        choice="post", probabilities={"cat": 0.25, "post": 0.5, "other": 0.25}
    )
    assert answer(SCORE, [[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]) == ScoreAnswer(
        score=1.75, probabilities=[0.0, 0.25, 0.75]
    )


@pytest.fixture
async def upstream() -> AsyncGenerator[ScriptedUpstream]:
    """The rig's HTTP server."""
    async with ScriptedUpstream(key=KEY) as server:
        yield server


@pytest.fixture
async def house(hass: HomeAssistant, socket_enabled: None, upstream: ScriptedUpstream) -> None:
    """A house with a rig that can answer."""
    await set_up(hass, rig_subentry("rig", upstream.url), task_subentry(), agents=0)
    await rig_says(hass, "rig", upstream.url)


async def evaluate(hass: HomeAssistant, **questions: EvaluationQuestion) -> Any:
    """Have the questions evaluated by Home Assistant's own action."""
    result = await hass.services.async_call(
        "ai_task",
        "evaluate",
        {
            "entity_id": "ai_task.hashcenter_ai_task",
            "task_name": "test",
            "state": {"weather": "rain"},
            "questions": questions,
        },
        blocking=True,
        return_response=True,
    )
    assert isinstance(result, dict)
    return result["answers"]


@pytest.mark.usefixtures("mqtt_mock", "house")
async def test_home_assistant_asks_and_hears_how_sure_the_model_is(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    upstream.add(chooses(A=0.8, B=0.1), chooses(A=0.3, B=0.6))
    upstream.add(chooses(A=0.1, B=0.9), chooses(C=0.4, B=0.6))
    answers = await evaluate(hass, dark=YES_NO, who=CHOICE)
    assert answers["dark"]["noul"] == pytest.approx((0.8 / 0.9 + 0.6 / 0.9) / 2)
    assert answers["who"]["choice"] == "post"
    assert answers["who"]["probabilities"]["cat"] == pytest.approx((0.1 + 0.4) / 2)
    first = upstream.received[0].body
    assert (first["max_tokens"], first["logprobs"], first["stream"]) == (1, True, True)
    words = first["messages"][1]["content"]
    assert words.startswith('{"weather":"rain"}\n\nIs it dark?\n\nA. Yes\nB. No\n')
    assert {one.headers["X-Hashcenter-Priority"] for one in upstream.received} == {"task"}
    assert len({str(one.body["messages"][0]) for one in upstream.received}) == 1


@pytest.mark.usefixtures("mqtt_mock", "house")
async def test_a_model_that_names_no_answer_is_said_to(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    upstream.add(says("I cannot tell."))
    with pytest.raises(HomeAssistantError, match="named none of the answers"):
        await evaluate(hass, dark=YES_NO)


@pytest.mark.usefixtures("mqtt_mock", "house")
async def test_more_answers_than_letters_are_refused(
    hass: HomeAssistant, upstream: ScriptedUpstream
) -> None:
    many: EvaluationQuestion = {
        "type": "score",
        "instructions": "How full?",
        "criteria": [str(number) for number in range(27)],
    }
    with pytest.raises(HomeAssistantError, match="more than 26 answers"):
        await evaluate(hass, full=many)
    assert upstream.received == []
