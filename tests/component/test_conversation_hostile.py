"""Every way in which servers, networks and models break a stream: what is said, what is done."""

from dataclasses import dataclass

import pytest
from homeassistant.core import HomeAssistant

from custom_components.hashcenter.answers import inference
from custom_components.hashcenter.answers.completion import Patience
from tests.component.talking import (
    LAMP,
    TURN_ON,
    agent_subentry,
    rig_says,
    rig_subentry,
    say,
    set_up,
)
from tests.conformance.plays import hostile, says
from tests.conformance.scripted_upstream import ScriptedUpstream

pytestmark = pytest.mark.usefixtures("socket_enabled", "mqtt_mock")

PLAYS = hostile((TURN_ON, LAMP))


@dataclass(frozen=True)
class Outcome:
    """What a person hears, and how often the lamp is turned on. `asked`: questions to the rig."""

    speech: str | None
    turned_on: int = 0
    asked: int = 1


HELLO = Outcome("Hello there.")
#: The call was made; the model then says "Done.".
CALLED = Outcome("Done.", turned_on=1, asked=2)
#: The call was not made and the model was told so.
REFUSED = Outcome("Done.", turned_on=0, asked=2)
#: A sentence of ours says that it did not work.
ERROR = Outcome(None)

OUTCOMES = {
    "arguments_one_character_each": CALLED,
    "bytes_one_each": CALLED,
    "arguments_never_end": REFUSED,
    "arguments_are_no_json": REFUSED,
    "arguments_are_a_list": REFUSED,
    "arguments_encoded_twice": CALLED,
    "arguments_with_empty_extras": CALLED,
    "arguments_nested_too_deep": REFUSED,
    "call_twice_under_one_id": Outcome("Done.", turned_on=2, asked=2),
    "call_without_id": CALLED,
    "wrong_tool_name": REFUSED,
    "bare_tool_name": CALLED,
    "tool_call_without_name": REFUSED,
    "tool_calls_of_odd_shape": Outcome("Done.", turned_on=0, asked=2),
    "call_repeated_in_finish_chunk": CALLED,
    "call_only_in_finish_chunk": CALLED,
    "call_after_double_finish": CALLED,
    "call_inside_thinking_field": CALLED,
    "call_written_as_text": CALLED,
    "call_written_in_open_thought": CALLED,
    "call_written_in_closed_thought": HELLO,
    "call_written_and_parsed": CALLED,
    "call_then_reset": ERROR,
    "call_then_silence": ERROR,
    "thinking_in_content": HELLO,
    "thinking_never_ends": ERROR,
    "stray_closing_tag": HELLO,
    "end_mark_in_content": HELLO,
    "words_in_finish_chunk": HELLO,
    "double_finish": HELLO,
    "no_done": HELLO,
    "done_without_finish": HELLO,
    "silence_after_finish": HELLO,
    "reset_after_finish": HELLO,
    "usage_without_choices": HELLO,
    "keep_alive_comments": HELLO,
    "carriage_returns": HELLO,
    "empty_answer": ERROR,
    "nothing_at_all": ERROR,
    "closed_too_early": ERROR,
    "reset_mid_stream": ERROR,
    "reset_before_first_token": ERROR,
    "silence_before_first_token": ERROR,
    "silence_mid_stream": ERROR,
    "keep_alive_forever": ERROR,
    "empty_chunks_forever": ERROR,
    "line_of_10_mb": ERROR,
    "words_forever": ERROR,
    "garbage_event": ERROR,
    "event_is_no_object": ERROR,
    "event_nested_too_deep": ERROR,
    "error_event": ERROR,
    "error_field": ERROR,
    "page_instead_of_stream": ERROR,
    "redirect": ERROR,
    "status_400_too_long": ERROR,
    "status_401": ERROR,
    "status_429": ERROR,
    "status_500": ERROR,
    "status_500_without_end": ERROR,
    "status_503_loading": ERROR,
    "status_503_llama_cpp": ERROR,
    "status_503_stopped": ERROR,
    "status_503_queue_full": ERROR,
}


def test_every_hostile_play_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(PLAYS)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience(first_token_s=2.0, stall_s=1.0, tail_s=0.2)
    monkeypatch.setattr(inference, "PATIENCE", {"voice": patience})
    monkeypatch.setattr("custom_components.hashcenter.answers.completion._ERROR_BODY_S", 0.2)


#: What happens to calls and thoughts does not depend on whether a model is held to a form.
IN_FORM = [name for name in PLAYS if name.startswith(("call", "arguments", "thinking", "wrong"))]


@pytest.mark.parametrize(
    ("name", "in_form"),
    [*((name, False) for name in PLAYS), *((name, True) for name in IN_FORM)],
)
async def test_nothing_hangs_crashes_runs_twice_or_speaks_rubbish(
    hass: HomeAssistant, name: str, caplog: pytest.LogCaptureFixture, *, in_form: bool
) -> None:
    expected = OUTCOMES[name]
    async with ScriptedUpstream([PLAYS[name](), says("Done."), says("Fine.")]) as server:
        agent = agent_subentry(constrain_tools=in_form)
        voice = await set_up(hass, rig_subentry("rig", server.url), agent)
        await rig_says(hass, "rig", server.url)
        said = await say(voice, "Light!")
        assert said.error is (expected.speech is None)
        if expected.speech is not None:
            assert said.speech == expected.speech
        assert said.speech
        for rubbish in ("{", "<", "tool_call", "Traceback", "hashcenter", "_"):
            assert rubbish not in said.speech
            assert rubbish not in said.streamed
        assert len(voice.turned_on) == expected.turned_on
        assert len(server.received) == expected.asked
        assert not [one for one in caplog.records if one.exc_info and one.levelname == "ERROR"]

        # The conversation goes on as if nothing had been.
        again = await say(voice, "Still there?", conversation_id=said.conversation_id)
        assert not again.error
        assert again.speech in ("Done.", "Fine.")
