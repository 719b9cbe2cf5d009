"""Virtual days of random demands in both pure cores: nobody starts too often, and heat follows.

The house's core turns a demand into leases for eight ASICs and two GPU rigs, the bridge's core
turns each ASIC's lease into acts, and machines that take minutes to start carry them out. A minute
is a step. A virtual day is one machine's: 1,000 of them are eight machines over 125 days.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import tests.conftest  # noqa: F401 - the integration's pure parts without Home Assistant
from custom_components.hashcenter.control.seen import (
    HeaterSeen,
    HouseSeen,
    HvacMode,
    LeaseSeen,
    RoomSeen,
    Thermometer,
)
from custom_components.hashcenter.control.wanted import Do, HeaterWanted
from hashcenter_bridge.arbiter.asic.knob import Knob
from hashcenter_bridge.arbiter.asic.types import DAY_S
from hashcenter_bridge.wire.values import Capabilities
from tests.bridge.arbiter.asic.scene import (
    PERCENT,
    PLAIN,
    STEPS,
    WATTS,
    Scene as AsicScene,
    scene as asic_scene,
)
from tests.control.scene import Scene, asic, gpu

#: Knobs in watts, percent and steps, and two machines that are only on or off.
KINDS: Final[tuple[Capabilities, ...]] = (WATTS, PERCENT, STEPS, PLAIN)
_EACH: Final = 2
_MACHINES: Final = _EACH * len(KINDS)
_TARGET_C: Final = 21.0
_LOSS_W_PER_K: Final = 600.0
_STEP_S: Final = 60.0
_WINDOW: Final = 10
#: Demands: a new level every so often, reached at so many watts a minute, with some noise on it.
_LEVEL_EVERY_S: Final = 4 * 3600.0
_PACE_W: Final = 100.0
_NOISE: Final = 0.02
_MOST: Final = 0.95
_WARM_UP_STEPS: Final = 180

Say = Callable[[str], None]


def demands(chance: random.Random, most_w: float) -> Iterator[float]:
    """Yield the watts that are asked for, minute by minute."""
    now_w = level_w = most_w / 2
    while True:
        if chance.random() < _STEP_S / _LEVEL_EVERY_S:
            level_w = chance.uniform(0.0, _MOST * most_w)
        now_w += max(-_PACE_W, min(_PACE_W, level_w - now_w))
        yield max(0.0, now_w * (1 + chance.uniform(-_NOISE, _NOISE)))


def measure(days: int, seed: int, say: Say) -> dict[str, float]:
    """Return how many machines exceeded their budget, and how far watts were off the demand."""
    machines = [asic_scene(kind, hashes=False) for kind in KINDS for _ in range(_EACH)]
    house = _house(machines)
    most_w = sum(Knob(one.machine.can, {}).max_w for one in machines)
    wanted_w = demands(random.Random(seed), most_w)  # noqa: S311 - not for secrets
    steps = round(days / _MACHINES * DAY_S / _STEP_S)
    starts: list[list[float]] = [[] for _ in machines]
    window: list[tuple[float, float]] = []
    off_w = asked_w = 0.0
    for step in range(steps):
        house.seen = replace(
            house.seen, outdoor=Thermometer(_TARGET_C - next(wanted_w) / _LOSS_W_PER_K)
        )
        house.pass_minutes()
        for index, (scene, times) in enumerate(zip(machines, starts, strict=True)):
            before = scene.machine.starts
            _pass_minute(scene, house, f"asic{index}")
            times.extend([scene.now] * (scene.machine.starts - before))
        delivered_w = _delivered_w(house)
        if step >= _WARM_UP_STEPS:
            window.append((house.room.demand_w, delivered_w))
        if len(window) == _WINDOW:
            demand, delivered = (sum(side) / _WINDOW for side in zip(*window, strict=True))
            off_w += abs(delivered - demand)
            asked_w += demand
            window.clear()
        if step % 20_000 == 19_999:
            say(f"{(step + 1) / steps:.0%}: {100 * off_w / asked_w:.2f} % off")
    exceeded = [
        index
        for index, (scene, times) in enumerate(zip(machines, starts, strict=True))
        if most_in_a_day(times) > scene.rules.starts_per_day
    ]
    busiest = max(len(times) for times in starts) / (steps * _STEP_S / DAY_S)
    say(f"the busiest machine was started {busiest:.2f} times a day")
    return {
        "restart_budget_exceeded": len(exceeded),
        "tracking_error_percent": 100 * off_w / asked_w,
    }


def most_in_a_day(times: list[float]) -> int:
    """Return the most starts within any 24 hours."""
    return max((sum(1 for at in times if 0 <= at - begin < DAY_S) for begin in times), default=0)


def _house(machines: list[AsicScene]) -> Scene:
    room = RoomSeen(
        "living", "Living room", HvacMode.HEAT, _TARGET_C, Thermometer(_TARGET_C),
        heat_loss_w_per_k=_LOSS_W_PER_K,
    )  # fmt: skip
    heaters = [_heater(f"asic{index}", scene) for index, scene in enumerate(machines)]
    rigs = [gpu("rig0"), gpu("rig1")]
    return _FollowingScene(HouseSeen(rooms=(room,), heaters=(*rigs, *heaters)))


def _heater(name: str, scene: AsicScene) -> HeaterSeen:
    knob = Knob(scene.machine.can, {})
    return asic(
        name,
        idle_w=knob.idle_w,
        min_w=knob.min_w,
        max_w=knob.max_w,
        boot_peak_w=knob.max_w,
        available_w=knob.max_w,
        step_w=max(1.0, (knob.max_w - knob.min_w) / 20),
        settle_s=scene.machine.can.settle_s,
        power_w=knob.idle_w,
        mean_w=knob.idle_w,
    )


class _FollowingScene(Scene):
    """A house whose GPU rigs do at once what they are told; its ASICs are decided by a bridge."""

    def obey(self) -> None:
        """Let the GPU rigs draw what their leases say."""
        untouched = {one.key: one for one in self.seen.heaters if one.key.heater.startswith("asic")}
        super().obey()
        self.change_heaters(lambda one: untouched.get(one.key, one))


def _pass_minute(scene: AsicScene, house: Scene, name: str) -> None:
    """Hand the house's lease to the bridge's core, let a minute pass, and show what came of it."""
    want: HeaterWanted = house.heater(name)
    if want.do is Do.LEASE:
        scene.lease(want.power_w)
    decided = scene.step(_STEP_S)
    drawn_w = scene.machine.watts(scene.now)
    hashes = scene.machine.hashes
    seen = next(one for one in house.seen.heaters if one.key.heater == name)
    mean_w = drawn_w if seen.mean_w is None else seen.mean_w + (drawn_w - seen.mean_w) / _WINDOW
    house.change_heater(
        name,
        power_w=drawn_w,
        mean_w=mean_w,
        hashing=hashes and scene.now >= scene.machine.ready_at,
        starting=hashes and scene.now < scene.machine.ready_at,
        available_w=decided.available_w,
        effect=decided.effect,
        lease=LeaseSeen(want.power_w, want.cap_w) if want.do is Do.LEASE else seen.lease,
    )


def _delivered_w(house: Scene) -> float:
    return sum(one.power_w or 0.0 for one in house.seen.heaters)
