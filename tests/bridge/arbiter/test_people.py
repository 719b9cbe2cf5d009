"""People who wait: voice before task before batch, and miners that give way."""

from dataclasses import replace
from typing import Any

import pytest

from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Running, State, TicketSeen, TicketWanted
from hashcenter_bridge.wire.values import Favor
from tests.bridge.arbiter.scene import (
    BATCH,
    TASK,
    VOICE,
    Told,
    answering_rig,
    gpu,
    leased,
    miner,
    rig,
    rules,
    runner,
    ticket,
)

NO_MINER = rig(miners=(), runners=(runner(),))


def asked(*tickets: TicketSeen, slots: int = 1, **changes: int) -> dict[int, TicketWanted]:
    """Return what happens to questions at second 1 on a rig that only answers."""
    seen = replace(NO_MINER, runners=(runner(slots=slots),), tickets=tickets)
    return dict(decide(State(), seen, rules(**changes), 1.0)[1].tickets)


def test_a_question_to_an_idle_rig_is_granted_at_once() -> None:
    assert asked(ticket())[1].runner == "runner"


def test_voice_goes_before_task_before_batch_whoever_came_first() -> None:
    fates = asked(ticket(1, BATCH), ticket(2, TASK), ticket(3, VOICE))
    assert [number for number, fate in fates.items() if fate.runner] == [3]
    fates = asked(ticket(1, BATCH), ticket(2, TASK))
    assert [number for number, fate in fates.items() if fate.runner] == [2]


def test_equals_are_answered_in_the_order_they_came() -> None:
    fates = asked(ticket(2, opened_at=0.5), ticket(1, opened_at=0.2), ticket(3, opened_at=0.2))
    assert [number for number, fate in fates.items() if fate.runner] == [1]


def test_no_runner_gets_more_questions_than_it_has_slots() -> None:
    fates = asked(*(ticket(n) for n in range(1, 6)), ticket(9, runner="runner", slot=2), slots=3)
    assert sum(fate.runner is not None for fate in fates.values()) == 2
    assert 9 not in fates


def test_voice_has_a_slot_that_no_task_and_no_batch_takes() -> None:
    fates = asked(ticket(1, TASK), ticket(2, BATCH), ticket(3, TASK), slots=3)
    assert [(n, fate.slot) for n, fate in fates.items() if fate.runner] == [(1, 1), (3, 2)]
    busy = (ticket(1, TASK, runner="runner", slot=1), ticket(2, BATCH, runner="runner", slot=2))
    voice = asked(*busy, ticket(9, VOICE), slots=3)[9]
    assert (voice.runner, voice.slot) == ("runner", 0)


def test_a_second_voice_takes_any_slot_that_is_free() -> None:
    fates = asked(ticket(1, VOICE), ticket(2, VOICE), ticket(3, VOICE), slots=2)
    assert [fates[n].slot for n in (1, 2, 3)] == [0, 1, None]


def test_an_answer_that_has_said_nothing_gives_its_place_to_voice() -> None:
    batch = ticket(1, BATCH, runner="runner", slot=0, recallable=True)
    fates = asked(batch, ticket(2, VOICE))
    assert fates[1].recall
    assert fates[2].runner is None


def test_the_least_urgent_and_latest_answer_is_recalled_first() -> None:
    places = {"runner": "runner", "recallable": True}
    fates = asked(
        ticket(1, TASK, slot=1, opened_at=0.3, **places),
        ticket(2, BATCH, slot=2, opened_at=0.1, **places),
        ticket(3, BATCH, slot=3, opened_at=0.2, **places),
        ticket(4, VOICE, slot=0, **places),
        ticket(5, VOICE), ticket(6, VOICE),
        slots=4,
    )  # fmt: skip
    assert [n for n, fate in fates.items() if fate.recall] == [3, 2]


def test_what_speaks_already_is_never_recalled_nor_for_anything_but_voice() -> None:
    talking = ticket(1, BATCH, runner="runner", slot=0)
    assert 1 not in asked(talking, ticket(2, VOICE))
    silent = replace(talking, recallable=True)
    assert 1 not in asked(silent, ticket(2, TASK))
    assert 1 not in asked(replace(silent, priority=VOICE), ticket(2, VOICE))


def test_no_other_prompt_is_read_beside_that_of_who_speaks() -> None:
    ours = replace(NO_MINER, runners=(runner(slots=4, resumes=True),))
    places: dict[str, Any] = {"runner": "runner"}
    voice = ticket(1, VOICE, slot=0, recallable=True, **places)
    reads = ticket(2, BATCH, slot=1, recallable=True, **places)
    speaks = ticket(3, BATCH, slot=2, **places)
    waits = ticket(4, TASK)
    seen = replace(ours, tickets=(voice, reads, speaks, waits))
    fates = decide(State(), seen, rules(), 1.0)[1].tickets
    assert [number for number, fate in fates.items() if fate.recall] == [2]
    assert fates[4].runner is None
    said = replace(seen, tickets=(replace(voice, said=True), speaks, waits))
    assert decide(State(), said, rules(), 1.0)[1].tickets[4].runner == "runner"
    comes = replace(seen, tickets=(ticket(1, VOICE), reads, waits))
    fates = decide(State(), comes, rules(), 1.0)[1].tickets
    assert (fates[1].slot, fates[2].recall, fates[4].runner) == (0, True, None)
    elsewhere = replace(seen, runners=(runner(slots=4, resumes=False),))
    fates = decide(State(), elsewhere, rules(), 1.0)[1].tickets
    assert 2 not in fates
    assert fates[4].runner == "runner"


