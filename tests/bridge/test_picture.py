"""The rig in the words of the wire: unknown is absent, watts are at the wall."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hashcenter_bridge import picture
from hashcenter_bridge.arbiter.types import Rules
from hashcenter_bridge.child import ChildState
from hashcenter_bridge.devices import Sample
from hashcenter_bridge.errors import DeviceFault
from hashcenter_bridge.metrics import exposition
from hashcenter_bridge.tickets import Priority
from hashcenter_bridge.wire.codec import WireModel, decode, encode
from hashcenter_bridge.wire.messages import DeviceState, Inventory, RigState
from hashcenter_bridge.wire.values import Activity, LeasePhase, PowerSource
from tests.bridge.rigs import Answerer, Bench, Devices, Hasher, gpu, resting

MessageT = TypeVar("MessageT", bound=WireModel)


def travels(message: MessageT) -> MessageT:
    """Return the message as the house reads it; it says nothing that the wire does not know."""
    return type(message).model_validate_json(encode(message), extra="forbid")


def state(bench: Bench) -> RigState:
    return travels(picture.rig_state(bench.rig, picture.device_states(bench.rig)))


def device(bench: Bench, uid: str = "GPU-0") -> DeviceState:
    return travels(picture.device_states(bench.rig)[uid])


@pytest.fixture
def tickets() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


async def both(folder: Path, **rules: Any) -> Bench:
    """Return a rig with a miner and a runner on one GPU."""
    bench = Bench(folder, **rules)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    await bench.step()
    return bench


async def test_the_inventory_says_what_there_is_and_what_its_owner_allows(tmp_path: Path) -> None:
    bench = await both(tmp_path, base_w=40.0, psu_efficiency=0.8)
    inventory = travels(picture.inventory(bench.rig))
    assert inventory.allow_control
    assert inventory.endpoint is not None
    assert [one.uid for one in inventory.devices] == ["GPU-0"]
    assert inventory.runners[0].models[0].id == "llama"
    heater = inventory.heaters[0]
    assert heater.devices == ("GPU-0",)
    assert heater.idle_w == pytest.approx(25.0 / 0.8 + 40.0, abs=0.1)
    assert heater.min_w == pytest.approx(100.0 / 0.8 + 40.0)
    assert heater.max_w == pytest.approx(350.0 / 0.8 + 40.0, abs=0.1)
    assert heater.unattended_w == heater.max_w
    assert (heater.can_hash, heater.can_answer) == (True, True)


async def test_a_rig_without_runners_offers_no_endpoint_and_no_inference(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).start()
    await bench.step()
    inventory = picture.inventory(bench.rig)
    assert inventory.endpoint is None
    assert not inventory.heaters[0].can_hash
    assert state(bench).inference is None
    assert state(bench).hash_rate_mhs is None


async def test_a_rig_can_be_drawn_before_anything_was_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.miners, bench.runners = [Hasher()], [Answerer()]
    await bench.start()
    drawn = state(bench)
    assert drawn.power_w is None
    assert drawn.missing["power_w"]
    assert drawn.heaters[0].available_w == 0.0
    assert device(bench).power_w is None
    assert travels(picture.inventory(bench.rig)).heaters


async def test_watts_are_the_machines_at_the_wall(tmp_path: Path) -> None:
    bench = await both(tmp_path, base_w=40.0, psu_efficiency=0.8)
    bench.ask(power_w=400.0)
    await bench.steps(3)
    drawn = state(bench)
    assert drawn.activity is Activity.HASHING
    assert drawn.power_w == pytest.approx(400.0, abs=1.0)
    assert drawn.hashing_w == pytest.approx(360.0, abs=1.0)
    assert drawn.idle_w == pytest.approx(40.0, abs=1.0)
    assert drawn.answering_w == 0.0
    assert device(bench).power_w == pytest.approx(288.0)


async def test_unknown_watts_are_absent_with_a_reason_and_never_zero(tmp_path: Path) -> None:
    bench = await both(tmp_path)
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "it has fallen off the bus")
    await bench.step()
    drawn = state(bench)
    assert (drawn.power_w, drawn.hashing_w, drawn.answering_w, drawn.idle_w) == (None,) * 4
    assert "power_w" in drawn.missing
    assert drawn.heaters[0].power_w is None
    shown = device(bench)
    assert shown.activity is Activity.FAULT
    assert shown.power_w is None
    assert shown.missing["power_w"] == "it has fallen off the bus"
    assert '"power_w":0' not in encode(shown)


async def test_a_device_without_a_meter_does_not_hide_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.devices = Devices(gpu("a"), gpu("blind", power_source=PowerSource.NONE))
    bench.devices.samples["blind"] = Sample(resting(power_w=None))
    bench.follows = False
    await bench.start()
    await bench.step()
    assert state(bench).power_w == 20.0


@pytest.mark.parametrize("hash_rate_hs", [None, 3e6])
async def test_a_hash_rate_that_is_not_known_is_absent(
    tmp_path: Path, hash_rate_hs: float | None
) -> None:
    bench = await both(tmp_path)
    assert bench.miners[0].reading is not None
    reading = replace(bench.miners[0].reading, hash_rate_hs=hash_rate_hs, paused=False)
    bench.miners[0].reading = reading
    await bench.look()
    drawn = state(bench)
    assert drawn.hash_rate_mhs == (None if hash_rate_hs is None else 3.0)
    assert ("hash_rate_mhs" in drawn.missing) is (hash_rate_hs is None)
    bench.miners[0].reading = replace(reading, paused=True)
    await bench.look()
    assert state(bench).hash_rate_mhs == 0.0


async def test_the_hash_rate_of_a_miner_that_cannot_be_reached_is_unknown(tmp_path: Path) -> None:
    bench = await both(tmp_path)
    bench.miners[0].reading = None
    await bench.look()
    assert state(bench).hash_rate_mhs is None
    bench.adopt_child(ChildState.STOPPED)
    assert state(bench).hash_rate_mhs == 0.0


async def test_what_a_device_does_is_answering_before_hashing_before_the_rest(
    tmp_path: Path, tickets: ExitStack
) -> None:
    bench = await both(tmp_path)
    assert bench.miners[0].reading is not None
    bench.miners[0].reading = replace(bench.miners[0].reading, paused=False)
    await bench.look()
    assert device(bench).activity is Activity.HASHING
    child = bench.adopt_child(ChildState.STOPPING)
    assert device(bench).activity is Activity.HASHING
    child.state = ChildState.STARTING
    assert device(bench).activity is Activity.STARTING
    child.state = ChildState.STOPPED
    assert device(bench).activity is Activity.IDLE
    bench.rig.state = replace(bench.rig.state, stopped=True)
    assert device(bench).activity is Activity.OFF
    ticket = tickets.enter_context(bench.rig.tickets.hold(Priority.VOICE, None))
    assert device(bench).activity is Activity.OFF
    ticket.grant("runner")
    assert device(bench).activity is Activity.ANSWERING
    assert state(bench).activity is Activity.ANSWERING


async def test_a_lease_shows_what_remains_of_its_phase(tmp_path: Path) -> None:
    bench = await both(tmp_path, coast_s=100.0)
    bench.ask(power_w=200.0, ttl_s=60.0, cap_w=300.0)
    await bench.steps(10)
    lease = state(bench).heaters[0].lease
    assert lease is not None
    assert (lease.phase, lease.remaining_s) == (LeasePhase.ACTIVE, 50.0)
    assert (lease.power_w, lease.cap_w, lease.controller) == (200.0, 300.0, "house")
    await bench.steps(60)
    lease = state(bench).heaters[0].lease
    assert lease is not None
    assert (lease.phase, lease.remaining_s) == (LeasePhase.COASTING, 90.0)
    await bench.steps(100)
    assert state(bench).heaters[0].lease is None


async def test_inference_says_whether_and_why_not(tmp_path: Path, tickets: ExitStack) -> None:
    bench = await both(tmp_path)

    def inference() -> Any:
        return state(bench).inference

    assert inference().available
    assert inference().first_token_s is None
    tickets.enter_context(bench.rig.tickets.hold(Priority.TASK, None)).grant("runner")
    tickets.enter_context(bench.rig.tickets.hold(Priority.TASK, None))
    assert (inference().answering, inference().waiting) == (1, 1)
    bench.runners[0].is_ready = False
    await bench.look()
    bench.rig.runners[0]._why = "x" * 900
    assert not inference().available
    assert len(inference().why) == 400
    bench.rig.state = replace(bench.rig.state, stopped=True)
    assert inference().why == "stopped by a person: Stop all"
    assert inference().first_token_s is None


async def test_long_reasons_are_cut_to_what_the_wire_takes(tmp_path: Path) -> None:
    bench = await both(tmp_path)
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "gone " * 500)
    await bench.step()
    for message in (state(bench), device(bench), picture.inventory(bench.rig)):
        assert decode(type(message), encode(message)) == message


async def test_totals_are_those_of_the_rigs_life(tmp_path: Path) -> None:
    bench = await both(tmp_path)
    bench.rig.answers.totals.tokens = 77
    bench.rig.answers.totals.shares = 5
    drawn = state(bench)
    assert drawn.inference is not None
    assert drawn.inference.tokens_total == 77
    assert drawn.shares_accepted_total == 5


async def test_the_inventory_fits_the_wire_with_many_devices(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.devices = Devices(*(gpu(f"GPU-{number:036d}") for number in range(32)))
    await bench.start()
    await bench.step()
    inventory = picture.inventory(bench.rig)
    assert decode(Inventory, encode(inventory)) == inventory


async def test_metrics_are_the_same_figures_and_unknown_is_absent(tmp_path: Path) -> None:
    bench = await both(tmp_path)
    text = exposition(bench.rig)
    assert 'hashcenter_device_power_watts{uid="GPU-0"} 350.0' in text.splitlines()
    assert "hashcenter_inference_available 1.0" in text.splitlines()
    assert "hashcenter_first_token_seconds" not in text
    bench.devices.samples["GPU-0"] = DeviceFault("gpu_lost", "gone")
    await bench.step()
    text = exposition(bench.rig)
    assert "hashcenter_device_power_watts" not in text
    assert "hashcenter_rig_power_watts" not in text
    assert "None" not in text
    for line in text.splitlines():
        if not line.startswith("#"):
            float(line.rsplit(" ", 1)[1])


def test_the_longest_lease_is_what_the_inventory_says() -> None:
    assert picture.MAX_TTL_S <= 3600.0
    assert Rules(heater="x", max_w=1.0).coast_s <= 1800.0
