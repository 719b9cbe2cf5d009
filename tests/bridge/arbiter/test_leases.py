"""Heat is a lease with two ends (wire rule 2), inside the owner's limits (wire rule 4)."""

from dataclasses import replace

import pytest

from hashcenter_bridge.arbiter import leases
from hashcenter_bridge.arbiter.decide import decide
from hashcenter_bridge.arbiter.types import Running, State
from hashcenter_bridge.wire.values import Favor, LeasePhase
from tests.bridge.arbiter.scene import (
    Told,
    answering_rig,
    gpu,
    leased,
    miner,
    rig,
    rules,
    ticket,
)

COASTING, OVER = 301.0, 300.0 + 1800.0


def test_a_lease_counts_its_ends_from_its_receipt() -> None:
    lease = leases.granted(
        60.0, 1000.0, controller="house", power_w=1.0, cap_w=None, ttl_s=30.0,
        favor=Favor.BALANCED,
    )  # fmt: skip
    assert lease.phase(1029.9) is LeasePhase.ACTIVE
    assert lease.phase(1030.0) is LeasePhase.COASTING
    assert lease.phase(1089.9) is LeasePhase.COASTING
    assert lease.phase(1090.0) is None


def test_a_leased_miner_hashes_at_the_watts_that_were_asked_for() -> None:
    _, wanted = decide(leased(200.0), rig(miners=(miner(running=Running.STOPPED),)), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.devices["gpu0"].limit_w == 200.0
    assert wanted.heater.target_w == 200.0


def test_watts_are_asked_at_the_wall() -> None:
    owner = rules(base_w=50.0, psu_efficiency=0.8)
    _, wanted = decide(leased(300.0), rig(), owner, 1.0)
    assert wanted.devices["gpu0"].limit_w == pytest.approx((300.0 - 50.0) * 0.8)


@pytest.mark.parametrize("limits", [{"owner": 250.0}, {"cap_w": 250.0}])
def test_owner_and_house_both_bound_a_lease(limits: dict[str, float]) -> None:
    state = leased(900.0, cap_w=limits.get("cap_w"))
    owner = rules(max_w=limits.get("owner", 1500.0))
    _, wanted = decide(state, rig(), owner, 1.0)
    assert wanted.heater.target_w == 250.0
    assert wanted.devices["gpu0"].limit_w == 250.0
    assert "900 W" in wanted.heater.reason
    assert "250 W" in wanted.heater.reason


def test_watts_below_the_lowest_step_heat_nothing_and_say_so() -> None:
    _, wanted = decide(leased(90.0), rig(), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.PAUSED
    assert "100 W at least" in wanted.heater.reason


def test_zero_watts_stop_a_miner_of_ours() -> None:
    _, wanted = decide(leased(0.0), rig(), rules(), 1.0)
    assert wanted.miners["miner"].running is Running.STOPPED


def test_an_unrenewed_lease_falls_to_the_lowest_step() -> None:
    seen = rig(
        devices=(gpu(limit_w=350.0), gpu("gpu1", limit_w=350.0)),
        miners=(miner("a"), miner("b", "gpu1")),
    )
    _, wanted = decide(leased(800.0), seen, rules(), COASTING)
    hashing = [name for name, one in wanted.miners.items() if one.running is Running.ACTIVE]
    assert hashing == ["a"]
    assert wanted.miners["b"].running is Running.PAUSED
    assert wanted.devices["gpu0"].limit_w == 100.0
    assert wanted.heater.target_w == 125.0


def test_coasting_never_asks_for_more_than_the_lease_did() -> None:
    _, wanted = decide(leased(60.0), rig(), rules(), COASTING)
    assert wanted.heater.target_w == 60.0


@pytest.mark.parametrize(
    "running", [Running.STOPPED, Running.PAUSED, Running.STARTING, Running.FAILED]
)
def test_nothing_begins_to_hash_while_the_house_is_silent(running: Running) -> None:
    _, wanted = decide(leased(400.0), rig(miners=(miner(running=running),)), rules(), COASTING)
    assert wanted.miners["miner"].running is not Running.ACTIVE
    if running in (Running.STARTING, Running.FAILED):
        assert wanted.miners["miner"].running is Running.STOPPED


def test_no_limit_goes_up_while_the_house_is_silent() -> None:
    for limit_w in (100.0, 150.0):
        seen = answering_rig(ticket(), devices=(gpu(limit_w=limit_w),))
        _, wanted = decide(leased(400.0), seen, rules(), COASTING)
        assert wanted.devices["gpu0"].limit_w is not None
        assert wanted.devices["gpu0"].limit_w <= limit_w


def test_after_coasting_comes_the_owners_safe_state() -> None:
    state, wanted = decide(leased(800.0), rig(), rules(safe_w=150.0), OVER)
    assert state.lease is None
    assert wanted.heater.target_w == 150.0
    assert wanted.devices["gpu0"].limit_w == 150.0
    _, nothing = decide(leased(800.0), rig(), rules(), OVER)
    assert nothing.miners["miner"].running is Running.STOPPED


def test_the_safe_state_never_exceeds_the_owners_limit() -> None:
    _, wanted = decide(State(), rig(), rules(safe_w=900.0, max_w=300.0), 1.0)
    assert wanted.heater.target_w == 300.0


def test_a_renewed_lease_hashes_again() -> None:
    told = Told(leased(400.0))
    seen = rig(miners=(miner(running=Running.PAUSED),))
    assert told.step(seen, COASTING).miners["miner"].running is None
    renewed = leases.granted(
        told.rules.coast_s, COASTING, controller="house", power_w=400.0, cap_w=None, ttl_s=300.0,
        favor=Favor.BALANCED,
    )  # fmt: skip
    told.state = replace(told.state, lease=renewed)
    assert told.step(seen, COASTING).miners["miner"].running is Running.ACTIVE


def test_available_watts_are_all_cards_at_their_highest_limit() -> None:
    seen = rig(devices=(gpu(), gpu("gpu1"), gpu("spare")), miners=(miner("a"), miner("b", "gpu1")))
    _, wanted = decide(State(), seen, rules(base_w=40.0), 1.0)
    assert wanted.heater.available_w == 350.0 + 350.0 + 25.0 + 40.0
    _, bounded = decide(State(), seen, rules(max_w=500.0), 1.0)
    assert bounded.heater.available_w == 500.0
    assert "owner" in bounded.heater.available_why


def test_available_watts_shrink_with_a_barred_card_and_say_why() -> None:
    seen = rig(devices=(gpu(), gpu("gpu1", foreign=True)), miners=(miner("a"), miner("b", "gpu1")))
    _, wanted = decide(State(), seen, rules(), 1.0)
    assert wanted.heater.available_w == 375.0
    assert wanted.heater.available_why == "another program uses it"


def test_nothing_is_available_without_control_or_a_miner_on_gpus() -> None:
    _, off = decide(State(), rig(), rules(allow_control=False), 1.0)
    assert off.heater.available_w == 0.0
    assert "allow_control" in off.heater.available_why
    _, none = decide(State(), rig(miners=()), rules(), 1.0)
    assert none.heater.available_why == "no miner is configured"
    on_processor = replace(miner(), devices=())
    _, cpu = decide(State(), rig(miners=(on_processor,)), rules(), 1.0)
    assert "processor" in cpu.heater.available_why


def test_more_watts_run_more_cards_and_share_evenly() -> None:
    seen = rig(
        devices=tuple(gpu(f"gpu{n}") for n in range(4)),
        miners=tuple(miner(f"m{n}", f"gpu{n}") for n in range(4)),
    )

    def limits(power_w: float) -> list[float | None]:
        _, wanted = decide(leased(power_w), seen, rules(), 1.0)
        return [
            wanted.devices[f"gpu{n}"].limit_w
            if wanted.miners[f"m{n}"].running is Running.ACTIVE
            else None
            for n in range(4)
        ]

    assert limits(174.0) == [None] * 4
    assert limits(175.0) == [100.0, None, None, None]
    assert limits(300.0) == [125.0, 125.0, None, None]
    assert limits(1000.0) == [250.0] * 4


def test_a_miner_on_four_cards_runs_once_all_four_fit() -> None:
    cards = tuple(f"gpu{n}" for n in range(4))
    seen = rig(devices=tuple(gpu(uid) for uid in cards), miners=(miner("all", *cards),))
    _, few = decide(leased(399.0), seen, rules(), 1.0)
    assert few.miners["all"].running is Running.PAUSED
    assert "400 W at least" in few.heater.reason
    _, enough = decide(leased(400.0), seen, rules(), 1.0)
    assert enough.miners["all"].running is Running.ACTIVE