def test_a_second_voice_is_read_beside_the_first() -> None:
    ours = replace(NO_MINER, runners=(runner(slots=2, resumes=True),))
    first = ticket(1, VOICE, runner="runner", slot=0, recallable=True)
    seen = replace(ours, tickets=(first, ticket(2, VOICE)))
    assert decide(State(), seen, rules(), 1.0)[1].tickets[2].slot == 1


def test_questions_spread_over_runners_that_serve_the_model() -> None:
    seen = replace(
        NO_MINER, runners=(runner("a"), runner("b"), runner("other", models=("qwen",))),
        tickets=(ticket(1, model="llama"), ticket(2, model="llama"), ticket(3, model="llama")),
    )  # fmt: skip
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert [wanted.tickets[n].runner for n in (1, 2, 3)] == ["a", "b", None]


def test_a_question_goes_where_no_miner_is_in_the_way() -> None:
    seen = rig(
        devices=(gpu(), gpu("gpu1")),
        runners=(runner("hashing"), runner("free", "gpu1")),
        tickets=(ticket(),),
    )
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.tickets[1].runner == "free"


def test_an_unknown_model_is_answered_by_whoever_is_there() -> None:
    assert asked(ticket(model="gpt-9"))[1].runner == "runner"


def test_only_those_who_still_wait_count_against_the_queue() -> None:
    fates = asked(*(ticket(n) for n in range(1, 5)), slots=2, max_waiting=1)
    assert [fates[n].code for n in (1, 2, 3, 4)] == [None, None, None, "queue_full"]
    assert fates[2].runner == "runner"


def test_a_full_queue_turns_away_the_least_urgent() -> None:
    fates = asked(ticket(1, BATCH), ticket(2, VOICE), ticket(8, runner="runner"), max_waiting=1)
    assert fates[1].code == "queue_full"
    assert fates[2].code is None


def test_a_question_waits_for_a_loading_model_but_not_for_ever() -> None:
    loading = replace(NO_MINER, runners=(runner(running=Running.STARTING),), tickets=(ticket(),))
    _, soon = decide(State(), loading, rules(), 100.0)
    assert soon.tickets[1] == TicketWanted("the model is being loaded")
    _, late = decide(State(), loading, rules(), 121.0)
    assert late.tickets[1].code == "not_available"
    assert "loaded" in late.tickets[1].reason


def test_a_failed_runner_turns_questions_away_with_its_reason() -> None:
    failed = runner(running=Running.FAILED, why="the weights were altered")
    _, wanted = decide(State(), rig(runners=(failed,), tickets=(ticket(),)), rules(), 1.0)
    assert wanted.tickets[1].code == "not_available"
    assert "altered" in wanted.tickets[1].reason
    _, none = decide(State(), rig(tickets=(ticket(),)), rules(), 1.0)
    assert none.tickets[1].reason == "no runner is configured"


def test_a_failed_runner_pauses_no_miner() -> None:
    failed = runner(running=Running.FAILED)
    seen = replace(answering_rig(ticket()), runners=(failed,))
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE


