"""The loop closes the gap between wanted and seen, once per event, and says what it must."""

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hashcenter_bridge.child import ChildState
from hashcenter_bridge.devices import Sample
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.tickets import Priority, TicketRefused
from hashcenter_bridge.wire.messages import (
    ReleaseRequest,
    RestartDeviceRequest,
    StopAllRequest,
)
from hashcenter_bridge.wire.values import Activity, Effect, LeasePhase
from tests.bridge.rigs import Answerer, Bench, Devices, Hasher, gpu, resting


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.miners = [Hasher()]
    return await made.start()


async def test_a_lease_is_accepted_at_once_and_its_limit_set(bench: Bench) -> None:
    assert bench.ask(power_w=200.0) == "accepted"
    await bench.step()
    assert bench.devices.limits == [("GPU-0", 200.0)]
    assert bench.line.last("state").heaters[0].lease.power_w == 200.0


async def test_a_limit_that_is_set_is_not_set_again(bench: Bench) -> None:
    bench.ask(power_w=200.0)
    await bench.steps(30)
    assert bench.devices.limits == [("GPU-0", 200.0)]


async def test_a_limit_that_does_not_read_back_is_tried_every_five_seconds(bench: Bench) -> None:
    bench.devices.refusal = DeviceFault("limit_not_permitted", "this user may not set limits")
    bench.ask(power_w=200.0)
    await bench.steps(12)
    assert 2 <= len(bench.devices.limits) <= 3
    faults = [fault.code for fault in bench.line.last("state").faults]
    assert faults == ["limit_not_permitted"]
    events = [event.code for event in bench.line.of("event")]
    assert events.count("limit_not_permitted") == 1


async def test_a_refused_limit_is_forgotten_once_it_is_taken(bench: Bench) -> None:
    bench.devices.refusal = DeviceFault("limit_refused", "not now")
    bench.ask(power_w=200.0)
    await bench.steps(2)
    bench.devices.refusal = None
    await bench.steps(8)
    assert bench.line.last("state").faults == ()
    assert bench.line.last("event").code == "limit_refused_over"


async def test_a_reduction_never_waits_for_an_earlier_setting(bench: Bench) -> None:
    bench.ask(power_w=200.0)
    await bench.step()
    bench.ask(power_w=300.0)
    await bench.step()
    bench.ask(power_w=120.0)
    await bench.step()
    assert [power_w for _, power_w in bench.devices.limits] == [200.0, 300.0, 120.0]


async def test_nothing_goes_up_while_something_must_come_down(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_w=450.0)
    bench.devices = Devices(gpu("GPU-0"), gpu("GPU-1"))
    bench.miners = [Hasher("a"), Hasher("b", ("GPU-1",))]
    bench.runners = [Answerer()]
    await bench.start()
    bench.ask(power_w=400.0)
    await bench.steps(3)
    assert bench.devices.limits == [("GPU-0", 200.0), ("GPU-1", 200.0)]
    bench.devices.limits.clear()
    bench.devices.refusal = DeviceFault("limit_refused", "not now")
    # The answering card may have the rest of the cap, once the other one has come down.
    with bench.rig.tickets.hold(Priority.VOICE, "llama"):
        bench.ask(power_w=220.0)
        await bench.steps(5)
        assert {uid for uid, _ in bench.devices.limits} == {"GPU-1"}


async def test_control_that_is_off_touches_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, allow_control=False)
    bench.miners = [Hasher()]
    await bench.start()
    assert bench.ask() == "control_off"
    assert bench.ask(ReleaseRequest) == "control_off"
    await bench.steps(20)
    assert bench.devices.limits == []
    assert bench.miners[0].said == []


async def test_a_miner_is_paused_for_a_question_and_resumed_after_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    bench.ask(power_w=300.0)
    await bench.steps(2)
    with bench.rig.tickets.hold(Priority.VOICE, "llama") as ticket:
        await bench.step(0.1)
        assert bench.miners[0].said == ["pause"]
        await bench.step(0.1)
        assert await ticket.granted() == "runner"
        assert bench.line.last("event").code == "preempted"
        await bench.steps(20)
        assert bench.miners[0].said == ["pause"]
    await bench.steps(4)
    assert bench.miners[0].said == ["pause", "resume"]
    assert bench.rig.answers.totals.preemptions == 1


