"""Wire rule 3, rule by rule: effect is measured by the rig, once."""

from dataclasses import replace

import pytest

from hashcenter_bridge.arbiter import effect
from hashcenter_bridge.arbiter.types import DeviceSeen, Running, Track
from hashcenter_bridge.wire.values import Effect
from tests.bridge.arbiter.scene import (
    Told,
    answering_rig,
    gpu,
    leased,
    miner,
    obeyed,
    rig,
    rules,
    ticket,
)

SETTLE_S = 15.0


class Followed:
    """A device with a target, looked at when told to."""

    def __init__(self, before: DeviceSeen, hash_hs: float | None = None) -> None:
        self.before = before
        self.hash_hs = hash_hs
        self.track: Track | None = None
        self.now = 0.0

    def aim(self, target_w: float, *, hashes: bool, limit_w: float | None = None) -> Effect:
        """Give it a target while it still is as it was."""
        self._target = (target_w, target_w if limit_w is None else limit_w, hashes)
        return self.look(self.before, self.hash_hs, after_s=0.0)

    def look(
        self, device: DeviceSeen, hash_hs: float | None = None, *, after_s: float = 1.0
    ) -> Effect:
        """Look at it `after_s` seconds later."""
        self.now += after_s
        target_w, limit_w, hashes = self._target
        self.track = effect.follow(
            self.track, target_w, limit_w, device, hash_hs, hashes=hashes, now=self.now
        )
        return self.track.effect


@pytest.mark.parametrize(
    ("target_w", "most_w"), [(100.0, 130.0), (600.0, 630.0), (1000.0, 1050.0), (0.0, 30.0)]
)
def test_down_is_reached_at_the_target_and_30_w_or_5_percent(
    target_w: float, most_w: float
) -> None:
    for draw_w, expected in ((most_w, Effect.REACHED), (most_w + 0.1, Effect.SETTLING)):
        down = Followed(gpu(power_w=2000.0, limit_w=2000.0))
        assert down.aim(target_w, hashes=False) is Effect.SETTLING
        assert down.look(gpu(power_w=draw_w, limit_w=2000.0)) is expected


def test_down_that_is_not_reached_within_the_settle_time_has_no_effect() -> None:
    down = Followed(gpu(power_w=350.0))
    down.aim(100.0, hashes=True)
    assert down.look(gpu(power_w=350.0), after_s=SETTLE_S - 0.1) is Effect.SETTLING
    assert down.look(gpu(power_w=350.0), after_s=0.2) is Effect.NO_EFFECT


def test_a_slow_device_has_its_own_settle_time() -> None:
    slow = gpu(power_w=3000.0, settle_s=120.0)
    down = Followed(slow)
    down.aim(1000.0, hashes=True)
    assert down.look(slow, after_s=119.0) is Effect.SETTLING
    assert down.look(slow, after_s=1.0) is Effect.NO_EFFECT


def test_up_while_hashing_is_reached_when_the_watts_rose() -> None:
    up = Followed(gpu(power_w=25.0))
    assert up.aim(300.0, hashes=True) is Effect.SETTLING
    assert up.look(gpu(power_w=34.0)) is Effect.SETTLING
    assert up.look(gpu(power_w=36.0)) is Effect.REACHED


def test_up_while_hashing_is_reached_when_the_hash_rate_rose() -> None:
    up = Followed(gpu(power_w=100.0), hash_hs=1e6)
    up.aim(300.0, hashes=True)
    assert up.look(gpu(power_w=100.0), 1.04e6) is Effect.SETTLING
    assert up.look(gpu(power_w=100.0), 1.06e6) is Effect.REACHED


def test_up_while_hashing_without_more_watts_or_hashes_has_no_effect() -> None:
    up = Followed(gpu(power_w=100.0), hash_hs=1e6)
    up.aim(300.0, hashes=True)
    assert up.look(gpu(power_w=100.0), 1e6, after_s=SETTLE_S) is Effect.NO_EFFECT


def test_up_for_an_answer_is_reached_when_the_limit_reads_back() -> None:
    up = Followed(gpu(power_w=25.0, limit_w=100.0))
    assert up.aim(350.0, hashes=False) is Effect.SETTLING
    assert up.look(gpu(power_w=25.0, limit_w=350.0)) is Effect.REACHED


def test_up_for_an_answer_has_no_effect_when_the_limit_stays() -> None:
    up = Followed(gpu(power_w=25.0, limit_w=100.0))
    up.aim(350.0, hashes=False)
    assert up.look(gpu(power_w=25.0, limit_w=100.0), after_s=SETTLE_S) is Effect.NO_EFFECT


def test_a_small_change_only_reads_back() -> None:
    small = Followed(gpu(power_w=200.0, limit_w=200.0))
    assert small.aim(215.0, hashes=True) is Effect.SETTLING
    assert small.look(gpu(power_w=200.0, limit_w=215.0)) is Effect.REACHED


def test_without_a_meter_nothing_is_verified() -> None:
    blind = Followed(gpu(power_w=None))
    assert blind.aim(200.0, hashes=True) is Effect.UNVERIFIED
    assert blind.look(gpu(power_w=None, limit_w=200.0), after_s=100.0) is Effect.UNVERIFIED