def test_a_miner_gives_way_before_the_question_is_granted() -> None:
    _, wanted = decide(leased(300.0), answering_rig(ticket()), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.PAUSED
    assert wanted.tickets[1].runner is None
    assert "miner to pause" in wanted.tickets[1].reason
    paused = answering_rig(ticket(), miners=(miner(running=Running.PAUSED),))
    _, wanted = decide(leased(300.0), paused, rules(), 1.0)
    assert wanted.tickets[1].runner == "runner"


def test_a_miner_that_does_not_pause_is_overtaken() -> None:
    told = Told(leased(300.0), rules(pause_patience_s=3.0))
    stubborn = answering_rig(ticket())
    assert told.step(stubborn, 2.9).tickets[1].runner is None
    assert told.step(stubborn, 3.0).tickets[1].runner == "runner"


def test_a_miner_that_is_starting_when_a_question_comes_is_stopped_first() -> None:
    seen = answering_rig(ticket(), miners=(miner(running=Running.STARTING),))
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.tickets[1].runner is None


def test_a_miner_on_its_way_out_still_has_to_be_gone() -> None:
    seen = answering_rig(ticket(), miners=(miner(running=Running.STOPPING),))
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert wanted.tickets[1].runner is None


def test_a_miner_on_another_gpu_hashes_on() -> None:
    seen = answering_rig(ticket(), devices=(gpu(), gpu("gpu1")), miners=(miner("beside", "gpu1"),))
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["beside"].running is Running.ACTIVE
    assert wanted.tickets[1].runner == "runner"


def test_programs_without_gpus_share_the_processor() -> None:
    seen = rig(
        miners=(replace(miner("cpu"), devices=()), miner("gpu")),
        runners=(replace(runner(), devices=()),),
        tickets=(ticket(),),
    )
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["cpu"].running is Running.PAUSED
    assert wanted.miners["gpu"].running is Running.ACTIVE


@pytest.mark.parametrize(
    ("favor", "gives_way"),
    [
        (Favor.INFERENCE, {VOICE, TASK, BATCH}),
        (Favor.BALANCED, {VOICE, TASK}),
        (Favor.HASHING, {VOICE}),
    ],
)
def test_favor_says_whose_questions_pause_hashing(favor: Favor, gives_way: set[int]) -> None:
    for priority in (VOICE, TASK, BATCH):
        seen = answering_rig(ticket(1, priority))
        _, wanted = decide(leased(300.0, favor=favor), seen, rules(), 1.0)
        paused = wanted.miners["miner"].running is Running.PAUSED
        assert paused is (priority in gives_way)
        if not paused:
            assert wanted.tickets[1].runner == "runner"


def test_a_batch_beside_hashing_gets_no_watts_beyond_the_lease() -> None:
    seen = answering_rig(
        ticket(1, BATCH, runner="runner"), devices=(gpu(limit_w=200.0, power_w=200.0),)
    )
    _, wanted = decide(leased(200.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.devices["gpu0"].limit_w == 200.0


def test_a_batch_never_takes_the_place_of_a_voice_that_waits_for_a_pause() -> None:
    voice, batch = ticket(2, VOICE, opened_at=60.0), ticket(1, BATCH)
    _, wanted = decide(leased(300.0), answering_rig(batch, voice), rules(), 60.5)
    assert wanted.tickets[2].runner is None
    assert wanted.tickets[1].runner is None


def test_somebody_who_speaks_pauses_hashing_before_the_question_is_there() -> None:
    told = Told(leased(300.0), rules(resume_after_s=3.0))
    speaking = answering_rig(warm=True)
    assert told.step(speaking, 1.0).miners["miner"].running is Running.PAUSED
    silent = answering_rig(miners=(miner(running=Running.PAUSED),))
    assert told.step(silent, 3.9).miners["miner"].running is Running.PAUSED
    assert told.step(silent, 4.0).miners["miner"].running is Running.ACTIVE


def test_somebody_who_speaks_gets_the_watts_for_reading_the_prompt() -> None:
    seen = answering_rig(miners=(miner(running=Running.PAUSED),), warm=True)
    _, wanted = decide(leased(200.0), seen, rules(), 1.0)
    assert wanted.devices["gpu0"].limit_w == 350.0


@pytest.mark.parametrize("state", [Running.STOPPED, Running.STARTING, Running.FAILED])
def test_nothing_gives_way_to_words_that_no_model_can_hear(state: Running) -> None:
    seen = answering_rig(runners=(runner(running=state),), warm=True)
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE


def test_hashing_resumes_a_little_after_the_last_answer() -> None:
    told = Told(leased(300.0), rules(resume_after_s=3.0))
    paused = answering_rig(ticket(runner="runner"), miners=(miner(running=Running.PAUSED),))
    told.step(paused, 10.0)
    done = replace(paused, tickets=())
    assert told.step(done, 12.9).miners["miner"].running is Running.PAUSED
    assert told.step(done, 13.0).miners["miner"].running is Running.ACTIVE


def test_an_answering_gpu_gets_the_rest_of_the_cap() -> None:
    seen = answering_rig(
        ticket(runner="runner"),
        devices=(gpu(), gpu("gpu1")),
        miners=(miner(running=Running.PAUSED), miner("beside", "gpu1")),
    )
    _, wanted = decide(leased(300.0, cap_w=400.0), seen, rules(), 1.0)
    beside_w = wanted.devices["gpu1"].limit_w
    assert beside_w == 150.0
    assert wanted.devices["gpu0"].limit_w == 400.0 - beside_w
    assert wanted.heater.reason == "answering a question; hashing gives way"


def test_between_answer_and_resume_the_limit_waits_at_the_miners_share() -> None:
    told = Told(leased(300.0))
    paused = answering_rig(ticket(runner="runner"), miners=(miner(running=Running.PAUSED),))
    assert told.step(paused, 1.0).devices["gpu0"].limit_w == 350.0
    done = replace(paused, tickets=())
    assert told.step(done, 2.0).devices["gpu0"].limit_w == 300.0
    assert told.step(done, 5.0).devices["gpu0"].limit_w == 300.0


def test_a_miner_that_cannot_pause_is_stopped_for_a_question_and_started_after_it() -> None:
    seen = answering_rig(ticket(), miners=(miner(pauses=False),))
    told = Told(leased(350.0))
    assert told.step(seen, 1.0).miners["miner"].running is Running.STOPPED
    gone = replace(seen, miners=(miner(pauses=False, running=Running.STOPPED),))
    assert told.step(gone, 2.0).tickets[1].runner == "runner"
    quiet = replace(gone, tickets=())
    assert told.step(quiet, 60.0).miners["miner"].running is Running.ACTIVE
