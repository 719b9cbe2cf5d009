"""The 10-minute mean counts each joule once, and what was not measured is nothing."""

import pytest

from custom_components.hashcenter.control.requests import HeaterKey
from custom_components.hashcenter.heat.measured import Mean, Measured
from custom_components.hashcenter.rigs.rig import Rig
from custom_components.hashcenter.wire.codec import WireModel
from custom_components.hashcenter.wire.messages import (
    DeviceState,
    Heater,
    HeaterState,
    Inventory,
    RigState,
)
from custom_components.hashcenter.wire.values import Activity
from tests.component.rigs import ASIC, asic, gpu, heater

KEY = HeaterKey("cellar", "s19")
S19 = heater((ASIC,), id="s19")


def rig(*said: WireModel, uid: str = ASIC) -> Rig:
    found = Rig("cellar")
    for message in said:
        found = found.apply(
            message, uid=uid if isinstance(message, DeviceState) else None, retained=False
        )
    return found


def inventory(*heaters: Heater) -> Inventory:
    return Inventory(
        boot_id="boot-1",
        protocol=1,
        min_protocol=1,
        version="0.1.0",
        name="Cellar",
        heaters=heaters,
        devices=(asic(), gpu()),
    )


def beat(tick: float, power_w: float | None, boot_id: str = "boot-1") -> RigState:
    return RigState(
        boot_id=boot_id,
        tick=tick,
        activity=Activity.HASHING,
        heaters=(HeaterState(id="s19", power_w=power_w),),
    )


def test_the_mean_weighs_watts_by_the_time_they_were_drawn() -> None:
    mean = Mean()
    for tick, power_w in ((0, 100.0), (10, 100.0), (20, 400.0), (25, 400.0)):
        mean.note("boot-1", tick, power_w)
    assert mean.mean_w == pytest.approx((100.0 * 20 + 400.0 * 5) / 25)


def test_the_mean_is_of_ten_minutes() -> None:
    mean = Mean()
    for tick in range(0, 1200, 5):
        mean.note("boot-1", tick, 1000.0 if tick < 590 else 200.0)
    assert mean.mean_w == pytest.approx(200.0, rel=0.02)


def test_a_first_reading_is_its_own_mean_and_none_is_unknown() -> None:
    assert Mean().mean_w is None
    mean = Mean()
    mean.note("boot-1", 0, 500.0)
    first_w = mean.mean_w
    mean.note("boot-1", 5, None)
    assert first_w == 500.0
    assert mean.mean_w is None, "a mean of what is no longer measured says nothing about now"


def test_what_was_drawn_in_a_gap_is_unknown_and_not_counted() -> None:
    mean = Mean()
    for tick, power_w in ((0, 1000.0), (5, 1000.0), (400, 100.0), (405, 100.0)):
        mean.note("boot-1", tick, power_w)
    assert mean.mean_w == pytest.approx(550.0)


def test_another_run_of_the_bridge_begins_anew() -> None:
    mean = Mean()
    mean.note("boot-1", 900, 1000.0)
    mean.note("boot-1", 905, 1000.0)
    mean.note("boot-2", 3, 100.0)
    mean.note("boot-2", 8, 100.0)
    assert mean.mean_w == 100.0


def test_a_heartbeat_said_twice_counts_once() -> None:
    mean = Mean()
    for tick in (0, 5, 5, 5, 10):
        mean.note("boot-1", tick, 100.0 if tick < 10 else 300.0)
    assert mean.mean_w == pytest.approx(100.0)


def test_what_a_terahash_takes_is_measured_at_the_wall_and_outlives_a_restart() -> None:
    hashing = DeviceState(boot_id="boot-1", activity=Activity.HASHING, hash_rate_mhs=100e6)
    measured = Measured()
    running = rig(inventory(S19), beat(1, 3000.0), hashing, beat(6, 3000.0))
    measured.note_facts(running)
    measured.hear(running)
    measured.weigh(running)
    assert measured.j_per_th(KEY) == pytest.approx(30.0)
    again = Measured()
    again.restore(measured.stored())
    assert again.j_per_th(KEY) == pytest.approx(30.0)
    assert again.facts("cellar") == {KEY: S19}


def test_a_miner_that_rests_keeps_what_it_took_and_a_gpu_mines_no_terahash() -> None:
    paused = DeviceState(boot_id="boot-1", activity=Activity.PAUSED, hash_rate_mhs=0.0)
    measured = Measured()
    for message in (paused, DeviceState(boot_id="boot-1", activity=Activity.HASHING)):
        resting = rig(inventory(S19), beat(1, 20.0), message, beat(6, 20.0))
        measured.note_facts(resting)
        measured.weigh(resting)
        assert measured.j_per_th(KEY) is None
    machine = heater(("GPU-1111",), id="machine")
    mining = DeviceState(boot_id="boot-1", activity=Activity.HASHING, hash_rate_mhs=121.5)
    found = rig(inventory(machine), beat(1, 300.0), mining, beat(6, 300.0), uid="GPU-1111")
    measured.note_facts(found)
    measured.weigh(found)
    assert measured.j_per_th(HeaterKey("cellar", "machine")) is None


def test_heaters_that_left_the_inventory_are_forgotten() -> None:
    measured = Measured()
    measured.note_facts(rig(inventory(S19)))
    measured.note_facts(rig(inventory()))
    assert measured.facts("cellar") == {}
