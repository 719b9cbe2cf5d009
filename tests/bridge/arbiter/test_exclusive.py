"""Devices too small for a model and a miner at once: who has them, and how seldom they swap."""

from dataclasses import replace
from typing import Any

from hashcenter_bridge.arbiter import exclusive
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import (
    MinerSeen,
    RunnerSeen,
    Running,
    Seen,
    State,
    TicketSeen,
    Wanted,
)
from hashcenter_bridge.wire.values import Favor
from tests.bridge.arbiter.scene import (
    BATCH,
    TASK,
    VOICE,
    Told,
    gpu,
    leased,
    miner,
    rig,
    rules,
    runner,
    ticket,
)

LOAD_S = 20.0


def big(**changes: Any) -> RunnerSeen:
    """Return a runner whose model fills gpu0, not loaded."""
    return replace(
        runner("big", models=("llama-70b",)),
        **{"exclusive": True, "load_s": LOAD_S, "running": Running.STOPPED, **changes},
    )


class Rig:
    """A rig with one card for a miner and a model, which does at once what it is told.

    A model takes `LOAD_S` to load; `fails` is one that cannot be loaded.
    """

    def __init__(
        self, *runners: RunnerSeen, owned: bool = True, favor: Favor = Favor.BALANCED
    ) -> None:
        self.told = Told(leased(300.0, ttl_s=1e6, favor=favor))
        self.miner: MinerSeen = miner(owned=owned)
        self.card = gpu()
        self.runners = list(runners or (big(),))
        self.tickets: list[TicketSeen] = []
        self.warm = False
        self.fails = False
        self.now = 0.0
        self.loads: list[float] = []
        self._ready_at = 0.0
        self.wanted: Wanted = self.step()

    def seen(self) -> Seen:
        """Return what the arbiter is shown."""
        return Seen(
            (self.card,), (self.miner,), tuple(self.runners), tuple(self.tickets), self.warm
        )

    def step(self, after_s: float = 1.0) -> Wanted:
        """Let a second pass and do what is wanted then."""
        self.now += after_s
        self.wanted = self.told.step(self.seen(), self.now)
        mined = self.wanted.miners["miner"].running
        if mined is not None:
            self.miner = replace(self.miner, running=mined)
        limit_w = self.wanted.devices["gpu0"].limit_w
        self.card = replace(
            self.card,
            limit_w=self.card.limit_w if limit_w is None else limit_w,
            power_w=limit_w if self.hashes() else self.card.idle_w,
        )
        for index, one in enumerate(self.runners):
            if one.exclusive:
                running = self._next(one, self.wanted.runners[one.name].running)
                self.runners[index] = replace(one, running=running)
                in_memory = running in (Running.STARTING, Running.ACTIVE)
                assert not (in_memory and self.miner.running is Running.ACTIVE), "both at once"
        self.tickets = [
            replace(one, runner=fate.runner, slot=fate.slot)
            if (fate := self.wanted.tickets.get(one.id)) and fate.runner
            else one
            for one in self.tickets
        ]
        return self.wanted

    def _next(self, one: RunnerSeen, wanted: Running | None) -> Running:
        if wanted is not Running.ACTIVE:
            return Running.STOPPED
        if one.running in (Running.STOPPED, Running.FAILED):
            self.loads.append(self.now)
            self._ready_at = self.now + LOAD_S
            return Running.STARTING
        if one.running is Running.STARTING and self.now >= self._ready_at:
            return Running.FAILED if self.fails else Running.ACTIVE
        return one.running

    def steps(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.step()

    def ask(self, priority: int = VOICE, seconds: float = 40.0, model: str | None = None) -> None:
        """Ask, and have it answered `seconds` later."""
        number = int(self.now * 10)
        self.tickets.append(TicketSeen(number, priority, self.now, model))
        self.steps(seconds)
        self.tickets = [one for one in self.tickets if one.id != number]

    def hashes(self) -> bool:
        """Return whether the miner has the card."""
        return self.miner.running is Running.ACTIVE


def test_without_a_miner_that_wants_the_card_the_model_is_loaded() -> None:
    seen = rig(miners=(miner(running=Running.STOPPED),), runners=(big(),))
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert wanted.runners["big"].running is Running.ACTIVE
    assert wanted.miners["miner"].running is not Running.ACTIVE


def test_a_miner_that_is_to_hash_gets_the_card_once_the_model_is_gone() -> None:
    loaded = rig(miners=(miner(running=Running.STOPPED),), runners=(big(running=Running.ACTIVE),))
    _, wanted = decide(leased(300.0), loaded, rules(), 1.0)
    assert wanted.runners["big"].running is Running.STOPPED
    assert wanted.miners["miner"].running is None
    leaving = replace(loaded, runners=(big(running=Running.STOPPING),))
    _, wanted = decide(leased(300.0), leaving, rules(), 1.0)
    assert wanted.miners["miner"].running is None
    gone = replace(loaded, runners=(big(),))
    _, wanted = decide(leased(300.0), gone, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE


def test_a_question_stops_the_miner_loads_the_model_and_is_answered() -> None:
    house = Rig()
    assert house.hashes()
    house.tickets.append(ticket(1, opened_at=house.now))
    wanted = house.step()
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.runners["big"].running is Running.STOPPED, "the miner is still in memory"
    assert wanted.tickets[1].reason == "the model is being loaded"
    house.steps(LOAD_S + 3)
    assert house.tickets[0].runner == "big"


def test_a_miner_that_no_longer_hashes_but_is_not_gone_is_waited_for() -> None:
    leaving = rig(
        miners=(miner(running=Running.STOPPED, leaving=True),),
        runners=(big(),),
        tickets=(ticket(),),
    )
    _, wanted = decide(leased(300.0), leaving, rules(), 1.0)
    assert wanted.runners["big"].running is Running.STOPPED
    assert "waiting for miner to end" in wanted.runners["big"].reason


def test_somebody_who_only_begins_to_speak_swaps_nothing() -> None:
    house = Rig()
    house.warm = True
    house.steps(30)
    assert house.hashes()
    assert house.loads == []


def test_favor_says_whose_questions_are_worth_a_swap() -> None:
    house = Rig(favor=Favor.HASHING)
    house.tickets.append(ticket(1, TASK, opened_at=house.now))
    fate = house.step().tickets[1]
    assert (fate.code, house.hashes()) == ("not_available", True)
    assert "hashing has its device" in fate.reason
    house.tickets.clear()
    house.ask(VOICE)
    assert len(house.loads) == 1
    batch = Rig(favor=Favor.INFERENCE)
    batch.ask(BATCH)
    assert len(batch.loads) == 1


def test_after_a_swap_the_model_stays_ten_minutes_or_twenty_loads() -> None:
    for load_s, hold_s in ((20.0, 600.0), (60.0, 1200.0)):
        house = Rig(big(load_s=load_s))
        asked_at = house.now
        house.ask(seconds=30)
        house.steps(asked_at + load_s + hold_s - house.now)
        assert not house.hashes()
        house.steps(5)
        assert house.hashes()


def test_questions_during_the_hold_are_no_swaps_and_the_last_one_lingers() -> None:
    house = Rig()
    house.ask()
    house.steps(500)
    house.ask(seconds=60)
    house.steps(big().linger_s - 5)
    assert not house.hashes()
    house.steps(10)
    assert house.hashes()
    assert len(house.loads) == 1


def test_after_more_than_four_swaps_an_hour_the_model_stays_until_it_is_quiet() -> None:
    house = Rig()
    begun_at = house.now
    for number in range(exclusive.SWAPS + 1):
        house.ask(seconds=30)
        assert len(house.loads) == number + 1
        house.steps(630)
    assert house.now - begun_at < exclusive.SWAPS_WITHIN_S
    assert not house.hashes()
    assert "within an hour" in house.wanted.runners["big"].reason
    house.steps(exclusive.SWAPS_WITHIN_S)
    assert house.hashes()
    assert len(house.loads) == exclusive.SWAPS + 1


def test_a_model_that_cannot_be_loaded_leaves_the_card_to_hashing() -> None:
    house = Rig()
    house.fails = True
    house.ask(seconds=LOAD_S + 10)
    assert house.hashes()
    house.tickets.append(ticket(1, opened_at=house.now))
    wanted = house.step()
    assert wanted.tickets[1].code == "not_available"
    assert "could not be loaded" in wanted.tickets[1].reason
    assert house.hashes()
    house.tickets.clear()
    house.steps(exclusive.UNFIT_S)
    house.ask(seconds=5)
    assert len(house.loads) == 2


def test_a_small_model_answers_who_speaks_and_nothing_is_swapped_for_it() -> None:
    house = Rig(big(), runner("small", models=("qwen-4b",)))
    house.tickets.append(ticket(1, opened_at=house.now, model="qwen-4b"))
    house.steps(5)
    assert house.tickets[0].runner == "small"
    assert house.loads == []


def test_who_asks_for_the_large_model_is_answered_by_the_small_one_while_it_loads() -> None:
    house = Rig(big(), runner("small", models=("qwen-4b",)))
    house.tickets.append(ticket(1, opened_at=house.now, model="llama-70b"))
    house.steps(8)
    assert house.tickets[0].runner == "small"
    house.tickets.clear()
    house.steps(LOAD_S + 5)
    assert house.runners[0].running is Running.ACTIVE


def test_a_task_for_the_large_model_waits_for_it() -> None:
    house = Rig(big(), runner("small", models=("qwen-4b",)))
    house.tickets.append(ticket(1, TASK, opened_at=house.now, model="llama-70b"))
    house.steps(10)
    assert house.tickets[0].runner is None
    house.steps(LOAD_S)
    assert house.tickets[0].runner == "big"


def test_a_long_load_is_waited_for() -> None:
    loading = big(running=Running.STARTING, load_s=300.0)
    seen = rig(miners=(), runners=(loading,), tickets=(ticket(),))
    assert decide(State(), seen, rules(), 599.0)[1].tickets[1].code is None
    assert decide(State(), seen, rules(), 600.0)[1].tickets[1].code == "not_available"


def test_heat_is_not_promised_while_the_model_has_the_card() -> None:
    house = Rig()
    assert house.wanted.heater.available_w > 300
    house.ask()
    assert house.wanted.heater.available_w == 0.0
    assert "a model has it" in house.wanted.heater.available_why
    idle = rig(miners=(miner(running=Running.STOPPED),), runners=(big(running=Running.ACTIVE),))
    _, wanted = decide(State(), idle, rules(), 1.0)
    assert wanted.heater.available_w > 300, "nobody holds it against heat"


def test_a_miner_on_another_card_is_left_alone() -> None:
    seen = rig(
        devices=(gpu(), gpu("gpu1")),
        miners=(miner(), miner("beside", "gpu1")),
        runners=(big(),),
        tickets=(ticket(),),
    )
    _, wanted = decide(leased(600.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert wanted.miners["beside"].running is Running.ACTIVE


def test_stop_all_stops_both() -> None:
    seen = rig(runners=(big(running=Running.ACTIVE),), tickets=(ticket(),))
    _, wanted = decide(replace(leased(300.0), stopped=True), seen, rules(), 1.0)
    assert wanted.runners["big"].running is Running.STOPPED
    assert wanted.miners["miner"].running is Running.STOPPED


def test_a_card_that_is_too_hot_does_not_keep_the_miner_from_being_stopped() -> None:
    seen = rig(devices=(gpu(temp_c=95.0),), runners=(big(),), tickets=(ticket(),))
    _, wanted = decide(leased(300.0), seen, rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED
    assert "too hot" in wanted.miners["miner"].reason


def test_a_miner_that_is_not_ours_is_paused_and_the_model_loaded_beside_it() -> None:
    house = Rig(owned=False)
    house.tickets.append(ticket(1, opened_at=house.now))
    assert house.step().miners["miner"].running is Running.PAUSED
    house.steps(LOAD_S + 3)
    assert house.tickets[0].runner == "big"
