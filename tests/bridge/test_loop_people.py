"""Rules of the loop about people who ask, and those who are about to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.child import ChildState
from hashcenter_bridge.question import Question
from hashcenter_bridge.task_rules import Run
from hashcenter_bridge.tickets import Priority, Ticket
from hashcenter_bridge.wire.values import Favor
from tests.bridge.rigs import Answerer, Bench, Hasher


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    """A rig that hashes, and could answer."""
    made = Bench(tmp_path)
    made.miners, made.runners = [Hasher()], [Answerer(slots=1)]
    await made.start()
    made.ask(power_w=300.0)
    await made.steps(2)
    return made


async def test_hashing_gives_way_while_somebody_speaks_and_resumes_if_no_question_comes(
    bench: Bench,
) -> None:
    bench.rig.warmth.begin("kitchen")
    await bench.step(0.1)
    assert bench.miners[0].said == ["pause"]
    await bench.steps(9)
    assert bench.miners[0].said == ["pause"]
    await bench.steps(5)
    assert bench.miners[0].said == ["pause", "resume"]


async def test_a_question_after_an_announcement_waits_for_no_pause(bench: Bench) -> None:
    bench.rig.warmth.begin("kitchen")
    await bench.steps(2)
    with bench.rig.tickets.hold(Priority.VOICE, "llama") as ticket:
        await bench.step(0.01)
        assert await ticket.granted() == "runner"
    assert bench.line.last("state").inference.preemptions_total == 0


async def test_what_hashing_gives_up_is_in_the_state_and_in_the_last_answer(bench: Bench) -> None:
    with bench.rig.tickets.hold(Priority.VOICE, "llama") as ticket:
        await bench.steps(11)
        ticket.stamp("first_token")
    await bench.step()
    inference = bench.line.last("state").inference
    # Paused in the first second, seen in the second one: nine whole seconds at 2 MH/s and 300 W.
    assert inference.hashes_given_up_total >= 9 * 2_000_000
    assert inference.energy_given_up_kwh == pytest.approx(10 * 300 / 3.6e6, rel=0.2)
    assert inference.last_answer.hashes_given_up >= 9 * 2_000_000
    assert inference.last_answer.pause_s > 0
    assert bench.rig.store.kept.totals.hashes_given_up == inference.hashes_given_up_total


async def test_the_stages_add_up_to_the_predicted_first_token(bench: Bench) -> None:
    with bench.rig.tickets.hold(Priority.VOICE, "llama") as ticket:
        await bench.steps(2)
        ticket.stamp("first_token")
    await bench.steps(6)
    inference = bench.line.last("state").inference
    stages = inference.stages
    assert stages.pause_s > 0, "it hashes again"
    total_s = stages.queue_s + stages.pause_s + stages.load_s + stages.read_s
    assert inference.first_token_s == pytest.approx(total_s, abs=0.01)


async def test_an_answer_that_said_nothing_is_recalled_for_voice_and_granted_again(
    bench: Bench,
) -> None:
    called_off: list[Ticket] = []
    with bench.rig.tickets.hold(Priority.TASK, "llama") as task:
        await bench.steps(3)
        assert await task.granted() == "runner"
        task.on_recall = lambda: called_off.append(task)
        with bench.rig.tickets.hold(Priority.VOICE, "llama") as voice:
            await bench.steps(2)
            assert called_off == [task]
            assert await voice.granted() == "runner"
            assert task.waiting
        await bench.step()
        assert await task.granted() == "runner"


async def test_a_model_that_fills_the_card_is_loaded_for_a_question_and_says_how_soon(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    bench.runners[0].sharing = "exclusive"
    await bench.start()
    miner, model = bench.adopt_child(ChildState.READY), bench.adopt_runner()
    bench.rig.runners[0]._load_s = 12.0
    bench.rig.answers.first_token_s = 0.5
    await bench.rig.miners[0]._read()
    bench.ask(power_w=300.0)
    await bench.steps(3)
    inference = bench.line.last("state").inference
    assert not inference.available
    assert "loads when somebody asks" in inference.why
    assert inference.stages.load_s == 12.0
    assert inference.first_token_s == pytest.approx(12.5)
    assert model.wanted == [False]
    with bench.rig.tickets.hold(Priority.VOICE, "llama"):
        await bench.step()
        assert (miner.wanted[-1], model.wanted[-1]) == (False, False)
        miner.state = ChildState.STOPPING
        await bench.step()
        assert model.wanted[-1] is False, "the miner is still in memory"
        miner.state = ChildState.STOPPED
        await bench.step()
        assert model.wanted[-1] is True


async def test_queued_work_is_done_when_the_house_wants_heat_and_does_not_favor_hashing(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.runners = [Answerer()]
    await bench.start()
    asked: list[str] = []

    async def ask(question: Question, _priority: Priority) -> dict[str, Any]:
        asked.append(question.fields["messages"][0]["content"])
        return {}

    bench.rig.tasks.load(ask, bench.loop.task_event)
    request = {"messages": [{"role": "user", "content": "rhyme"}]}
    bench.rig.tasks.add(request, "poem", 86_400.0, Run.HEAT)
    await bench.steps(2)
    bench.ask(power_w=300.0, favor=Favor.HASHING)
    await bench.steps(2)
    bench.ask(power_w=10.0, favor=Favor.INFERENCE)
    await bench.steps(2)
    assert asked == []
    assert bench.line.last("state").inference.tasks_waiting == 1
    bench.ask(power_w=300.0, favor=Favor.INFERENCE)
    for _ in range(3):
        await bench.step()
        await asyncio.sleep(0)
    assert asked == ["rhyme"]
    events = [(one.code, one.task, one.text) for one in bench.line.of("event") if one.task]
    assert events == [
        ("task_running", "poem", "A queued task is running."),
        ("task_done", "poem", "A queued task is done."),
    ]
    assert bench.line.last("state").inference.tasks_waiting == 0