async def test_a_miner_that_does_not_obey_is_told_again_but_not_without_end(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    bench.miners[0].stubborn = True
    await bench.start()
    bench.ask(power_w=300.0)
    with bench.rig.tickets.hold(Priority.VOICE, "llama") as ticket:
        for _ in range(100):
            await bench.step(0.1)
        assert ticket.runner == "runner"
    assert 4 <= len(bench.miners[0].said) <= 6


async def test_a_child_miner_is_wanted_while_it_is_leased(bench: Bench) -> None:
    child = bench.adopt_child()
    await bench.step()
    assert child.wanted == [False]
    bench.ask(power_w=300.0)
    await bench.step()
    assert child.wanted == [False, True]
    bench.ask(ReleaseRequest)
    await bench.step()
    assert child.wanted == [False, True, False]


async def test_a_child_miner_on_its_way_out_is_not_called_back_by_a_question(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    child = bench.adopt_child(ChildState.STOPPING)
    with bench.rig.tickets.hold(Priority.VOICE, "llama"):
        await bench.steps(2)
    assert child.wanted == [False]


async def test_a_failed_child_miner_stays_wanted_so_that_it_backs_off(bench: Bench) -> None:
    child = bench.adopt_child()
    bench.ask(power_w=300.0)
    await bench.step()
    child.state, child.why = ChildState.FAILED, "it ended with exit code 1"
    await bench.steps(5)
    assert child.wanted == [True]
    assert bench.line.last("state").faults[0].text == "it ended with exit code 1"


async def test_stop_all_halts_everything_at_once_and_holds_over_a_restart(bench: Bench) -> None:
    bench.ask(power_w=300.0)
    await bench.step()
    assert bench.ask(StopAllRequest) == "accepted"
    await bench.step()
    assert bench.miners[0].said == ["pause"]
    assert bench.devices.limits[-1] == ("GPU-0", 100.0)
    state = bench.line.last("state")
    assert state.stopped
    assert state.heaters[0].lease is None
    assert state.heaters[0].available_w == 0.0
    await bench.start()
    assert bench.rig.state.stopped
    assert bench.ask(power_w=300.0) == "stopped"
    assert bench.ask(StopAllRequest, engaged=False) == "accepted"
    await bench.start()
    assert not bench.rig.state.stopped


async def test_stop_all_turns_away_questions(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runners = [Answerer()]
    await bench.start()
    bench.ask(StopAllRequest)
    with bench.rig.tickets.hold(Priority.VOICE, None) as ticket:
        await bench.step()
        with pytest.raises(TicketRefused, match="stopped by a person"):
            await ticket.granted()


async def test_a_released_stop_brings_no_old_lease_back(bench: Bench) -> None:
    bench.ask(power_w=300.0)
    bench.ask(StopAllRequest)
    bench.ask(StopAllRequest, engaged=False)
    await bench.step()
    assert bench.rig.state.lease is None
    assert bench.line.last("state").heaters[0].target_w == 0.0


async def test_the_first_house_is_obeyed_and_remembered(bench: Bench) -> None:
    assert bench.line.of("event") == []
    bench.ask()
    assert bench.line.of("event")[0].code == "paired"
    assert bench.ask(controller="neighbor") == "held_by"
    await bench.start()
    assert bench.ask(controller="neighbor") == "held_by"
    await bench.step()
    assert bench.line.last("state").controller == "house"
    bench.loop.unpair()
    assert bench.ask(controller="neighbor") == "accepted"


async def test_a_refused_request_pairs_nobody(bench: Bench) -> None:
    assert bench.ask(heater="cellar") == "unknown_heater"
    assert bench.rig.store.kept.controller is None


@pytest.mark.parametrize(
    "changes",
    [
        {"boot_id": "other"},
        {"tick": 0.0},
        {"controller": "neighbor"},
        {"seq": 1},
        {"heater": "cellar"},
        {"ttl_s": 3000.0},
    ],
)
async def test_a_refused_request_changes_nothing(bench: Bench, changes: dict[str, Any]) -> None:
    bench.ask(power_w=200.0)
    await bench.steps(20)
    before, kept = bench.rig.state, bench.rig.store.kept.controller
    limits = list(bench.devices.limits)
    assert bench.ask(power_w=300.0, **changes) != "accepted"
    assert bench.rig.state == before
    assert bench.rig.store.kept.controller == kept
    await bench.step()
    assert bench.devices.limits == limits


async def test_garbage_is_counted_and_moves_nothing(bench: Bench) -> None:
    bench.ask(power_w=200.0)
    await bench.step()
    before = bench.rig.state
    for payload in (b"", b"{", b"\xff", b"x" * 100_000, b'{"kind": "lease"}'):
        bench.loop.heard(payload, retained=False)
    bench.loop.heard(b'{"kind": "stop_all"}', retained=True)
    assert bench.rig.state == before
    assert bench.rig.health.messages_invalid_total == 6
    assert bench.rig.health.requests_accepted_total == 1


async def test_refusals_are_told_but_flood_nobody(bench: Bench) -> None:
    for _ in range(50):
        bench.ask(heater="cellar")
    assert [event.code for event in bench.line.of("event")].count("refused") == 1
    assert len(bench.line.of("response")) == 50
    assert bench.rig.health.requests_refused_total == 50


async def test_a_lapsed_lease_falls_to_the_floor_and_then_to_the_safe_state(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, coast_s=20.0)
    bench.miners = [Hasher()]
    await bench.start()
    bench.ask(power_w=300.0, ttl_s=10.0)
    await bench.steps(2)
    assert bench.line.last("state").heaters[0].lease.phase is LeasePhase.ACTIVE
    await bench.steps(10)
    assert bench.line.last("state").heaters[0].lease.phase is LeasePhase.COASTING
    assert bench.devices.limits[-1] == ("GPU-0", 100.0)
    assert bench.miners[0].said == []
    await bench.steps(20)
    assert bench.line.last("state").heaters[0].lease is None
    assert bench.miners[0].said == ["pause"]


async def test_a_device_that_can_be_restarted_is_and_failures_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.devices = Devices(gpu(can_restart=True))
    await bench.start()
    assert bench.ask(RestartDeviceRequest, uid="GPU-0") == "accepted"
    bench.devices.refusal = DeviceFault("restart_failed", "it does not answer")
    await bench.step()
    assert bench.devices.restarted == ["GPU-0"]
    assert bench.line.last("event").code == "restart_failed"
    assert bench.line.last("event").uid == "GPU-0"


async def test_shares_are_counted_once(bench: Bench) -> None:
    miner = bench.miners[0]
    assert miner.reading is not None
    reading = miner.reading

    async def shares(count: int | None) -> int:
        known = None if count is None else replace(reading, shares_accepted=count)
        miner.reading = known
        await bench.steps(6)
        return bench.rig.answers.totals.shares

    # Somebody else's miner found 100 before the bridge came.
    assert await shares(100) == 0
    assert await shares(107) == 7
    assert await shares(None) == 7
    assert await shares(108) == 8
    # It was restarted.
    assert await shares(2) == 10
    await bench.start()
    assert await shares(5) == 10


async def test_shares_of_a_child_miner_count_from_its_first(bench: Bench) -> None:
    bench.adopt_child(ChildState.READY)
    bench.rig.miners[0].reading = bench.miners[0].reading
    assert bench.miners[0].reading is not None
    bench.rig.miners[0].reading = replace(bench.miners[0].reading, shares_accepted=3)
    await bench.step()
    assert bench.rig.answers.totals.shares == 3


async def test_a_fault_is_told_once_when_it_comes_and_once_when_it_goes(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "it has fallen off the bus")
    await bench.steps(10)
    bench.devices.samples["GPU-0"] = Sample(resting())
    await bench.steps(10)
    codes = [event.code for event in bench.line.of("event")]
    assert codes == ["gpu_lost", "gpu_lost_over"]
    assert sum("fallen off" in record.message for record in caplog.records) <= 2


async def test_nothing_is_wrong_with_a_rig_that_has_just_started(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start(adopted_until=1800.0)
    bench.loop.step()
    assert bench.line.of("event") == []
    assert bench.line.last("state").faults == ()
    await bench.steps(3)
    assert bench.line.of("event") == []
    assert bench.miners[0].said == []


async def test_what_runs_is_not_paused_before_the_first_reading(bench: Bench) -> None:
    await bench.start(adopted_until=1800.0)
    # The miner answered before the card did.
    await bench.rig.miners[0]._read()
    bench.loop.step()
    assert bench.rig.wanted is not None
    assert bench.rig.wanted.miners["miner"].running is None


async def test_a_card_that_is_silent_for_30_s_ends_hashing(bench: Bench) -> None:
    bench.ask(power_w=200.0)
    await bench.steps(3)
    bench.devices.samples = {}
    await bench.steps(29)
    assert bench.miners[0].said == []
    await bench.steps(3)
    assert bench.miners[0].said == ["pause"]


async def test_an_effect_shows_on_the_device(bench: Bench) -> None:
    bench.ask(power_w=200.0)
    await bench.step()
    await bench.steps(2)
    device = bench.line.last("device")
    assert device.activity is Activity.HASHING
    assert device.target_w == 200.0
    assert device.effect is Effect.REACHED


async def test_everything_is_said_again_after_a_reconnect(bench: Bench) -> None:
    bench.loop.connected()
    await bench.step()
    bench.line.said.clear()
    await bench.step(0.1)
    assert bench.line.said == []
    bench.loop.connected()
    await bench.step(0.1)
    assert [one.topic for one in bench.line.said] == ["announce", "inventory", "state", "device"]


async def test_no_topic_is_said_more_than_once_a_second_and_the_heartbeat_every_five(
    bench: Bench,
) -> None:
    bench.follows = False
    for number in range(200):
        wild = resting(power_w=100.0 + 100.0 * (number % 3), power_limit_w=100.0)
        bench.devices.samples["GPU-0"] = Sample(wild)
        await bench.step(0.1)
    for topic in ("state", "device", "inventory"):
        times = [one.at for one in bench.line.said if one.topic == topic]
        assert all(later - earlier > 0.99 for earlier, later in pairwise(times))
    bench.line.said.clear()
    bench.devices.samples["GPU-0"] = Sample(resting(power_limit_w=100.0))
    await bench.steps(100)
    assert 18 <= len(bench.line.of("state")) <= 24
    assert 9 <= len(bench.line.of("device")) <= 13
    assert 6 <= len(bench.line.of("inventory")) <= 7


async def test_a_killed_bridge_never_shows_less_energy_than_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, base_w=200.0)
    await bench.start()
    bench.devices.samples["GPU-0"] = Sample(resting(power_w=340.0))
    shown: list[float] = []
    for number in range(120):
        await bench.step(0.7)
        shown += [one.message.energy_kwh for one in bench.line.said if one.topic == "state"]
        bench.line.said.clear()
        if number % 13 == 12:
            await bench.start()
    assert shown == sorted(shown)
    assert shown[-1] > 0.0


async def test_a_failed_disk_is_told(bench: Bench) -> None:
    bench.rig.store._file = bench.folder / "nowhere" / "state.json"
    bench.ask()
    await bench.step()
    assert "storage" in [fault.code for fault in bench.line.last("state").faults]


async def test_every_step_survives_a_rig_without_a_line(bench: Bench) -> None:
    bench.loop.line = None
    bench.loop.connected()
    bench.loop.device_event("GPU-0", "xid_79", "it has fallen off the bus")
    await bench.steps(2)
    assert bench.rig.wanted is not None
