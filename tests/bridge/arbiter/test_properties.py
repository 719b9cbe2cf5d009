"""What holds whatever a rig looks like: watts, silence, Stop all, places in the queue."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.arbiter.allocate import behind_supply_w, shares, wall_w
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.people import shares_device
from hashcenter_bridge.arbiter.types import (
    DeviceSeen,
    Lease,
    MinerSeen,
    Rules,
    RunnerSeen,
    Running,
    Seen,
    State,
    TicketSeen,
)
from hashcenter_bridge.wire.values import Effect, Favor
from tests.bridge.arbiter.scene import Told, gpu, miner, obeyed, rules, runner

NOW = 1000.0
CARDS = ("gpu0", "gpu1", "gpu2", "gpu3")

watts = st.floats(0.0, 2000.0)


@st.composite
def devices(draw: st.DrawFn, uid: str) -> DeviceSeen:
    idle_w = draw(st.floats(0.0, 60.0))
    min_w = draw(st.floats(60.0, 200.0))
    limit_w = draw(st.none() | st.floats(50.0, 500.0))
    return DeviceSeen(
        uid=uid,
        idle_w=idle_w,
        min_w=min_w,
        max_w=min_w + draw(st.floats(0.0, 400.0)),
        adjustable=limit_w is not None,
        power_w=draw(st.none() | watts),
        limit_w=limit_w,
        temp_c=draw(st.none() | st.floats(0.0, 100.0)),
        age_s=draw(st.sampled_from([0.0, 20.0, 31.0, float("inf")])),
        foreign=draw(st.booleans()),
        fault=draw(st.none() | st.just("broken")),
    )


some_cards = st.lists(st.sampled_from(CARDS), max_size=4, unique=True).map(tuple)
running = st.sampled_from(Running)


@st.composite
def rigs(draw: st.DrawFn) -> Seen:
    cards = CARDS[: draw(st.integers(0, 4))]
    runners = tuple(
        RunnerSeen(
            f"r{n}", draw(some_cards), draw(running), draw(st.integers(1, 3)),
            draw(st.sampled_from([(), ("llama",), ("qwen",)])), draw(st.sampled_from(["", "why"])),
            draw(st.booleans()), draw(st.none() | st.floats(0.0, 600.0)),
        )
        for n in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    return Seen(
        devices=tuple(draw(devices(uid)) for uid in cards),
        miners=tuple(
            MinerSeen(
                f"m{n}", draw(some_cards), draw(st.booleans()), draw(running),
                draw(st.none() | st.booleans()), draw(st.none() | st.floats(0.0, 1e9)),
                leaving=draw(st.booleans()),
            )
            for n in range(draw(st.integers(0, 3)))
        ),
        runners=runners,
        tickets=tuple(draw(tickets(runners))),
        warm=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def tickets(draw: st.DrawFn, runners: tuple[RunnerSeen, ...]) -> list[TicketSeen]:
    places = [(one.name, slot) for one in runners for slot in range(one.slots)]
    found: list[TicketSeen] = []
    for number in range(draw(st.integers(0, 5))):
        place = draw(st.none() | st.sampled_from(places)) if places else None
        if place:
            places.remove(place)
        found.append(
            TicketSeen(
                id=number,
                priority=draw(st.integers(0, 2)),
                opened_at=draw(st.floats(NOW - 200, NOW)),
                model=draw(st.sampled_from([None, "llama", "qwen", "unknown"])),
                runner=place[0] if place else None,
                slot=place[1] if place else None,
                recallable=place is not None and draw(st.booleans()),
            )
        )
    return found


owners = st.builds(
    Rules,
    heater=st.just("rig"),
    max_w=st.floats(1.0, 3000.0),
    safe_w=watts,
    base_w=st.floats(0.0, 200.0),
    psu_efficiency=st.floats(0.5, 1.0),
    allow_control=st.booleans(),
    max_waiting=st.integers(1, 3),
)
favors = st.sampled_from(Favor)


@st.composite
def states(draw: st.DrawFn) -> State:
    ends_at = draw(st.floats(NOW - 500, NOW + 300))
    lease = Lease(
        "house", draw(watts), draw(st.none() | watts), draw(favors), ends_at, ends_at + 400
    )
    return State(
        lease=draw(st.none() | st.just(lease)),
        stopped=draw(st.booleans()),
        adopted_until=draw(st.sampled_from([0.0, NOW + 100])),
        people_until={
            f"m{n}": NOW + draw(st.floats(-5, 5)) for n in range(draw(st.integers(0, 3)))
        },
        interrupted=frozenset(draw(st.lists(st.sampled_from(["m0", "m1", "gone"])))),
        cooling=frozenset(draw(st.lists(st.sampled_from(CARDS)))),
        above={uid: NOW - draw(st.floats(0, 40)) for uid in draw(some_cards)},
        unruly={uid: NOW + draw(st.floats(-40, 40)) for uid in draw(some_cards)},
    )


def most_w(state: State, owner: Rules) -> float:
    """Return the cap at the wall that holds at NOW."""
    cap_w = owner.max_w
    if state.lease and state.lease.phase(NOW) and state.lease.cap_w is not None:
        cap_w = min(cap_w, state.lease.cap_w)
    return 0.0 if state.stopped else cap_w


@given(states(), rigs(), owners)
def test_limits_together_never_exceed_the_cap(state: State, seen: Seen, owner: Rules) -> None:
    state_after, wanted = decide(state, seen, owner, NOW)
    lowest_w = sum(one.min_w if one.adjustable else one.idle_w for one in seen.devices)
    limits = {one.uid: wanted.devices[one.uid].limit_w for one in seen.devices if one.adjustable}
    if None in limits.values():
        undriven = not owner.allow_control or state_after.adopted_until > NOW
        assert undriven
        return
    fixed_w = sum(one.idle_w for one in seen.devices if not one.adjustable)
    held_w = sum(limit_w for limit_w in limits.values() if limit_w is not None) + fixed_w
    assert held_w <= max(lowest_w, behind_supply_w(most_w(state, owner), owner)) + 1e-3


@given(states(), rigs(), owners)
def test_every_limit_is_one_that_the_card_takes(state: State, seen: Seen, owner: Rules) -> None:
    _, wanted = decide(state, seen, owner, NOW)
    for one in seen.devices:
        limit_w = wanted.devices[one.uid].limit_w
        if limit_w is not None:
            assert one.adjustable
            assert owner.allow_control
            assert one.min_w <= limit_w <= one.max_w or limit_w == one.limit_w


@given(states(), rigs(), owners)
def test_nothing_goes_up_while_coasting(state: State, seen: Seen, owner: Rules) -> None:
    state = replace(state, lease=Lease("house", 800.0, None, Favor.BALANCED, NOW - 1, NOW + 100))
    _, wanted = decide(state, seen, replace(owner, allow_control=True), NOW)
    for one in seen.devices:
        limit_w = wanted.devices[one.uid].limit_w
        assert limit_w is None or one.limit_w is None or limit_w <= max(one.limit_w, one.min_w)
    for one_miner in seen.miners:
        goes_on = one_miner.running is Running.ACTIVE
        assert goes_on or wanted.miners[one_miner.name].running is not Running.ACTIVE


@given(states(), rigs(), owners)
def test_stop_all_means_nothing_hashes_and_nothing_is_answered(
    state: State, seen: Seen, owner: Rules
) -> None:
    _, wanted = decide(replace(state, stopped=True), seen, owner, NOW)
    for one in seen.miners:
        halted = Running.STOPPED if one.owned else Running.PAUSED
        assert wanted.miners[one.name].running is halted
    assert all(one.running is Running.STOPPED for one in wanted.runners.values())
    assert all(one.runner is None and one.code for one in wanted.tickets.values())
    assert wanted.heater.available_w == 0.0


@given(states(), rigs(), owners)
def test_what_is_available_is_within_the_owners_limit(
    state: State, seen: Seen, owner: Rules
) -> None:
    _, wanted = decide(state, seen, owner, NOW)
    assert 0.0 <= wanted.heater.available_w <= owner.max_w
    assert wanted.heater.available_why
    assert wanted.heater.reason


@given(states(), rigs(), owners)
def test_questions_are_granted_in_order_and_within_the_slots(
    state: State, seen: Seen, owner: Rules
) -> None:
    _, wanted = decide(state, seen, owner, NOW)
    granted = Counter(fate.runner for fate in wanted.tickets.values() if fate.runner)
    taken = Counter(one.runner for one in seen.tickets if one.runner)
    for one in seen.runners:
        assert granted[one.name] == 0 or granted[one.name] + taken[one.name] <= one.slots
        assert granted[one.name] == 0 or one.running is Running.ACTIVE
    places = [(one.runner, one.slot) for one in seen.tickets if one.runner]
    places += [(fate.runner, fate.slot) for fate in wanted.tickets.values() if fate.runner]
    assert len(places) == len(set(places))
    asked = {one.id: one for one in seen.tickets}
    several = {one.name for one in seen.runners if one.slots > 1}
    for number, fate in wanted.tickets.items():
        if fate.slot == 0 and fate.runner in several:
            assert asked[number].priority == 0
        if fate.recall:
            assert asked[number].recallable
            assert asked[number].priority > 0
        assert fate.recall == (asked[number].runner is not None)
    assert {one.id for one in seen.tickets if one.runner is None} <= set(wanted.tickets)
    waiting = [
        fate
        for fate in wanted.tickets.values()
        if not fate.runner and not fate.code and not fate.recall
    ]
    assert len(waiting) <= owner.max_waiting


@given(states(), rigs(), owners)
def test_a_decision_is_repeatable_and_settles(state: State, seen: Seen, owner: Rules) -> None:
    once = decide(state, seen, owner, NOW)
    assert decide(state, seen, owner, NOW) == once
    again = decide(once[0], seen, owner, NOW)
    assert again[1].devices.keys() == once[1].devices.keys()
    assert again[1].tickets == once[1].tickets


@given(watts, rigs(), owners)
def test_shares_never_add_up_to_more_than_was_given(
    power_w: float, seen: Seen, owner: Rules
) -> None:
    groups = [
        one.devices for one in seen.miners if set(one.devices) <= {d.uid for d in seen.devices}
    ]
    given_w = shares(power_w, seen.devices, [group for group in groups if group], owner)
    total_w = wall_w(sum(one.power_w for one in given_w.values()), owner)
    idle_w = wall_w(sum(one.idle_w for one in seen.devices), owner)
    assert total_w <= max(power_w, idle_w) + 1e-3


class ObeyingRig(RuleBasedStateMachine):
    """A rig that does what it is told, in a house that asks for anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Told(State(adopted_until=20.0), rules(max_w=900.0, coast_s=40.0))
        self.now = 0.0
        self.next_ticket = 1
        cards = CARDS[:3]
        self.seen = Seen(
            devices=tuple(gpu(uid) for uid in cards),
            miners=(miner("m0"), miner("m1", "gpu1", "gpu2", running=Running.STOPPED)),
            runners=(runner("r0", "gpu0"), runner("r1", "gpu1")),
        )
        self.wanted = self.told.step(self.seen, self.now)

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.seen = obeyed(self.seen, self.wanted)
            self.wanted = self.told.step(self.seen, self.now)

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        self.go_on(seconds)

    @precondition(lambda self: not self.told.state.stopped)
    @rule(power_w=st.floats(0.0, 1200.0), cap_w=st.none() | st.floats(350.0, 1200.0), favor=favors)
    def the_house_leases(self, power_w: float, cap_w: float | None, favor: Favor) -> None:
        lease = leases.granted(
            self.told.rules.coast_s, self.now, controller="house", power_w=power_w, cap_w=cap_w,
            ttl_s=60.0, favor=favor,
        )  # fmt: skip
        self.told.state = replace(self.told.state, lease=lease)
        self.go_on(1)

    @rule()
    def the_house_releases(self) -> None:
        self.told.state = replace(self.told.state, lease=None, adopted_until=0.0)
        self.go_on(1)

    @rule(engaged=st.booleans())
    def a_person_stops_or_releases(self, engaged: bool) -> None:
        lease = None if engaged else self.told.state.lease
        self.told.state = replace(self.told.state, stopped=engaged, lease=lease)
        self.go_on(2)

    @rule(priority=st.integers(0, 2))
    def somebody_asks(self, priority: int) -> None:
        asked = TicketSeen(self.next_ticket, priority, self.now)
        self.next_ticket += 1
        self.seen = replace(self.seen, tickets=(*self.seen.tickets, asked))
        self.wanted = self.told.step(self.seen, self.now)
        self.go_on(1)

    @precondition(lambda self: any(one.runner for one in self.seen.tickets))
    @rule()
    def an_answer_ends(self) -> None:
        done = next(one for one in self.seen.tickets if one.runner)
        left = tuple(one for one in self.seen.tickets if one is not done)
        self.seen = replace(self.seen, tickets=left)
        self.wanted = self.told.step(self.seen, self.now)
        self.go_on(1)

    @rule(uid=st.sampled_from(CARDS[:3]), temp_c=st.sampled_from([40.0, 82.0, 95.0]))
    def a_card_is_warm(self, uid: str, temp_c: float) -> None:
        cards = tuple(
            replace(one, temp_c=temp_c) if one.uid == uid else one for one in self.seen.devices
        )
        self.seen = replace(self.seen, devices=cards)
        self.wanted = self.told.step(self.seen, self.now)
        self.go_on(2)

    @invariant()
    def no_failure_is_ever_reported(self) -> None:
        effects = {one.effect for one in self.wanted.devices.values()}
        assert Effect.NO_EFFECT not in effects

    @invariant()
    def watts_stay_within_the_cap(self) -> None:
        aim_cap_w = self.told.rules.max_w
        lease = self.told.state.lease
        if lease and lease.phase(self.now) and lease.cap_w is not None:
            aim_cap_w = min(aim_cap_w, lease.cap_w)
        if self.now >= self.told.state.adopted_until and self.now > 1.0:
            lowest_w = sum(one.min_w for one in self.seen.devices)
            after = obeyed(self.seen, self.wanted)
            limits_w = sum(one.limit_w or 0.0 for one in after.devices)
            assert limits_w <= max(aim_cap_w, lowest_w) + 1e-3

    @invariant()
    def nothing_works_after_stop_all(self) -> None:
        if self.told.state.stopped:
            assert all(one.running is Running.STOPPED for one in self.seen.miners)


TestObeyingRig = ObeyingRig.TestCase
TestObeyingRig.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@given(states(), rigs(), owners)
def test_what_has_no_room_for_both_never_starts_beside_the_other(
    state: State, seen: Seen, owner: Rules
) -> None:
    _, wanted = decide(state, seen, owner, NOW)
    for model in seen.runners:
        rivals = [one for one in seen.miners if one.owned and shares_device(model, one)]
        if not model.exclusive:
            continue
        loads = model.running not in (Running.STOPPED, Running.FAILED)
        loads = loads or wanted.runners[model.name].running is Running.ACTIVE
        for one in rivals:
            hashes = wanted.miners[one.name].running is Running.ACTIVE
            assert not (hashes and loads) or one.running is Running.ACTIVE
        if wanted.runners[model.name].running is Running.ACTIVE and model.running in (
            Running.STOPPED, Running.FAILED, Running.STOPPING,
        ):  # fmt: skip
            gone = (Running.STOPPED, Running.FAILED)
            assert all(one.running in gone and not one.leaving for one in rivals)