def test_one_missing_reading_does_not_undo_what_was_reached() -> None:
    down = Followed(gpu(power_w=20.0))
    assert down.aim(25.0, hashes=False, limit_w=350.0) is Effect.REACHED
    assert down.look(gpu(power_w=None)) is Effect.REACHED


def test_a_peak_is_no_failure_but_a_lasting_excess_is() -> None:
    down = Followed(gpu(power_w=350.0))
    down.aim(200.0, hashes=True)
    assert down.look(gpu(power_w=200.0)) is Effect.REACHED
    assert down.look(gpu(power_w=260.0), after_s=100.0) is Effect.SETTLING
    assert down.look(gpu(power_w=210.0)) is Effect.REACHED
    assert down.look(gpu(power_w=260.0), after_s=100.0) is Effect.SETTLING
    assert down.look(gpu(power_w=260.0), after_s=SETTLE_S) is Effect.NO_EFFECT


def test_a_failure_stays_until_it_is_followed_and_is_counted_again_later() -> None:
    stuck = gpu(power_w=350.0)
    down = Followed(stuck)
    down.aim(100.0, hashes=True)
    effects = {down.look(stuck) for _ in range(15)} | {down.look(stuck) for _ in range(150)}
    assert effects == {Effect.SETTLING, Effect.NO_EFFECT}
    assert down.look(stuck) is Effect.NO_EFFECT
    assert down.track is not None
    assert effect.recent_failures(down.track, down.now) == 3
    assert down.look(gpu(power_w=100.0)) is Effect.REACHED
    assert effect.recent_failures(down.track, down.now) == 3
    assert effect.recent_failures(down.track, down.now + 86_400.0) == 0


def test_a_new_target_keeps_the_count_of_failures() -> None:
    stuck = gpu(power_w=350.0)
    down = Followed(stuck)
    down.aim(100.0, hashes=True)
    down.look(stuck, after_s=SETTLE_S)
    assert down.aim(150.0, hashes=True) is Effect.SETTLING
    assert down.track is not None
    assert len(down.track.failures) == 1


def test_a_target_that_wobbles_by_less_than_a_watt_is_one_target() -> None:
    down = Followed(gpu(power_w=350.0))
    down.aim(100.0, hashes=True)
    began = down.track.since if down.track else None
    down.now = 3.0
    down.aim(100.9, hashes=True)
    assert down.track is not None
    assert down.track.since == began


def test_resuming_after_an_answer_is_verified_although_the_target_is_the_same() -> None:
    told = Told(leased(200.0))
    seen = answering_rig(devices=(gpu(power_w=200.0, limit_w=200.0),))
    seen, _ = told.settle(seen, since=0.0, until=20.0)
    asked = replace(seen, tickets=(ticket(opened_at=20.0, runner="runner"),))
    asked, _ = told.settle(asked, since=21.0, until=30.0)
    answered = replace(asked, tickets=())
    answered, wanted = told.settle(answered, since=31.0, until=32.0)
    assert wanted.miners["miner"].running is Running.PAUSED
    # From here on the miner says yes and does nothing.
    lazy = replace(
        answered, devices=(gpu(power_w=25.0, limit_w=200.0),),
        miners=(miner(running=Running.PAUSED, hash_rate_hs=0.0),),
    )  # fmt: skip
    for now in range(33, 60):
        wanted = told.step(lazy, now)
    assert wanted.miners["miner"].running is Running.ACTIVE
    assert wanted.devices["gpu0"].effect is Effect.NO_EFFECT
    assert wanted.heater.effect is Effect.NO_EFFECT


def test_a_question_now_and_then_never_looks_like_a_failure() -> None:
    told = Told(leased(200.0))
    seen = answering_rig(devices=(gpu(power_w=200.0, limit_w=200.0),))
    wanted = told.step(seen, 0.0)
    for now in range(1, 200):
        asking = now % 9 < 4
        seen = replace(
            obeyed(seen, wanted),
            tickets=(ticket(opened_at=now - now % 9, runner="runner"),) if asking else (),
        )
        wanted = told.step(seen, now)
        assert wanted.devices["gpu0"].effect is not Effect.NO_EFFECT


def test_a_loading_model_is_no_failure_of_a_paused_gpu() -> None:
    told = Told(leased(0.0))
    loading = answering_rig(
        devices=(gpu(power_w=110.0, limit_w=100.0),), miners=(miner(running=Running.STOPPED),)
    )
    for now in range(60):
        wanted = told.step(loading, now)
    assert wanted.devices["gpu0"].effect is Effect.REACHED


def test_a_miner_that_hashes_on_after_it_was_paused_is_a_failure() -> None:
    told = Told(leased(0.0), rules())
    for now in range(30):
        wanted = told.step(rig(devices=(gpu(power_w=100.0, limit_w=100.0),)), now)
    assert wanted.devices["gpu0"].target_w == 25.0
    assert wanted.devices["gpu0"].effect is Effect.NO_EFFECT


def test_an_obeying_rig_reaches_every_target() -> None:
    told = Told(leased(350.0))
    seen, wanted = told.settle(rig(), since=0.0, until=5.0)
    assert wanted.heater.effect is Effect.REACHED
    told.state = replace(told.state, lease=leased(120.0).lease)
    seen, wanted = told.settle(seen, since=5.0, until=10.0)
    assert wanted.heater.effect is Effect.REACHED
    assert seen.devices[0].power_w == 120.0
